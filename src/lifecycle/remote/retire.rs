//! Who stops signing, and who leaves.

use std::collections::BTreeSet;

use super::{due::Due, look::Look, recognise::Recognised, recover::Recovered, signer::signer_is_in_front, supply::Supply};
use crate::api::{KeyState, Reason, UnmanagedKeys};
use crate::jwk::{Jwk, Kid};
use crate::lifecycle::{
    rank::Rank,
    record::{KeyRecord, Record},
    step::{DeleteCause, Place, PutCause, Step},
};

/// Which keys stop and leave.
pub(in crate::lifecycle) struct Leaving {
    /// What is remembered, with what retired.
    pub(in crate::lifecycle) record: Record,
    /// Kids that leave the targets, and then the set.
    pub(in crate::lifecycle) expired: BTreeSet<Kid>,
    pub(in crate::lifecycle) due: Due,
}

/// Takes the private half out of the set for every key that serves no entry, and removes what retired long enough ago.
pub(in crate::lifecycle) fn retire(look: Look<'_>, own: &Recognised, supply: &Supply, recovered: &Recovered) -> Leaving {
    let record = supply.record.clone();
    let mut phase = Retirement { look, replaced: &own.replaced, supply, recovered, record, expired: BTreeSet::new(), due: Due::default() };
    phase.retire();
    Leaving { record: phase.record, expired: phase.expired, due: phase.due }
}

struct Retirement<'world> {
    look: Look<'world>,
    replaced: &'world BTreeSet<Kid>,
    supply: &'world Supply,
    recovered: &'world Recovered,
    record: Record,
    expired: BTreeSet<Kid>,
    due: Due,
}

impl Retirement<'_> {
    fn retire(&mut self) {
        let signer_is_in_front = signer_is_in_front(self.look, self.replaced, &self.supply.active);
        for key in &self.look.seen.live.keys {
            let Some(kid) = key.kid() else { continue };
            if self.supply.explained.contains(kid) || self.look.desired.revoked.contains(kid) {
                continue;
            }
            let is_own = self.record.keys.get(kid).is_some_and(|record| record.state != KeyState::Unmanaged);
            if !is_own && self.look.desired.unmanaged_keys == UnmanagedKeys::Keep {
                continue;
            }
            if key.is_private() {
                if signer_is_in_front || self.is_intruder_behind(kid) {
                    if is_own || self.look.seen.told.contains(kid) {
                        self.retire_private(key, kid, is_own);
                    } else {
                        self.due.add(Rank::Retire, Step::TellUnmanagedLeave { kids: vec![kid.into()] });
                    }
                } else if is_own {
                    self.tell_if_last(kid);
                }
            } else if is_own || signer_is_in_front {
                self.retire_public(kid);
            }
        }
    }

    /// The signer is in front, so this key does not sign: its public half takes its place. What has no public half to leave behind, or must
    /// still decrypt, stays as it is until it is removed.
    fn retire_private(&mut self, key: &Jwk, kid: &str, is_own: bool) {
        let recorded = self.record.keys.get(kid).and_then(|record| record.jwk.clone()).filter(|_| is_own);
        let is_genuine = !self.replaced.contains(kid);
        // A chain that the status has no room for stays in the set.
        let whole = key.public_half().filter(|half| is_genuine && recorded.as_ref() == Some(&half.without_chain()));
        let recorded = whole.or(recorded);
        match recorded.or_else(|| key.public_half().filter(|_| is_genuine)) {
            Some(public) if key.key_use() != Some("enc") || !is_genuine => {
                let cause = if is_genuine { PutCause::Retired } else { PutCause::Drift };
                self.due.add(Rank::Retire, Step::PutKey { key: Box::new(public.as_jwk().clone()), cause });
            }
            _ => {
                let timed = self.look.timed();
                // It may have come in front once more since it retired.
                let stopped = self.look.seen.stopped_signing.get(kid).copied().filter(|_| timed.is_some());
                if let Some(record) = self.record.keys.get_mut(kid) {
                    if is_own {
                        record.state = KeyState::Retired;
                    }
                    record.retired_at = record.retired_at.max(stopped).or(timed);
                }
                self.expire(kid);
            }
        }
    }

    fn retire_public(&mut self, kid: &str) {
        let timed = self.look.timed();
        let is_staged_unknown = self.look.seen.staged.is_none();
        let Some(record) = self.record.keys.get_mut(kid) else { return };
        if record.state != KeyState::Unmanaged {
            if is_staged_unknown && matches!(record.state, KeyState::Planned | KeyState::Staged | KeyState::Announced) {
                // Its private half may be waiting.
                return;
            }
            record.state = KeyState::Retired;
        }
        record.retired_at = record.retired_at.or(timed);
        let genuine = record.jwk.clone().filter(|_| self.replaced.contains(kid));
        if self.expire(kid) {
            return;
        }
        if let Some(genuine) = genuine {
            self.due.add(Rank::Retire, Step::PutKey { key: Box::new(genuine.as_jwk().clone()), cause: PutCause::Drift });
        }
    }

    /// Lets a retired key go when its time has come: out of the targets first, then out of the set. Answers whether the time has come.
    fn expire(&mut self, kid: &str) -> bool {
        let Some(after) = self.record.keys.get(kid).and_then(KeyRecord::remove_after) else { return false };
        let Some(now) = self.look.timed() else { return false };
        if now < after {
            self.due.wake_at(after);
            return false;
        }
        self.expired.insert(kid.into());
        if !self.recovered.held.contains_key(kid) {
            self.due.add(Rank::Remove, Step::DeleteKey { place: Place::Live, kid: kid.into(), cause: DeleteCause::Expired });
        }
        true
    }

    /// A key whose entry is gone keeps signing while no entry can take over: a set that had a private key is never left without one.
    fn tell_if_last(&mut self, kid: &str) {
        if self.supply.capable.is_none() {
            let message = format!(
                "kid {kid} has no entry in spec.keys any more, but stays: no entry of set {} can sign in its place",
                self.look.desired.set
            );
            self.due.notice(Reason::LastPrivateKey, message);
        }
    }

    /// Whether a private half that somebody else put under an own kid may leave: whatever signs, it is not that.
    fn is_intruder_behind(&self, kid: &str) -> bool {
        let front = self.look.seen.signer();
        self.replaced.contains(kid)
            && front.is_some_and(|front| !self.replaced.contains(front) && !self.look.desired.revoked.contains(front))
    }
}
