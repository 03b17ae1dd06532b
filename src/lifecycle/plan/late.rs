//! What may be done while a write that was not answered may still take effect.

use jiff::Timestamp;

use crate::lifecycle::{
    Observed,
    step::{DeleteCause, Step},
};

/// The first step that may be taken while an earlier write may still take effect. A late generation brings back nothing that was removed, so
/// that a revoked key leaves meanwhile, unless another has to take its place first.
pub(super) fn first_allowed(seen: &Observed, steps: Vec<Step>, now: Timestamp) -> Option<Step> {
    if seen.writes_blocked_until(now).is_some() {
        return steps.into_iter().find(|step| !step.writes_remote());
    }
    if seen.generation_may_land_until(now).is_none() {
        return steps.into_iter().next();
    }
    let mut needs_key_first = false;
    steps.into_iter().find(|step| {
        needs_key_first |= step.writes_private_key();
        let is_removal = matches!(step, Step::DeleteKey { cause: DeleteCause::Revoked, .. });
        !step.writes_remote() || (is_removal && !needs_key_first)
    })
}
