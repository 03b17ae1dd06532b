//! What the status must hold before a step is taken.

use super::{
    Desired, Observed,
    kid::{self, Slot},
    plan::is_first_pass,
    publication::TargetStep,
    record::{KeyRecord, Record},
    step::Step,
};
use crate::api::KeyState;

/// Whether the status has an announcement that is not there any more, or the retirement of a key that may have signed since. It must
/// not, before that is repaired: after it, and after a crash, the time in between would count.
pub(super) fn holds_outdated_time(stored: &Record, record: &Record) -> bool {
    stored.keys.iter().any(|(kid, key)| {
        let is_outdated = |now: &KeyRecord| {
            (key.announced_at.is_some() && now.announced_at.is_none()) || (key.retired_at.is_some() && now.retired_at.is_none())
        };
        record.keys.get(kid).is_some_and(is_outdated)
    })
}

/// Whether a target is about to show a key of somebody else that the status does not hold yet: after a crash nothing would distinguish it from
/// one that was put into the target.
pub(super) fn shows_unstored(stored: &Record, record: &Record, step: &Step) -> bool {
    let Step::Target(TargetStep::Write { content, .. }) = step else { return false };
    let is_new = |kid: &String| {
        record.keys.get(kid).is_some_and(|key| key.state == KeyState::Unmanaged) && stored.keys.get(kid).is_none_or(|key| key.jwk.is_none())
    };
    !stored.is_empty() && content.published().keys().any(is_new)
}

/// Whether the status lacks what it must hold before this write: the origin of the set; the kid of a new key, unless it follows from the
/// resource's creation; kid and thumbprint of a supplied key; that the staged set may not be empty.
pub(super) fn must_be_stored_ahead(desired: &Desired, seen: &Observed, record: &Record, step: &Step) -> bool {
    let is_unknown = |kid: &str| !seen.local.record.keys.contains_key(kid);
    // A key of somebody who gave it its kid is known by both.
    let is_other = |kid: &str| {
        let explicit = kid::parse_generated(&desired.set, kid).is_none();
        let thumbprint = |record: &Record| record.keys.get(kid).map(|key| key.thumbprint.clone());
        is_unknown(kid) || (explicit && thumbprint(&seen.local.record) != thumbprint(record))
    };
    if step.stages_key() && seen.local.record.staged_keys.is_some() && record.staged_keys.is_none() {
        return true;
    }
    let lacks_key = match step {
        Step::CreateKey { kid, .. } if is_first_pass(seen) => {
            return kid::parse_generated(&desired.set, kid).is_none_or(|(_, slot)| slot != Slot::at(desired.created));
        }
        Step::CreateKey { kid, .. } | Step::CreateSymmetricKey { kid, .. } => is_unknown(kid),
        Step::PutKey { key, .. } => key.kid().is_none_or(is_other),
        Step::ImportKey { key, .. } => is_other(&key.kid),
        _ => false,
    };
    step.writes_remote() && (seen.local.record.origin.is_none() || lacks_key)
}
