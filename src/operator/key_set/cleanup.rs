//! Cleans up after resources that are gone although they were held.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::{self, Either};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Api, Resource as _, ResourceExt as _, core::DeserializeGuard, runtime::reflector::ObjectRef};
use tracing::Instrument as _;

use super::{claims::Surroundings, departed::Noticed, reconcile, report};
use crate::operator::{
    contained::{Panicked, contained},
    context::Context,
    error::PassError,
    kubernetes::call,
    repeats::Repeated,
    span,
    waits::{admission, turns::Admission},
};
use crate::{
    api::{FINALIZER, JsonWebKeySet, Reason},
    lifecycle::{self, Notice, Uid},
};

/// Does what is to be done for a resource that is gone. Answers the resource.
pub(in crate::operator) async fn attend(
    noticed: Noticed,
    shutdown: impl Future<Output = ()> + Clone + Unpin,
    cx: &Context,
) -> Arc<JsonWebKeySet> {
    match noticed {
        Noticed::Gone(resource) => {
            clean_up(resource.clone(), shutdown, cx).await;
            resource
        }
        Noticed::Vanished(resource) => {
            tell_left(&resource, cx).instrument(span::of_json_web_key_set(resource.as_ref())).await;
            resource
        }
    }
}

/// Says that a remote set was left because nobody saw how its resource was deleted.
async fn tell_left(resource: &JsonWebKeySet, cx: &Context) {
    if lifecycle::leaves_remote_alone(resource) {
        return;
    }
    let set =
        Surroundings::of(resource, cx).claimant(resource).map_or_else(|| lifecycle::set_id(resource, None), |claimant| claimant.set());
    let notice = Notice { reason: Reason::SetOrphaned, kids: Vec::new() };
    tracing::warn!(set = set.as_str(), "{}", notice.sentence(&set));
    report::publish_events(resource, &set, &[notice], cx).await;
}

/// Cleans up after a resource that is gone, again and again until it is done or the process ends: nothing else would ask for it.
async fn clean_up(resource: Arc<JsonWebKeySet>, shutdown: impl Future<Output = ()> + Clone + Unpin, cx: &Context) {
    let uid = Uid::of(resource.as_ref());
    let _alone = cx.locks.lock(&uid).await;
    let latest = cx.memory.latest(&uid).unwrap_or_else(|| resource.clone());
    let mut trouble = Repeated::default();
    while cx.departed.is_open(&uid) {
        // One for each attempt: there may be attempts for days.
        let span = span::of_json_web_key_set(latest.as_ref());
        let result = contained("the cleanup of a deleted resource", try_clean_up(&latest, cx)).instrument(span.clone()).await;
        span.in_scope(|| match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                if let Some(times) = trouble.note(Instant::now()) {
                    tracing::warn!(%error, times, "the remote set of a deleted resource is not cleaned up yet");
                }
            }
            Err(Panicked) => {}
        });
        if cx.departed.is_open(&uid) {
            let pause = tokio::time::sleep(cx.memory.pause(&uid).max(Duration::from_secs(1)));
            if let Either::Right(_) = future::select(Box::pin(pause), shutdown.clone()).await {
                span.in_scope(|| {
                    tracing::warn!("the remote set of a deleted resource was not cleaned up before the process ended: it is left as it is");
                });
                return;
            }
        }
    }
    cx.departed.forget(&uid);
    // It is still there if it is only not watched any more, and may be watched again by now.
    let watched = cx
        .stores
        .sets
        .get(&ObjectRef::<DeserializeGuard<JsonWebKeySet>>::new(&resource.name_any()).within(&resource.namespace().unwrap_or_default()));
    if watched.is_none_or(|watched| Uid::of(watched.as_ref()) != uid) {
        cx.memory.forget(&uid);
    }
}

async fn try_clean_up(resource: &JsonWebKeySet, cx: &Context) -> Result<(), PassError> {
    let uid = Uid::of(resource);
    let api = Api::<JsonWebKeySet>::namespaced(cx.client.clone(), &resource.namespace().unwrap_or_default());
    let found = call("read the resource", api.get_metadata_opt(&resource.name_any())).await?;
    if found.is_some_and(|found| uid.is_in(&found.metadata)) {
        cx.departed.forget(&uid);
        return Ok(());
    }
    let mut deleted = resource.clone();
    deleted.meta_mut().deletion_timestamp.get_or_insert_with(|| Time(Timestamp::now()));
    if !deleted.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        deleted.finalizers_mut().push(FINALIZER.to_owned());
    }
    let turn = match admission::of(&deleted, cx) {
        Some(asking) => cx.passes.take(&asking).await,
        None => None,
    };
    let admitted = turn.map(|turn| Admission { turn, preparation: None });
    Box::pin(reconcile::reconcile_resource(Arc::new(deleted), admitted, cx)).await.map(drop)
}
