//! Resources that are gone although they were held.
//!
//! The API server removes a resource that nobody held when the deletion was looked at, also when a finalizer was written in that very moment.
//! What was made for it would stay for ever: so it is cleaned up after as if it were being deleted.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    channel::mpsc,
    future::{self, Either},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Api, Resource as _, ResourceExt as _, core::DeserializeGuard, runtime::watcher};
use tracing::Instrument as _;

use super::{admission, context::Context, error::PassError, kubernetes::call, reconcile, span};
use crate::api::{FINALIZER, JsonWebKeySet};

/// The resources that are gone although they were held, by UID.
pub(super) struct Departed {
    resources: Mutex<HashMap<String, Departure>>,
    noticed: mpsc::UnboundedSender<Arc<JsonWebKeySet>>,
}

/// What became of a resource that is gone. It is kept until the process ends: a pass that began with it must not act on it any more.
enum Departure {
    /// Its remote set is to be cleaned up.
    Open(Arc<JsonWebKeySet>),
    /// Its remote set is cleaned up, or left as it is.
    Over,
}

impl Departed {
    /// None so far. Each that is noticed is sent to `noticed`.
    pub(super) fn new(noticed: mpsc::UnboundedSender<Arc<JsonWebKeySet>>) -> Self {
        Self { resources: Mutex::default(), noticed }
    }

    /// Notices a resource of this operator whose last state was held, and not being deleted. The last state of one that was deleted in order,
    /// by this operator or by somebody who took its finalizer away, still has the finalizer: that one was let go.
    pub(super) fn note(&self, event: &watcher::Event<DeserializeGuard<JsonWebKeySet>>, cx: &Context) {
        if let watcher::Event::Delete(DeserializeGuard(Ok(resource))) = event
            && resource.meta().deletion_timestamp.is_none()
            && resource.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
            && cx.is_ours(resource.labels())
        {
            let resource = Arc::new(resource.clone());
            self.lock().insert(resource.uid().unwrap_or_default(), Departure::Open(resource.clone()));
            let _ = self.noticed.unbounded_send(resource);
        }
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

    /// It is not gone: it is only not watched any more.
    fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Departure>> {
        // A panic while the lock was held leaves nothing half done that matters.
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cleans up after a resource that is gone, again and again until it is done or the process ends: nothing else would ask for it.
pub(super) async fn clean_up(resource: Arc<JsonWebKeySet>, shutdown: impl Future<Output = ()> + Clone + Unpin, cx: &Context) {
    let uid = resource.uid().unwrap_or_default();
    let _turn = cx.memory.turn(&uid).await;
    let latest = cx.memory.latest(&uid).unwrap_or(resource);
    while cx.departed.is_open(&uid) {
        // One for each attempt: there may be attempts for days.
        let span = span::of_json_web_key_set(latest.as_ref());
        let result = AssertUnwindSafe(try_clean_up(&latest, cx)).catch_unwind().instrument(span.clone()).await;
        span.in_scope(|| match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a resource that is gone is not cleaned up after yet"),
            Err(_) => tracing::error!("a cleanup panicked: this is a defect of the operator, please report it"),
        });
        if cx.departed.is_open(&uid) {
            let pause = tokio::time::sleep(cx.memory.pause(&uid).max(Duration::from_secs(1)));
            if let Either::Right(_) = future::select(Box::pin(pause), shutdown.clone()).await {
                span.in_scope(|| {
                    tracing::warn!("a resource that is gone was not cleaned up after: its remote set is left as it is");
                });
                return;
            }
        }
    }
    if cx.departed.holds(&uid) {
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
    Box::pin(reconcile::reconcile_resource(Arc::new(deleted), turn, cx)).await.map(drop)
}
