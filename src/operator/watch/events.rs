//! The streams of what is watched. Each event is stored and noted before anybody acts on it.

use std::sync::Arc;

use futures::{Stream, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Api, ResourceExt as _,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _, predicates,
        reflector::{ObjectRef, store::Writer},
        utils::Predicate as _,
        watcher::{self, Event, watcher},
    },
};

use super::{filter, merged, metadata, stores::Watched, triggers};
use crate::operator::{admin_api, context::Context, key_set::unparsable};
use crate::{
    api::{ADMIN_API_LABEL, AdminApi, FIELD_MANAGER, IMPORT_LABEL, MANAGED_BY_LABEL, TargetKind},
    lifecycle::{Uid, spec::claim},
};

/// The objects with the operator's own label.
fn own_objects() -> watcher::Config {
    watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={FIELD_MANAGER}"))
}

/// The JsonWebKeySets that have to be looked at.
pub(super) fn sets(
    namespaces: &[String],
    writer: Writer<Watched>,
    cx: &Arc<Context>,
) -> impl Stream<Item = watcher::Result<Watched>> + use<> {
    let (departing, indexing, noting, waiting) = (cx.clone(), cx.clone(), cx.clone(), cx.clone());
    let seen = merged::seen(&cx.client, namespaces, &watcher::Config::default(), metadata::keep_own, cx.stores.sets.clone());
    // Before it leaves the store, so that nobody else gets its set in between.
    let seen = seen.inspect_ok(move |seen| {
        departing.departed.note(seen, |labels| departing.is_ours(labels));
        unparsable::keep_last(seen, &departing);
    });
    let indexed = seen.map_ok(Event::from).inspect_ok(move |event| indexing.set_index.note(event, &indexing.stores.sets));
    let noted = indexed.reflect(writer).inspect_ok(move |event| note_set(event, &noting));
    // An annotation asks for a rotation, a label may choose another operator; neither counts as a generation.
    let matters = predicates::generation.combine(predicates::annotations).combine(predicates::labels);
    filter::changed(noted, matters).inspect_ok(move |resource| {
        // What is gone gets no reconcile.
        if waiting.stores.sets.get(&ObjectRef::from_obj(resource)).is_some_and(|found| found.uid() == resource.uid()) {
            let uid = Uid::of(resource);
            waiting.memory.note_waiting(&uid);
            waiting.changes.note(&uid);
        }
    })
}

/// The AdminApis that have to be looked at.
pub(super) fn admin_apis(
    writer: Writer<DeserializeGuard<AdminApi>>,
    cx: &Arc<Context>,
) -> impl Stream<Item = watcher::Result<DeserializeGuard<AdminApi>>> + use<> {
    let noting = cx.clone();
    let stored = merged::cluster_objects(Api::all(cx.client.clone()), metadata::keep_own, cx.stores.admin_apis.clone()).reflect(writer);
    filter::changed(stored.inspect_ok(move |event| note_admin_api(event, &noting)), predicates::generation)
}

/// The ConfigMaps of the operator that somebody else changed.
pub(super) fn config_maps(
    namespaces: &[String],
    writer: Writer<PartialObjectMeta<ConfigMap>>,
    cx: &Arc<Context>,
) -> impl Stream<Item = watcher::Result<PartialObjectMeta<ConfigMap>>> + use<> {
    let indexing = cx.clone();
    let seen = merged::objects(&cx.client, namespaces, &own_objects(), metadata::keep_identity, cx.stores.config_maps.clone());
    let indexed = seen.inspect_ok(move |event| indexing.config_map_index.note(event, &indexing.stores.config_maps));
    triggers::edited(indexed.reflect(writer), TargetKind::ConfigMap, cx.clone())
}

/// The Secrets of the operator that somebody else changed.
pub(super) fn secrets(
    namespaces: &[String],
    writer: Writer<PartialObjectMeta<Secret>>,
    cx: &Arc<Context>,
) -> impl Stream<Item = watcher::Result<PartialObjectMeta<Secret>>> + use<> {
    let indexing = cx.clone();
    let seen = merged::objects(&cx.client, namespaces, &own_objects(), metadata::keep_identity, cx.stores.secrets.clone());
    let indexed = seen.inspect_ok(move |event| indexing.secret_index.note(event, &indexing.stores.secrets));
    triggers::edited(indexed.reflect(writer), TargetKind::Secret, cx.clone())
}

/// The Secrets that may be imported from, each time that one changes.
pub(super) fn imports(
    namespaces: &[String],
    writer: Writer<PartialObjectMeta<Secret>>,
    cx: &Context,
) -> impl Stream<Item = watcher::Result<PartialObjectMeta<Secret>>> + use<> {
    let labelled = watcher::Config::default().labels(&format!("{IMPORT_LABEL}=true"));
    let seen = merged::objects(&cx.client, namespaces, &labelled, metadata::keep_identity, cx.stores.imports.clone());
    seen.reflect(writer).touched_objects()
}

/// The namespaces whose labels changed.
pub(super) fn namespaces(
    namespaces: &[String],
    writer: Writer<PartialObjectMeta<Namespace>>,
    cx: &Context,
) -> impl Stream<Item = watcher::Result<PartialObjectMeta<Namespace>>> + use<> {
    filter::changed(merged::namespaces(&cx.client, namespaces, cx.stores.namespaces.clone()).reflect(writer), predicates::labels)
}

/// The Secrets in the operator's own namespace that AdminApis may name, each time that one changes.
pub(super) fn credentials(cx: &Context) -> impl Stream<Item = watcher::Result<PartialObjectMeta<Secret>>> + use<> {
    let api = Api::namespaced(cx.client.clone(), cx.client.default_namespace());
    watcher(api, watcher::Config::default().labels(ADMIN_API_LABEL)).default_backoff().touched_objects()
}

/// The ConfigMaps there, likewise: they may hold the certificates of authorities.
pub(super) fn authorities(cx: &Context) -> impl Stream<Item = watcher::Result<PartialObjectMeta<ConfigMap>>> + use<> {
    let api = Api::namespaced(cx.client.clone(), cx.client.default_namespace());
    watcher(api, watcher::Config::default().labels(ADMIN_API_LABEL)).default_backoff().touched_objects()
}

/// Notes what an event says of a resource, once the store has it: from its first event to its last something is remembered of it.
fn note_set(event: &Event<Watched>, cx: &Context) {
    let (resource, is_gone) = match event {
        Event::Apply(resource) => (resource, false),
        Event::Delete(resource) => (resource, true),
        Event::InitDone => return cx.stores.sets.state().iter().for_each(|set| cx.memory.see(&Uid::of(set.as_ref()))),
        Event::Init | Event::InitApply(_) => return,
    };
    let uid = Uid::of(resource);
    if is_gone {
        // What has to be cleaned up after is forgotten after that.
        if !cx.departed.holds(&uid) {
            cx.memory.forget(&uid);
        }
        cx.waiting.forget(&uid);
        cx.changes.note(&uid);
        // Another resource may have waited for its set.
        let _ = cx.signals.freed.unbounded_send(resource.clone());
    } else {
        cx.memory.see(&uid);
    }
    let Ok(resource) = &resource.0 else { return };
    if !is_gone {
        cx.memory.is_shown(&uid, resource.metadata.resource_version.as_deref());
    }
    let admin_api = claim::admin_api_name(resource);
    if admin_api::reconcile::is_affected(admin_api, is_gone, cx) {
        let _ = cx.signals.used.unbounded_send(admin_api.to_owned());
    }
}

/// Notes what an event says of an AdminApi, once the store has it.
fn note_admin_api(event: &Event<DeserializeGuard<AdminApi>>, cx: &Context) {
    match event {
        Event::Apply(admin_api) => cx.connections.see(&admin_api.name_any()),
        Event::InitDone => {
            cx.stores.admin_apis.state().iter().for_each(|admin_api| cx.connections.see(&admin_api.name_any()));
        }
        Event::Delete(admin_api) => cx.connections.remove(&admin_api.name_any()),
        Event::Init | Event::InitApply(_) => {}
    }
}
