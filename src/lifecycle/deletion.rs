//! What happens to the remote set when the resource goes.

use jiff::Timestamp;

use super::{
    Desired, Observed,
    kid::{self, Slot},
    plan::ahead,
    remote::look::origin,
    step::{DeleteCause, Place, Step},
};
use crate::api::{DeletionPolicy, JsonWebKeySet, KeyState, Mode, Origin};
use crate::jwk::Jwk;

/// What deletion does to the remote set: what the user said, else `Delete` for a set that the operator made.
pub fn policy(desired: &Desired, origin: Option<Origin>) -> DeletionPolicy {
    match (desired.mode, desired.deletion_policy, origin) {
        (Mode::Observe, _, _) => DeletionPolicy::Retain,
        (Mode::Enforce, Some(policy), _) => policy,
        (Mode::Enforce, None, Some(Origin::Created)) => DeletionPolicy::Delete,
        (Mode::Enforce, None, _) => DeletionPolicy::Retain,
    }
}

/// Whether a resource may go without a look at the remote set: deletion leaves it as it is whatever it holds.
pub fn leaves_remote_alone(resource: &JsonWebKeySet) -> bool {
    let spec = &resource.spec;
    let origin = resource.status.as_ref().and_then(|status| status.origin);
    match (spec.mode.unwrap_or_default(), spec.deletion_policy) {
        (Mode::Observe, _) | (Mode::Enforce, Some(DeletionPolicy::Retain)) => true,
        (Mode::Enforce, Some(DeletionPolicy::Delete)) => false,
        (Mode::Enforce, None) => origin == Some(Origin::Found),
    }
}

/// The next step of a deletion: own keys go, oldest first, so that the signer is the last; the set as a whole when it is the operator's and
/// holds nothing else; then the finalizer.
pub(super) fn next(desired: &Desired, seen: &Observed, now: Timestamp) -> Option<Step> {
    if !seen.finalizer {
        return None;
    }
    let origin = origin(desired, seen);
    if policy(desired, Some(origin)) == DeletionPolicy::Retain {
        return Some(Step::RemoveFinalizer { retained: true });
    }
    if seen.late_answers_until(now).is_some() {
        return None;
    }
    // Whatever the status says: what is left there now, nobody looks for later.
    let Some(staged) = seen.staged.as_ref().filter(|_| seen.is_staged_fresh()) else { return Some(Step::ReadStaged) };
    if let Some(kid) = staged.keys.iter().find_map(Jwk::kid) {
        let step = Step::DeleteKey { place: Place::Staged, kid: kid.into(), cause: DeleteCause::ResourceDeleted };
        return Some(ahead::guarded(seen, step, now));
    }
    let mut own: Vec<(Option<Slot>, &str)> = seen
        .live
        .keys
        .iter()
        .filter(|key| is_own(desired, seen, key))
        .filter_map(Jwk::kid)
        .map(|kid| (slot_of(desired, kid), kid))
        .collect();
    own.sort();
    let Some((_, oldest)) = own.first() else {
        return Some(Step::RemoveFinalizer { retained: false });
    };
    let step = if origin == Origin::Created && own.len() == seen.live.keys.len() {
        Step::DeleteSet
    } else {
        Step::DeleteKey { place: Place::Live, kid: (*oldest).into(), cause: DeleteCause::ResourceDeleted }
    };
    Some(ahead::guarded(seen, step, now))
}

fn slot_of(desired: &Desired, kid: &str) -> Option<Slot> {
    kid::parse_generated(&desired.set, kid).map(|(_, slot)| slot)
}

fn is_own(desired: &Desired, seen: &Observed, key: &Jwk) -> bool {
    let Some(kid) = key.kid() else { return false };
    let is_recorded = seen
        .local
        .record
        .keys
        .get(kid)
        .is_some_and(|record| record.state != KeyState::Unmanaged && record.thumbprint == key.public_thumbprint());
    // Where another namespace may write the set, its keys may be there.
    let is_generated = slot_of(desired, kid).is_some_and(|slot| desired.is_exclusive || slot == Slot::at(desired.created));
    is_generated || desired.supplies(key) || seen.source_supplies(key) || is_recorded
}
