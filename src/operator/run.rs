//! Watches, queues, and an orderly end.

use std::{future::Future, panic::resume_unwind, sync::Arc, time::Instant};

use futures::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    channel::{mpsc, oneshot},
    future::{self, Either, Shared},
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Api, Client, ResourceExt as _,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        Controller, WatchStreamExt as _,
        controller::{Config as ControllerConfig, Error as ControllerError},
        predicates,
        reflector::{self, ObjectRef},
        utils::Predicate as _,
        watcher::{self, Event, watcher},
    },
};

use super::{
    admin_api,
    admission::Watched,
    changes::Changes,
    connections::Connections,
    context::Context,
    departed::{self, Departed},
    filter,
    index::Index,
    inventory,
    lease::{Election, Leadership, LeaseSettings, LostLease, Predecessor},
    locks::Locks,
    memory::Memory,
    metadata,
    metrics::Metrics,
    reconcile,
    repeats::Repeated,
    shard::Shard,
    triggers,
    turns::Turns,
    unparsable,
    waiting::Waiting,
    watch,
    writes::Writes,
};
use crate::{
    api::{ADMIN_API_LABEL, AdminApi, CaRefKind, FIELD_MANAGER, IMPORT_LABEL, JsonWebKeySet, MANAGED_BY_LABEL, TargetKind},
    lifecycle::{claim, limits::late_answers},
    serve::Readiness,
};

/// As many reconciles at once as ask for it: what is scarce is waited for in `turns.rs`, where a wait holds nothing.
const UNLIMITED: u16 = 0;
/// How many resources that are gone are cleaned up after at once. Each holds a turn at its AdminApi only while it is worked on.
const CLEANUPS: usize = 256;

/// The settings of the operator.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The namespaces whose resources it works on; empty for all. What other namespaces hold is neither seen nor counted: not as the owner of
    /// a set, nor as a user of an AdminApi.
    pub watched_namespaces: Vec<String>,
    /// The resources that it works on, by their labels; `None` for all. The others are watched too, as owners of sets.
    pub shard: Option<Shard>,
    /// The Lease that one of several operators holds; `None` if there is only one.
    pub lease: Option<LeaseSettings>,
    /// Whether admin APIs are reached through the proxy that the environment names.
    pub uses_environment_proxy: bool,
}

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
    shutdown: impl Future<Output = ()> + Send + 'static,
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
async fn operate(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    leadership: Leadership,
    predecessor: Predecessor,
    readiness: Readiness,
    shutdown: Shared<impl Future<Output = ()> + Send + 'static>,
) -> Predecessor {
    let (changed, changes) = mpsc::unbounded();
    let (suspected, suspects) = mpsc::unbounded();
    let (freed, freed_sets) = mpsc::unbounded();
    let (noticed, departures) = mpsc::unbounded();
    let (admitted, admissions) = mpsc::unbounded();

    let (sets, set_writer) = reflector::store::<DeserializeGuard<JsonWebKeySet>>();
    let (admin_apis, admin_api_writer) = reflector::store::<DeserializeGuard<AdminApi>>();
    let (config_maps, config_map_writer) = reflector::store::<PartialObjectMeta<ConfigMap>>();
    let (imports, import_writer) = reflector::store::<PartialObjectMeta<Secret>>();
    let (secrets, secret_writer) = reflector::store::<PartialObjectMeta<Secret>>();
    let (namespaces, namespace_writer) = reflector::store::<PartialObjectMeta<Namespace>>();

    let cx = Arc::new(Context {
        sets: sets.clone(),
        admin_apis: admin_apis.clone(),
        set_index: Index::of_sets(),
        config_maps: config_maps.clone(),
        config_map_index: Index::of_targets(),
        secrets: secrets.clone(),
        secret_index: Index::of_targets(),
        imports,
        namespaces: namespaces.clone(),
        passes: Turns::default(),
        preparations: Turns::default(),
        generations: Turns::default(),
        waiting: Waiting::new(admitted),
        changes: Changes::default(),
        locks: Locks::default(),
        departed: Departed::new(noticed),
        connections: Connections::new(changed, suspected),
        memory: Memory::default(),
        writes: Writes::default(),
        started: Instant::now(),
        client: client.clone(),
        sees_all_namespaces: settings.watched_namespaces.is_empty(),
        uses_environment_proxy: settings.uses_environment_proxy,
        metrics: metrics.clone(),
        leadership,
        predecessor_was_done: predecessor == Predecessor::WasDone,
        shard: settings.shard,
        readiness: readiness.clone(),
    });

    metrics.leads(cx.clone());

    let own_objects = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={FIELD_MANAGER}"));
    let watched = settings.watched_namespaces.as_slice();
    // Before it leaves the store, so that nobody else gets its set in between.
    let departing = cx.clone();
    let seen_sets = watch::seen(&client, watched, &watcher::Config::default(), metadata::keep_own, sets.clone()).inspect_ok(move |seen| {
        departing.departed.note(seen, &departing);
        unparsable::keep_last(seen, &departing);
    });
    let noting = cx.clone();
    let set_events = seen_sets.map_ok(Event::from).inspect_ok(move |event| noting.set_index.note(event, &noting.sets)).reflect(set_writer);
    let admin_api_events =
        watch::cluster_objects(Api::all(client.clone()), metadata::keep_own, admin_apis.clone()).reflect(admin_api_writer);
    let config_map_events = watch::objects(&client, watched, &own_objects, metadata::keep_identity, config_maps.clone());
    let noting = cx.clone();
    let config_map_events =
        config_map_events.inspect_ok(move |event| noting.config_map_index.note(event, &noting.config_maps)).reflect(config_map_writer);
    let import_config = watcher::Config::default().labels(&format!("{IMPORT_LABEL}=true"));
    let import_events = watch::objects(&client, watched, &import_config, metadata::keep_identity, cx.imports.clone())
        .reflect(import_writer)
        .touched_objects();
    let secret_events = watch::objects(&client, watched, &own_objects, metadata::keep_identity, secrets.clone());
    let noting = cx.clone();
    let secret_events = secret_events.inspect_ok(move |event| noting.secret_index.note(event, &noting.secrets)).reflect(secret_writer);
    let namespace_events = watch::namespaces(&client, watched, namespaces.clone()).reflect(namespace_writer);
    let namespace_events = filter::changed(namespace_events, predicates::labels);

    let (noting, waiting) = (cx.clone(), cx.clone());
    let set_is_free = freed.clone();
    let (used, users_changed) = mpsc::unbounded();
    let set_events = set_events.inspect_ok(move |event| note_set(event, &noting, &freed, &used));
    // An annotation asks for a rotation, a label may choose another operator; neither counts as a generation.
    let matters = predicates::generation.combine(predicates::annotations).combine(predicates::labels);
    let set_triggers = filter::changed(set_events, matters).inspect_ok(move |resource| {
        // What is gone gets no reconcile.
        if waiting.sets.get(&ObjectRef::from_obj(resource)).is_some_and(|found| found.uid() == resource.uid()) {
            let uid = resource.uid().unwrap_or_default();
            waiting.memory.note_waiting(&uid);
            waiting.changes.note(&uid);
        }
    });
    let noting = cx.clone();
    let admin_api_events = admin_api_events.inspect_ok(move |event| note_admin_api(event, &noting));
    let admin_api_triggers = filter::changed(admin_api_events, predicates::generation);

    let set_controller = Controller::for_stream(set_triggers, sets.clone())
        .with_config(ControllerConfig::default().concurrency(UNLIMITED))
        .trigger_backoff(watch::NoPause)
        .owns_stream(triggers::edited(config_map_events, TargetKind::ConfigMap, cx.clone()))
        .owns_stream(triggers::edited(secret_events, TargetKind::Secret, cx.clone()))
        .watches_stream(import_events, triggers::importers(cx.clone()))
        .watches_stream(namespace_events, triggers::inhabitants(cx.clone()))
        .reconcile_on(triggers::users_of(changes, cx.clone()))
        .reconcile_on(triggers::rivals_of(freed_sets, cx.clone()))
        .reconcile_on(admissions)
        .graceful_shutdown_on(shutdown.clone())
        .run(reconcile::reconcile, |_, error, _| match *error {}, cx.clone())
        .for_each(tell());

    let labelled = watcher::Config::default().labels(ADMIN_API_LABEL);
    let namespace = client.default_namespace().to_owned();
    let token_events = watcher(Api::<PartialObjectMeta<Secret>>::namespaced(client.clone(), &namespace), labelled.clone())
        .default_backoff()
        .touched_objects();
    let ca_events =
        watcher(Api::<PartialObjectMeta<ConfigMap>>::namespaced(client.clone(), &namespace), labelled).default_backoff().touched_objects();
    let admin_api_controller = Controller::for_stream(admin_api_triggers, admin_apis.clone())
        .with_config(ControllerConfig::default().concurrency(UNLIMITED))
        .trigger_backoff(watch::NoPause)
        .watches_stream(token_events, triggers::readers(admin_apis.clone(), CaRefKind::Secret))
        .watches_stream(ca_events, triggers::readers(admin_apis.clone(), CaRefKind::ConfigMap))
        .reconcile_on(users_changed.map(|name| ObjectRef::<DeserializeGuard<AdminApi>>::new(&name)))
        .reconcile_on(suspects.map(|name| ObjectRef::<DeserializeGuard<AdminApi>>::new(&name)))
        .graceful_shutdown_on(shutdown.clone())
        .run(admin_api::reconcile, |_, error, _| match *error {}, cx.clone())
        .for_each(tell());

    let (abandoned, ending) = (cx.clone(), shutdown.clone());
    let cleanups = departures.take_until(shutdown.clone()).for_each_concurrent(CLEANUPS, async |noticed| {
        let resource = departed::attend(noticed, ending.clone(), &abandoned).await;
        let _ = set_is_free.unbounded_send(DeserializeGuard(Ok(resource.as_ref().clone())));
    });
    let became_ready = async {
        let ready = future::join5(
            sets.wait_until_ready(),
            admin_apis.wait_until_ready(),
            config_maps.wait_until_ready(),
            secrets.wait_until_ready(),
            namespaces.wait_until_ready(),
        )
        .await;
        if ready.0.is_ok() && ready.1.is_ok() && ready.2.is_ok() && ready.3.is_ok() && ready.4.is_ok() {
            read_targets(watched, &cx).await;
            readiness.set();
            tracing::info!("ready: everything is listed and watched");
        }
        future::pending::<()>().await;
    };
    let closing = async {
        shutdown.clone().await;
        cx.passes.close();
        cx.preparations.close();
        cx.generations.close();
    };
    let work = future::join4(set_controller, admin_api_controller, cleanups, closing);
    future::select(Box::pin(work), Box::pin(became_ready)).await;
    metrics.ends();
    tracing::info!("the passes in progress have ended");
    // What was not answered may still land, and so may what the one before left, if that is not long enough ago.
    let is_settled = cx.predecessor_was_done || cx.started.elapsed() > late_answers(cx.connections.longest_timeout());
    if is_settled && !cx.writes.are_any_in_flight() { Predecessor::WasDone } else { Predecessor::MayHaveLeftWrites }
}

/// Reads what the targets hold that are there already. What cannot be listed is read by the passes, one by one.
async fn read_targets(namespaces: &[String], cx: &Context) {
    let config_maps = inventory::read::<ConfigMap>(TargetKind::ConfigMap, namespaces, cx).await;
    let secrets = inventory::read::<Secret>(TargetKind::Secret, namespaces, cx).await;
    for error in [config_maps, secrets].into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "the targets cannot be listed: each set reads its own");
    }
}

/// Notes what an event says of a resource, once the store has it: from its first event to its last something is remembered of it.
fn note_set(event: &Event<Watched>, cx: &Context, freed: &mpsc::UnboundedSender<Watched>, used: &mpsc::UnboundedSender<String>) {
    let (resource, is_gone) = match event {
        Event::Apply(resource) => (resource, false),
        Event::Delete(resource) => (resource, true),
        Event::InitDone => return cx.sets.state().iter().for_each(|set| cx.memory.see(&set.uid().unwrap_or_default())),
        Event::Init | Event::InitApply(_) => return,
    };
    let uid = resource.uid().unwrap_or_default();
    if is_gone {
        // What has to be cleaned up after is forgotten after that.
        if !cx.departed.holds(&uid) {
            cx.memory.forget(&uid);
        }
        cx.waiting.forget(&uid);
        cx.changes.note(&uid);
        // Another resource may have waited for its set.
        let _ = freed.unbounded_send(resource.clone());
    } else {
        cx.memory.see(&uid);
    }
    let Ok(resource) = &resource.0 else { return };
    if !is_gone {
        cx.memory.is_shown(&uid, resource.metadata.resource_version.as_deref());
    }
    let admin_api = claim::admin_api_name(resource);
    if admin_api::is_affected(admin_api, is_gone, cx) {
        let _ = used.unbounded_send(admin_api.to_owned());
    }
}

/// Notes what an event says of an AdminApi, once the store has it.
fn note_admin_api(event: &Event<DeserializeGuard<AdminApi>>, cx: &Context) {
    match event {
        Event::Apply(admin_api) => cx.connections.see(&admin_api.name_any()),
        Event::InitDone => cx.admin_apis.state().iter().for_each(|admin_api| cx.connections.see(&admin_api.name_any())),
        Event::Delete(admin_api) => cx.connections.remove(&admin_api.name_any()),
        Event::Init | Event::InitApply(_) => {}
    }
}

/// Logs what stops a watch or a queue; both continue by themselves. An object that is gone by the time it is worked on is no trouble.
fn tell<T, E: std::error::Error>() -> impl FnMut(Result<T, ControllerError<E, watcher::Error>>) -> future::Ready<()> {
    let mut trouble = Repeated::default();
    move |result| {
        match result {
            Ok(_) | Err(ControllerError::ObjectNotFound(_)) => {}
            Err(error) => {
                if let Some(times) = trouble.note(Instant::now()) {
                    tracing::warn!(%error, times, "a watch or queue failed and is retried");
                }
            }
        }
        future::ready(())
    }
}
