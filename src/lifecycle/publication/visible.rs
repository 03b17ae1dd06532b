//! Whether every reader can know a key.

use super::{Local, TargetId, TargetState, Wanted};
use crate::jwk::{Kid, Thumbprint};

/// The first target that verifiers may have read and that does not hold this key. One that was never written counts for nothing: its first
/// document holds what is announced.
pub(in crate::lifecycle) fn target_without(wanted: &Wanted, local: &Local, kid: &Kid, thumbprint: &Thumbprint) -> Option<TargetId> {
    // A verifier looks for a key by its kid, so that one which stands there without is not known by it.
    let holds = |id: &TargetId| {
        let published = local.held(id).map(|held| held.content.published());
        let key = published.as_ref().and_then(|published| published.get(kid));
        key.is_some_and(|public| public.thumbprint().as_ref() == Ok(thumbprint))
    };
    let lacks = |id: &&TargetId| match local.targets.get(*id) {
        Some(TargetState::Held(_) | TargetState::Failed { last: Some(_), .. }) => !holds(id),
        Some(TargetState::Absent | TargetState::Foreign | TargetState::Failed { last: None, .. }) => local.record.targets.contains(*id),
        None => false,
    };
    wanted.targets.iter().map(|target| &target.id).find(lacks).cloned()
}
