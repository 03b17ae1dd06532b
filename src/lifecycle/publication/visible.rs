//! Whether every reader can know a key.

use super::{Local, Target, TargetId, TargetState, Wanted, form};
use crate::jwk::{Kid, Thumbprint};

/// The first target that verifiers may have read and that does not hold this key. One that was never written counts for nothing: its first
/// document holds what is announced.
pub(in crate::lifecycle) fn target_without(wanted: &Wanted, local: &Local, kid: &Kid, thumbprint: &Thumbprint) -> Option<TargetId> {
    let recorded = local.record.keys.get(kid).and_then(|key| key.jwk.as_ref());
    let is_asked_for = |target: &&Target| form::announces(target.form, recorded);
    let holds = |target: &Target| local.held(&target.id).is_some_and(|held| form::finds(target.form, &held.content.data, kid, thumbprint));
    let lacks = |target: &&Target| match local.targets.get(&target.id) {
        Some(TargetState::Held(_) | TargetState::Failed { last: Some(_), .. }) => !holds(target),
        Some(TargetState::Absent | TargetState::Foreign | TargetState::Failed { last: None, .. }) => {
            local.record.targets.contains(&target.id)
        }
        None => false,
    };
    wanted.targets.iter().filter(is_asked_for).find(lacks).map(|target| target.id.clone())
}
