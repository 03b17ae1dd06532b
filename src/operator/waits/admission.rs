//! Waiting for a turn before a pass begins. Whoever waits here holds nothing that others need, and next to no memory.

use std::sync::Arc;

use futures::{
    FutureExt as _,
    future::{self, Either},
};
use jiff::Timestamp;
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
    turns::{Admission, Asking},
    waiting::Admitted,
};
use crate::operator::{contained::contained, context::Context, watch::stores::Watched};
use crate::{
    api::JsonWebKeySet,
    lifecycle::{self, Uid, spec::claim},
};

/// How many passes may be in the middle of getting a key from one admin API. Few keys are generated at a time, and a pass that waits for one holds
/// what it has seen: thousands of fresh sets wait before their pass instead, where they hold next to nothing.
const PREPARATIONS: usize = 32;

/// Has a resource wait for its turn, if it has to: then it is reconciled again when the wait is over.
pub(in crate::operator) fn wait(guard: &Arc<Watched>, cx: &Arc<Context>) -> Option<Admitted> {
    let uid = Uid::of(guard.as_ref());
    if cx.waiting.holds(&uid) {
        return None;
    }
    let mut admission = Box::pin(contained("a wait for a turn", admit(guard.clone(), cx.clone())));
    // Before its first look: if the resource goes from then on, nothing is kept of the wait.
    cx.waiting.begin(&uid);
    if let Some(admitted) = admission.as_mut().now_or_never() {
        cx.waiting.forget(&uid);
        return Some(admitted);
    }
    let (resource, cx) = (ObjectRef::from_obj(guard.as_ref()), cx.clone());
    tokio::spawn(async move { cx.waiting.end(&uid, resource, admission.await) });
    None
}

/// Waits until a pass over a resource may begin. `None` if no admin API would be asked for it now, it is gone, or the process ends.
///
/// A resource that becomes more urgent while it waits asks anew; any other change leaves it in its place.
async fn admit(resource: Arc<Watched>, cx: Arc<Context>) -> Option<Admission> {
    let (resource, cx) = (resource.as_ref(), cx.as_ref());
    let waiting = cx.changes.of(&Uid::of(resource));
    let look = || of(latest(resource, cx)?.0.as_ref().ok()?, cx);
    let mut asking = look()?;
    'asked: loop {
        let asked = asking.clone();
        let needs_key = latest(resource, cx).is_some_and(|latest| latest.0.as_ref().is_ok_and(|latest| needs_key(latest, cx)));
        let mut turn = std::pin::pin!(take(&asked, needs_key, cx));
        loop {
            let changed = std::pin::pin!(waiting.changed());
            match future::select(turn.as_mut(), changed).await {
                Either::Left((turn, _)) => return turn,
                Either::Right(((), _)) => {}
            }
            let newer = look()?;
            if newer.admin_api != asked.admin_api || newer.urgency < asked.urgency {
                asking = newer;
                continue 'asked;
            }
        }
    }
}

async fn take(asking: &Asking, needs_key: bool, cx: &Context) -> Option<Admission> {
    let preparation = if needs_key { Some(cx.preparations.take(&to_prepare(asking)).await?) } else { None };
    Some(Admission { turn: cx.passes.take(asking).await?, preparation })
}

/// Whether a pass would do little more than have a key generated: that of a fresh set, or one that was given up since too many wait for theirs.
fn needs_key(resource: &JsonWebKeySet, cx: &Context) -> bool {
    lifecycle::is_fresh_and_generates(resource) || cx.memory.waits_for_key(&Uid::of(resource))
}

/// What is asked for to get a place among those that get a key.
pub(in crate::operator) fn to_prepare(asking: &Asking) -> Asking {
    Asking { limit: PREPARATIONS, ..asking.clone() }
}

/// The resource as it is watched now; `None` if it is gone.
pub(in crate::operator) fn latest(resource: &Watched, cx: &Context) -> Option<Arc<Watched>> {
    cx.stores.sets.get(&ObjectRef::from_obj(resource)).filter(|latest| latest.uid() == resource.uid())
}

/// What a resource asks for; `None` if its AdminApi has no connection.
pub(in crate::operator) fn of(resource: &JsonWebKeySet, cx: &Context) -> Option<Asking> {
    let admin_api = claim::admin_api_name(resource);
    let connection = cx.connections.get(admin_api)?.ok()?;
    Some(Asking {
        admin_api: admin_api.to_owned(),
        limit: connection.concurrency,
        namespace: resource.namespace().unwrap_or_default(),
        urgency: lifecycle::urgency(resource, Timestamp::now()),
    })
}
