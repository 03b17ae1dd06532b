//! The queues of reconciles: what wakes a resource, and what works on it.

use std::{future::Future, sync::Arc, time::Instant};

use futures::{
    StreamExt as _,
    channel::mpsc::UnboundedReceiver,
    future::{self, Shared},
};
use kube::{
    core::DeserializeGuard,
    runtime::{
        Controller,
        controller::{Config, Error},
        reflector::ObjectRef,
        watcher,
    },
};

use super::{
    events, merged,
    stores::{Watched, Writers},
    triggers,
    wakes::Wakes,
};
use crate::api::{AdminApi, CaRefKind};
use crate::operator::{
    admin_api,
    context::Context,
    key_set::{cleanup, departed::Noticed, reconcile},
    repeats::Repeated,
};

/// As many reconciles at once as ask for it: what is scarce is waited for in `waiting.rs`, where a wait holds nothing.
const UNLIMITED: u16 = 0;
/// How many resources that are gone are cleaned up after at once. Each holds a turn at its AdminApi only while it is worked on.
const CLEANUPS: usize = 256;

/// Works on everything that is watched until `shutdown` resolves and what is under way has ended.
pub(in crate::operator) async fn work<S>(namespaces: &[String], writers: Writers, wakes: Wakes, cx: &Arc<Context>, shutdown: Shared<S>)
where
    S: Future<Output = ()> + Send + Sync + 'static,
{
    let config = || Config::default().concurrency(UNLIMITED);
    let sets = Controller::for_stream(events::sets(namespaces, writers.sets, cx), cx.stores.sets.clone())
        .with_config(config())
        .trigger_backoff(merged::NoPause)
        .owns_stream(events::config_maps(namespaces, writers.config_maps, cx))
        .owns_stream(events::secrets(namespaces, writers.secrets, cx))
        .watches_stream(events::imports(namespaces, writers.imports, cx), triggers::importers(cx.clone()))
        .watches_stream(events::namespaces(namespaces, writers.namespaces, cx), triggers::inhabitants(cx.clone()))
        .reconcile_on(triggers::users_of(wakes.connected, cx.clone()))
        .reconcile_on(triggers::rivals_of(wakes.freed, cx.clone()))
        .reconcile_on(wakes.admitted)
        .graceful_shutdown_on(shutdown.clone())
        .run(reconcile::reconcile, |_, error, _| match *error {}, cx.clone())
        .for_each(log_failures());
    let admin_apis = Controller::for_stream(events::admin_apis(writers.admin_apis, cx), cx.stores.admin_apis.clone())
        .with_config(config())
        .trigger_backoff(merged::NoPause)
        .watches_stream(events::credentials(cx), triggers::readers(cx.stores.admin_apis.clone(), CaRefKind::Secret))
        .watches_stream(events::authorities(cx), triggers::readers(cx.stores.admin_apis.clone(), CaRefKind::ConfigMap))
        .reconcile_on(named(wakes.used))
        .reconcile_on(named(wakes.suspected))
        .graceful_shutdown_on(shutdown.clone())
        .run(admin_api::reconcile::reconcile, |_, error, _| match *error {}, cx.clone())
        .for_each(log_failures());
    future::join3(sets, admin_apis, clean_up(wakes.departed, cx, shutdown)).await;
}

/// The AdminApis of these names.
fn named(names: UnboundedReceiver<String>) -> impl futures::Stream<Item = ObjectRef<DeserializeGuard<AdminApi>>> {
    names.map(|name| ObjectRef::new(&name))
}

/// Cleans up after resources that are gone in spite of their finalizer.
async fn clean_up(
    departures: UnboundedReceiver<Noticed>,
    cx: &Context,
    shutdown: Shared<impl Future<Output = ()> + Send + Sync + 'static>,
) {
    let each = departures.take_until(shutdown.clone()).for_each_concurrent(CLEANUPS, async |noticed| {
        let resource = cleanup::attend(noticed, shutdown.clone(), cx).await;
        let freed: Watched = DeserializeGuard(Ok(resource.as_ref().clone()));
        let _ = cx.signals.freed.unbounded_send(freed);
    });
    each.await;
}

/// Logs what stops a watch or a queue; both continue by themselves. An object that is gone by the time it is worked on is no trouble.
fn log_failures<T, E: std::error::Error>() -> impl FnMut(Result<T, Error<E, watcher::Error>>) -> future::Ready<()> {
    let mut trouble = Repeated::default();
    move |result| {
        match result {
            Ok(_) | Err(Error::ObjectNotFound(_)) => {}
            Err(error) => {
                if let Some(times) = trouble.note(Instant::now()) {
                    tracing::warn!(%error, times, "a watch or queue failed and is retried");
                }
            }
        }
        future::ready(())
    }
}
