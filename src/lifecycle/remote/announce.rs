//! From a key that exists to a key that signs: first its public half is in the set and in every target, long enough for every verifier, then
//! its private half.

use jiff::Timestamp;

use super::supply::Supplier;
use crate::api::{KeyState, Reason};
use crate::jwk::{Kid, PublicJwk, Thumbprint};
use crate::lifecycle::{
    entry_name::EntryName,
    publication::{TargetId, target_without},
    rank::Rank,
    record::KeyRecord,
    spec::entry::Entry,
    step::{PutCause, Step},
};

/// A key that will serve an entry and cannot sign yet.
pub(super) struct Candidate<'key> {
    pub(super) entry: &'key Entry,
    pub(super) kid: &'key Kid,
    /// Its public half; `None` for a symmetric key.
    pub(super) public: Option<PublicJwk>,
    pub(super) thumbprint: Option<Thumbprint>,
    /// Puts the private half into the live set.
    pub(super) activation: Step,
    /// Whether it is announced to verifiers before it signs.
    pub(super) is_announced: bool,
    /// Whether no private key is left in the set and this one must fill the gap now.
    pub(super) is_emergency: bool,
    /// When it may sign at the earliest; `None`: as soon as it may.
    pub(super) not_before: Option<Timestamp>,
    /// Whether nobody asks for it any more: it waits where it is.
    pub(super) is_held_back: bool,
}

impl Supplier<'_> {
    /// Takes a candidate one step further.
    pub(super) fn bring_up(&mut self, candidate: Candidate<'_>) {
        let kid = candidate.kid;
        let live = self.look.seen.live.key(kid.as_str());
        let record = self.record.keys.entry(kid.clone()).or_insert_with(|| KeyRecord::new(None, KeyState::Planned));
        if matches!(record.state, KeyState::Unmanaged | KeyState::Revoked) {
            *record = KeyRecord::new(None, KeyState::Planned);
        }
        if record.state == KeyState::Retired {
            // Nobody looked whether it was published all the time since it was announced for an earlier life.
            record.announced_at = None;
        }
        record.name = Some(candidate.entry.name.clone());
        record.retain = candidate.entry.timing.retain;
        record.thumbprint.clone_from(&candidate.thumbprint);
        record.jwk.clone_from(&candidate.public);
        record.retired_at = None;
        if self.kept_staged.contains(kid) {
            record.state = match record.state {
                KeyState::Planned => KeyState::Staged,
                // Verifiers know what signed, or is in the set.
                KeyState::Active => KeyState::Announced,
                state => state,
            };
        }
        self.explained.insert(kid.clone());
        if candidate.is_emergency {
            let rank = if candidate.is_announced { Rank::Emergency } else { Rank::Create };
            self.due.add(rank, candidate.activation);
        } else if candidate.is_announced {
            let is_in_set = live.is_some_and(|live| live.public_thumbprint() == candidate.thumbprint);
            if is_in_set {
                self.activate_when_announced(candidate);
            } else {
                self.announce(candidate, live.is_some());
            }
        } else {
            self.activate_at(candidate.not_before, &candidate, Rank::Create);
        }
    }

    /// Puts the public half into the set, for the first time or once more.
    fn announce(&mut self, candidate: Candidate<'_>, is_replaced: bool) {
        let Some(record) = self.record.keys.get_mut(candidate.kid) else { return };
        record.announced_at = None;
        if record.state == KeyState::Retired {
            record.state = KeyState::Announced;
        }
        if candidate.is_held_back && !is_replaced && record.state != KeyState::Announced {
            return;
        }
        if let Some(public) = candidate.public {
            self.due.note_rotation(candidate.not_before);
            let key = Box::new(public.as_jwk().clone());
            self.due.add(Rank::Store, Step::PutKey { key, cause: PutCause::Announced });
        }
    }

    /// While nothing is done for an entry, an announced key that a target lost is announced no longer: its time begins anew.
    pub(super) fn recheck_announcements(&mut self, name: &EntryName) {
        let (publication, local) = (&self.look.desired.publication, &self.look.seen.local);
        let announced = |record: &KeyRecord| record.name.as_ref() == Some(name) && record.state == KeyState::Announced;
        for (kid, record) in self.record.keys.iter_mut().filter(|(_, record)| announced(record)) {
            let lacks = |thumbprint| target_without(publication, local, kid, thumbprint).is_some();
            if record.thumbprint.as_ref().is_some_and(lacks) {
                record.announced_at = None;
            }
        }
    }

    /// The public half is in the set: counts the time since the targets hold it as well.
    fn activate_when_announced(&mut self, candidate: Candidate<'_>) {
        let timed = self.look.timed();
        let lacking = candidate
            .thumbprint
            .as_ref()
            .and_then(|thumbprint| target_without(&self.look.desired.publication, &self.look.seen.local, candidate.kid, thumbprint));
        let Some(record) = self.record.keys.get_mut(candidate.kid) else { return };
        record.state = KeyState::Announced;
        if let Some(target) = lacking {
            record.announced_at = None;
            self.due.note_rotation(candidate.not_before);
            if timed.is_some_and(|now| candidate.not_before.is_none_or(|due| due <= now)) && !candidate.is_held_back {
                self.blocked_by_target(candidate.kid, &target);
            }
            return;
        }
        record.announced_at = record.announced_at.or(timed);
        let Some(since) = record.announced_at else { return };
        let known = since.saturating_add(candidate.entry.timing.prepublish).unwrap_or(Timestamp::MAX);
        self.activate_at(Some(candidate.not_before.map_or(known, |due| due.max(known))), &candidate, Rank::Activate);
    }

    fn activate_at(&mut self, moment: Option<Timestamp>, candidate: &Candidate<'_>, rank: Rank) {
        if candidate.is_held_back {
            return;
        }
        match (moment, self.look.timed()) {
            (None, _) => self.due.add(rank, candidate.activation.clone()),
            (Some(moment), Some(now)) if now >= moment => self.due.add(rank, candidate.activation.clone()),
            (Some(moment), _) => {
                self.due.wake_at(moment);
                self.due.note_rotation(Some(moment));
            }
        }
    }

    fn blocked_by_target(&mut self, kid: &Kid, target: &TargetId) {
        let message = format!(
            "kid {kid} is due to sign, but {target} does not hold its public half: it signs after every target has held it for prepublish"
        );
        self.due.waiting(Reason::RotationBlocked, message);
    }
}
