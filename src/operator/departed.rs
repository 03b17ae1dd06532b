//! Resources that are gone although they were held.
//!
//! The API server removes a resource that nobody held when the deletion was looked at, also when a finalizer was written in that very moment.
//! What was made for it would stay for ever: so it is cleaned up after as if it were being deleted.
//!
//! That is known only if the watch saw the deletion. A resource that is missing after the watch was interrupted may have lost its finalizer to
//! somebody who wants the remote set to stay. So the set stays, and an event says so.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{
    FutureExt as _,
    channel::mpsc,
    future::{self, Either},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Api, Resource as _, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{reflector::ObjectRef, watcher},
};
use tracing::Instrument as _;

use super::{
    admission::{self, Admission},
    claims::Surroundings,
    context::Context,
    error::PassError,
    kubernetes::call,
    reconcile,
    repeats::Repeated,
    report, span, watch,
};
use crate::{
    api::{FINALIZER, JsonWebKeySet, Reason},
    lifecycle::{self, Notice},
};

/// The resources that are gone although they were held, by UID.
pub(super) struct Departed {
    resources: Mutex<HashMap<String, Departure>>,
    noticed: mpsc::UnboundedSender<Noticed>,
}

/// A resource that is gone although it was held when it was last seen.
pub(super) enum Noticed {
    /// Nobody let it go.
    Gone(Arc<JsonWebKeySet>),
    /// It is not known whether somebody did.
    Vanished(Arc<JsonWebKeySet>),
}

/// What became of a resource that is gone. It is kept until the cleanup ends, which begins when the pass that was under way is over. No pass
/// begins after that, since the resource is not in the store.
enum Departure {
    /// Its remote set is to be cleaned up.
    Open(Arc<JsonWebKeySet>),
    /// Its remote set is cleaned up, or left as it is.
    Over,
}

impl Departed {
    /// None so far. Each that is noticed is sent to `noticed`.
    pub(super) fn new(noticed: mpsc::UnboundedSender<Noticed>) -> Self {
        Self { resources: Mutex::default(), noticed }
    }

    /// Notices a resource of this operator whose last state was held, and not being deleted. The last state of one that was deleted in order,
    /// by this operator or by somebody who took its finalizer away, still has the finalizer: that one was released.
    pub(super) fn note(&self, seen: &watch::Seen<DeserializeGuard<JsonWebKeySet>>, cx: &Context) {
        let (resource, is_certain) = match seen {
            watch::Seen::Event(watcher::Event::Delete(resource)) => (resource, true),
            watch::Seen::Vanished(resource) => (resource, false),
            watch::Seen::Event(_) => return,
        };
        if let Ok(resource) = &resource.0
            && was_held(resource)
            && cx.is_ours(resource.labels())
        {
            self.take(resource.clone(), is_certain);
        }
    }

    fn take(&self, resource: JsonWebKeySet, is_certain: bool) {
        let uid = resource.uid().unwrap_or_default();
        let resource = Arc::new(resource);
        // The receiver is gone only while the process shuts down.
        let _ = self.noticed.unbounded_send(if is_certain {
            self.lock().insert(uid, Departure::Open(resource.clone()));
            Noticed::Gone(resource)
        } else {
            Noticed::Vanished(resource)
        });
    }

    /// Whether a resource is known to be gone.
    pub(super) fn holds(&self, uid: &str) -> bool {
        self.lock().contains_key(uid)
    }

    /// Those whose sets are not cleaned up yet: until then nobody else owns them.
    pub(super) fn open(&self) -> Vec<Arc<JsonWebKeySet>> {
        let resources = self.lock();
        let open = resources.values().filter_map(|departure| match departure {
            Departure::Open(resource) => Some(resource.clone()),
            Departure::Over => None,
        });
        open.collect()
    }

    /// Nothing is left to do for this one. Answers whether it was a departed one.
    pub(super) fn let_go(&self, uid: &str) -> bool {
        self.lock().get_mut(uid).map(|departure| *departure = Departure::Over).is_some()
    }

    fn is_open(&self, uid: &str) -> bool {
        matches!(self.lock().get(uid), Some(Departure::Open(_)))
    }

    /// The cleanup is over, or it is not gone: it is only not watched any more.
    fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Departure>> {
        // A panic while the lock was held leaves nothing half done that matters.
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the last state that was seen of a resource was held, and not being deleted.
fn was_held(resource: &JsonWebKeySet) -> bool {
    resource.meta().deletion_timestamp.is_none() && resource.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Does what is to be done for a resource that is gone. Answers the resource.
pub(super) async fn attend(noticed: Noticed, shutdown: impl Future<Output = ()> + Clone + Unpin, cx: &Context) -> Arc<JsonWebKeySet> {
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
    tracing::warn!(set, "{}", notice.sentence(&set));
    report::publish_events(resource, &set, &[notice], cx).await;
}

/// Cleans up after a resource that is gone, again and again until it is done or the process ends: nothing else would ask for it.
async fn clean_up(resource: Arc<JsonWebKeySet>, shutdown: impl Future<Output = ()> + Clone + Unpin, cx: &Context) {
    let uid = resource.uid().unwrap_or_default();
    let _alone = cx.locks.lock(&uid).await;
    let latest = cx.memory.latest(&uid).unwrap_or_else(|| resource.clone());
    let mut trouble = Repeated::default();
    while cx.departed.is_open(&uid) {
        // One for each attempt: there may be attempts for days.
        let span = span::of_json_web_key_set(latest.as_ref());
        let result = AssertUnwindSafe(try_clean_up(&latest, cx)).catch_unwind().instrument(span.clone()).await;
        span.in_scope(|| match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                if let Some(times) = trouble.note(Instant::now()) {
                    tracing::warn!(%error, times, "the remote set of a deleted resource is not cleaned up yet");
                }
            }
            Err(_) => tracing::error!("the cleanup of a deleted resource panicked: this is a defect of the operator, please report it"),
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
    if watched.is_none_or(|watched| watched.uid().as_deref() != Some(&uid)) {
        cx.memory.forget(&uid);
    }
}

async fn try_clean_up(resource: &JsonWebKeySet, cx: &Context) -> Result<(), PassError> {
    let uid = resource.uid().unwrap_or_default();
    let api = Api::<JsonWebKeySet>::namespaced(cx.client.clone(), &resource.namespace().unwrap_or_default());
    let found = call("read the resource", api.get_metadata_opt(&resource.name_any())).await?;
    if found.is_some_and(|found| found.uid().as_deref() == Some(&uid)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(uid: &str) -> JsonWebKeySet {
        let mut resource = JsonWebKeySet::new("payments", Default::default());
        resource.metadata.uid = Some(uid.to_owned());
        resource.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        resource
    }

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let (noticed, mut told) = mpsc::unbounded();
        let departed = Departed::new(noticed);
        departed.take(resource("gone"), true);
        assert!(departed.holds("gone") && departed.open().len() == 1);
        assert!(departed.let_go("gone") && departed.holds("gone"), "the pass of the cleanup still ends");
        departed.forget("gone");
        assert!(!departed.let_go("gone") && departed.lock().is_empty());
        assert!(matches!(told.try_recv(), Ok(Noticed::Gone(_))));
    }

    #[test]
    fn the_set_of_what_vanished_in_a_gap_of_the_watch_stays() {
        let (noticed, mut told) = mpsc::unbounded();
        let departed = Departed::new(noticed);
        departed.take(resource("vanished"), false);
        assert!(departed.lock().is_empty() && departed.open().is_empty(), "nothing is cleaned up, and nothing is kept");
        assert!(matches!(told.try_recv(), Ok(Noticed::Vanished(_))));
    }
}
