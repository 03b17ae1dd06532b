//! Own keys that vanished from the set.

use std::collections::BTreeSet;

use super::{due::Due, look::Look, recover::Recovered, supply::Supply};
use crate::api::KeyState;
use crate::jwk::{Kid, PublicJwk};
use crate::lifecycle::{
    entry_name::EntryName,
    kid,
    rank::Rank,
    record::{KeyRecord, Record},
    step::{PutCause, Step},
};

/// What becomes of them.
pub(in crate::lifecycle) struct Vanished {
    /// What is remembered, with what vanished as retired.
    pub(in crate::lifecycle) record: Record,
    /// Kids that leave the targets, since their time has come.
    pub(in crate::lifecycle) expired: BTreeSet<Kid>,
    pub(in crate::lifecycle) due: Due,
}

/// An own key that vanished from the set stays published as recorded, and goes back into the set as its public half: a verifier may still meet
/// its signatures. A lost status is read back from the targets.
pub(in crate::lifecycle) fn put_back_vanished(look: Look<'_>, supply: &Supply, recovered: &Recovered, record: Record) -> Vanished {
    let mut record = with_recovered(look, recovered, record);
    let (mut expired, mut due) = (BTreeSet::new(), Due::default());
    let timed = look.timed();
    for (kid, known) in &mut record.keys {
        let is_waited_for = look.seen.live.key(kid.as_str()).is_some() || supply.explained.contains(kid);
        let was_never_told = matches!(known.state, KeyState::Planned | KeyState::Staged | KeyState::Unmanaged | KeyState::Revoked);
        if is_waited_for || was_never_told {
            continue;
        }
        known.state = KeyState::Retired;
        known.retired_at = known.retired_at.or(timed);
        let Some(jwk) = known.jwk.as_ref().filter(|jwk| jwk.as_jwk().key_use() != Some("enc")) else { continue };
        if let (Some(now), Some(after)) = (timed, known.remove_after()) {
            if now >= after {
                expired.insert(kid.clone());
                continue;
            }
            due.wake_at(after);
        }
        due.add(Rank::Retire, Step::PutKey { key: Box::new(jwk.as_jwk().clone()), cause: PutCause::Drift });
    }
    Vanished { record, expired, due }
}

/// The record with what only the targets know: a key that was made and published before the status was lost, or before there was one.
fn with_recovered(look: Look<'_>, recovered: &Recovered, mut record: Record) -> Record {
    for (kid, key) in &recovered.halves {
        let name = match kid::parse_generated(&look.desired.set, kid.as_str()) {
            Some((name, slot)) => {
                record.note_slot(name.into(), slot);
                name.into()
            }
            // Its entry may be gone, but it was written down for it before it was stored.
            None => match look.supplier(kid.as_str()).map(|entry| entry.name.clone()).or_else(|| planned_for(&record, kid, key)) {
                Some(name) => name,
                None => continue,
            },
        };
        let known = record.keys.get(kid);
        let is_recorded = known.is_some_and(|known| !matches!(known.state, KeyState::Planned | KeyState::Staged));
        let may_be_it = known.is_none_or(|known| known.is(key));
        if !is_recorded && may_be_it {
            let half =
                KeyRecord { thumbprint: key.thumbprint().ok(), jwk: Some(key.clone()), ..KeyRecord::new(Some(name), KeyState::Retired) };
            record.keys.insert(kid.clone(), half);
        }
    }
    record
}

/// The entry that exactly this key was written down for.
fn planned_for(record: &Record, kid: &Kid, key: &PublicJwk) -> Option<EntryName> {
    let record = record.keys.get(kid).filter(|record| record.state == KeyState::Planned)?;
    record.name.clone().filter(|_| record.is(key))
}
