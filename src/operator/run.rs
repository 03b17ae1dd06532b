//! The life of the process: it competes for the Lease, works, and ends in order.

use std::{future::Future, panic::resume_unwind, sync::Arc};

use futures::{
    FutureExt as _,
    channel::oneshot,
    future::{self, Either, Shared},
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;

use super::{
    context::Context,
    lease::{Election, Leadership, LostLease, Predecessor},
    metrics::Metrics,
    publication::inventory,
    settings::Settings,
    watch::{controllers, stores, wakes},
};
use crate::{api::TargetKind, lifecycle::spec::settings::late_answers, serve::Readiness};

/// Runs the operator until `shutdown` resolves, and then until the passes in progress are over.
///
/// The client's default namespace is where AdminApis find their Secrets, and where the Lease is. `readiness` is set once every watch has listed
/// what there is, or once another process was seen to hold the Lease; a missing CustomResourceDefinition is waited for.
///
/// # Errors
/// If the Lease is lost. The process must end then: what it still has in its hands must not be carried out.
pub async fn run(
    client: Client,
    mut settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), LostLease> {
    let shutdown = shutdown.shared();
    let Some(lease) = settings.lease.take() else {
        operate(client, settings, metrics, Leadership::unlimited(), Predecessor::MayHaveLeftWrites, readiness, shutdown).await;
        return Ok(());
    };
    let mut election = Election::new(&client, lease);
    let leadership = election.leadership();
    let stand_by = readiness.clone();
    let predecessor = match future::select(Box::pin(election.acquire(move || stand_by.stands_by())), shutdown.clone()).await {
        Either::Left((predecessor, _)) => predecessor,
        Either::Right(_) => return Ok(()),
    };
    readiness.leads();
    let operated = operate(client, settings, metrics, leadership, predecessor, readiness, shutdown);
    let (ends, ended) = oneshot::channel();
    // A task of its own: thousands of reconciles that begin at once must not keep the Lease from being renewed.
    let held = tokio::spawn(election.hold(ended));
    match future::select(Box::pin(operated), held).await {
        Either::Left((predecessor, held)) => {
            let _ = ends.send(predecessor);
            held.await.unwrap_or_else(|failed| resume_unwind(failed.into_panic()))
        }
        Either::Right((lost, _)) => lost.unwrap_or_else(|failed| resume_unwind(failed.into_panic())),
    }
}

/// Works until `shutdown` resolves and the passes in progress are over. Answers whether everything that was sent was answered.
async fn operate<S>(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    leadership: Leadership,
    predecessor: Predecessor,
    readiness: Readiness,
    shutdown: Shared<S>,
) -> Predecessor
where
    S: Future<Output = ()> + Send + Sync + 'static,
{
    let (stores, writers) = stores::stores();
    let (senders, wakes) = wakes::channels();
    let namespaces = settings.watched_namespaces.clone();
    let cx = Arc::new(Context::new(client, settings, stores, senders, metrics, (leadership, predecessor), readiness));
    cx.metrics.leads(cx.clone());
    let work = future::join(controllers::work(&namespaces, writers, wakes, &cx, shutdown.clone()), close(&cx, shutdown));
    future::select(Box::pin(work), Box::pin(become_ready(&namespaces, &cx))).await;
    cx.metrics.ends();
    tracing::info!("the passes in progress have ended");
    // What was not answered may still land, and so may what the one before left, if that is not long enough ago.
    let is_settled = cx.predecessor_was_done || cx.started.elapsed() > late_answers(cx.connections.longest_timeout());
    if is_settled && !cx.writes.are_any_in_flight() { Predecessor::WasDone } else { Predecessor::MayHaveLeftWrites }
}

/// Says that the operator is ready, once everything is known that a decision needs.
async fn become_ready(namespaces: &[String], cx: &Context) {
    if cx.stores.wait_until_listed().await.is_ok() {
        read_targets(namespaces, cx).await;
        cx.readiness.set();
        tracing::info!("ready: everything is listed and watched");
    }
    future::pending::<()>().await;
}

/// Lets nobody wait for a turn once the process ends.
async fn close(cx: &Context, shutdown: impl Future<Output = ()>) {
    shutdown.await;
    cx.passes.close();
    cx.preparations.close();
    cx.generations.close();
}

/// Reads what the targets hold that are there already. What cannot be listed is read by the passes, one by one.
async fn read_targets(namespaces: &[String], cx: &Context) {
    let config_maps = inventory::read::<ConfigMap>(TargetKind::ConfigMap, namespaces, cx).await;
    let secrets = inventory::read::<Secret>(TargetKind::Secret, namespaces, cx).await;
    for error in [config_maps, secrets].into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "the targets cannot be listed: each set reads its own");
    }
}
