//! What must come right before a step: what the status must hold, a reading, a pause.

use jiff::{SignedDuration, Timestamp};

use crate::api::KeyState;
use crate::jwk::Kid;
use crate::lifecycle::{
    Desired, Observed,
    kid::{self, Slot},
    publication::TargetStep,
    record::{KeyRecord, Record},
    remote::look::is_first_pass,
    step::{DeleteCause, Place, PutCause, Step},
};

/// Two private keys on MySQL need different whole seconds in their `created_at`.
const PRIVATE_WRITE_PAUSE: SignedDuration = SignedDuration::from_millis(1100);

/// Whether the status has an announcement that is not there any more, or the retirement of a key that may have signed since. It must
/// not, before that is repaired: after it, and after a crash, the time in between would count.
pub(in crate::lifecycle) fn holds_outdated_time(stored: &Record, record: &Record) -> bool {
    stored.keys.iter().any(|(kid, key)| {
        let is_outdated = |now: &KeyRecord| {
            (key.announced_at.is_some() && now.announced_at.is_none()) || (key.retired_at.is_some() && now.retired_at.is_none())
        };
        record.keys.get(kid).is_some_and(is_outdated)
    })
}

/// Whether a target is about to show a key that the status does not hold yet, or only as planned: after a crash nothing would distinguish it from
/// one that somebody put into the target, nor its kid from one that may get another key. A resource without a status has nothing to compare with.
pub(in crate::lifecycle) fn shows_unstored(stored: &Record, record: &Record, step: &Step) -> bool {
    let Step::Target(TargetStep::Write { content, .. }) = step else { return false };
    let is_stored = |key: &KeyRecord, known: &KeyRecord| {
        let is_public_half_unstored = key.state == KeyState::Unmanaged && known.jwk.is_none();
        known.thumbprint == key.thumbprint && known.state != KeyState::Planned && !is_public_half_unstored
    };
    // What is stored as it is cannot be stored any better.
    let is_new = |kid: &Kid| {
        let known = stored.keys.get(kid);
        record.keys.get(kid).is_some_and(|key| known != Some(key) && !known.is_some_and(|known| is_stored(key, known)))
    };
    let has_new_signer = stored.signer != record.signer && content.follows_signer();
    !stored.is_empty() && (has_new_signer || content.published_by(record).keys().any(is_new))
}

/// Whether the status lacks what it must hold before this write: the origin of the set; the kid of a new key, unless it follows from the
/// resource's creation; kid and thumbprint of a supplied key; that the staged set may not be empty.
pub(in crate::lifecycle) fn must_be_stored_ahead(desired: &Desired, seen: &Observed, record: &Record, step: &Step) -> bool {
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
            return kid::parse_generated(&desired.set, kid.as_str()).is_none_or(|(_, slot)| slot != Slot::at(desired.created));
        }
        Step::CreateKey { kid, .. } | Step::CreateSymmetricKey { kid, .. } => is_unknown(kid.as_str()),
        Step::PutKey { key, .. } => key.kid().is_none_or(is_other),
        Step::ImportKey { key, .. } => is_other(key.kid.as_str()),
        _ => false,
    };
    step.writes_remote() && (seen.local.record.origin.is_none() || lacks_key)
}

/// A step, or what must come right before it: a pause between two private keys, a reading of what the write goes by.
pub(in crate::lifecycle) fn guarded(seen: &Observed, step: Step, now: Timestamp) -> Step {
    if !step.writes_remote() {
        return step;
    }
    if step.writes_private_key()
        && let Some(written) = seen.private_written_at
        && let Ok(until) = written.saturating_add(PRIVATE_WRITE_PAUSE)
        && written <= now
        && now < until
    {
        return Step::Wait { until };
    }
    match &step {
        Step::PutKey { key, cause: PutCause::Activated } if key.is_private() && !seen.is_staged_fresh() => Step::ReadStaged,
        // Nobody signs with what is staged.
        Step::CreateKey { place: Place::Staged, .. }
        | Step::CreateSymmetricKey { place: Place::Staged, .. }
        | Step::DeleteKey { place: Place::Staged, cause: DeleteCause::Revoked | DeleteCause::ResourceDeleted, .. } => step,
        _ if seen.is_fresh(now) => step,
        _ => Step::ReadLive,
    }
}
