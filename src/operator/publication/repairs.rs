//! Puts back what somebody else changed in the targets of a set that is at rest, or cannot be read: without a look at the set, and each time a
//! little later.

use std::time::Instant;

use kube::{Resource as _, ResourceExt as _, runtime::controller::Action};

use super::{local, targets};
use crate::operator::{context::Context, watch::stores::Watched};
use crate::{
    api::JsonWebKeySet,
    lifecycle::{self, Repair, TargetId, TargetState, TargetStep, Uid},
};

/// Puts targets back if nothing else happened since the resource came to rest; `None` if a pass is needed. Whatever else needs one ends the rest.
pub(in crate::operator) async fn repair(watched: &Watched, cx: &Context) -> Option<Action> {
    let resource = watched.0.as_ref().ok()?;
    let uid = &Uid::of(resource);
    let now = Instant::now();
    let rest = cx.memory.rest(uid).filter(|rest| now < rest.until)?;
    if resource.meta().deletion_timestamp.is_some() || !cx.is_ours(resource.labels()) {
        return None;
    }
    let next = || cx.memory.edits(uid, |edits| edits.next()).flatten();
    if next().is_none() {
        // It was woken for something that the last pass has answered.
        return Some(Action::requeue(rest.until.saturating_duration_since(now)));
    }
    let edited = cx.memory.edits(uid, |edits| edits.take(now)).unwrap_or_default();
    if rest.is_settled {
        for id in edited {
            if !put_back(resource, &id, cx).await {
                return None;
            }
        }
    } else if !edited.is_empty() && !local::alone(resource, cx).await.ok()? {
        return None;
    }
    let next = next().map_or(rest.until, |next| next.min(rest.until));
    Some(Action::requeue(next.saturating_duration_since(Instant::now())))
}

/// Keeps the targets of a resource that waits for its turn up to date while its admin API does not answer, each edit a little later. Answers
/// when to look at the next one.
pub(in crate::operator) async fn while_waiting(watched: &Watched, cx: &Context) -> Action {
    let uid = &Uid::of(watched);
    let due = cx.memory.edits(uid, |edits| edits.take(Instant::now())).unwrap_or_default();
    if !due.is_empty() {
        local::while_unanswered(watched, cx).await;
    }
    let next = cx.memory.edits(uid, |edits| edits.next()).flatten();
    next.map_or_else(Action::await_change, |next| Action::requeue(next.saturating_duration_since(Instant::now())))
}

/// Puts one target back. Answers whether no pass is needed for it.
async fn put_back(resource: &JsonWebKeySet, id: &TargetId, cx: &Context) -> bool {
    let uid = &Uid::of(resource);
    let kept = cx.memory.target(uid, id);
    if kept.as_ref().is_some_and(|kept| targets::is_unchanged(id, kept, cx)) {
        // The watch showed our own write before its answer was remembered, or the edit was undone by a pass.
        return true;
    }
    let Ok(found) = targets::look(resource, id, cx).await else { return false };
    match lifecycle::repair(id, kept.as_ref(), &found) {
        Repair::Nothing => {
            targets::remember(resource, id, &found, cx);
            true
        }
        Repair::Write(TargetStep::Write { id, content, replaces }) if cx.leadership.may_write() => {
            match targets::try_write(resource, &id, &content, replaces.as_deref(), cx).await {
                Ok(TargetState::Held(held)) if held.content.differs_from(&content) => {
                    // It was edited once more before the write. What it should hold stays remembered.
                    cx.memory.edits(uid, |edits| edits.note(id.clone()));
                    true
                }
                Ok(state @ TargetState::Held(_)) => {
                    targets::remember(resource, &id, &state, cx);
                    tracing::info!(published_to = %id, "somebody else changed a target, and it was put back");
                    true
                }
                Ok(_) | Err(_) => false,
            }
        }
        Repair::Write(_) | Repair::Pass => false,
    }
}
