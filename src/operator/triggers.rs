//! Which resources are looked at when something else changes.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, TryStreamExt as _, channel::mpsc, future, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Resource, ResourceExt as _,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        reflector::{ObjectRef, Store},
        watcher,
    },
};

use super::{claims, context::Context, credentials, sources, targets};
use crate::{
    api::{AdminApi, CaRefKind, JsonWebKeySet},
    lifecycle::claim,
};

/// Events of targets that tell something new: not the echo of our own writes.
pub(super) fn unknown<K>(
    events: impl Stream<Item = watcher::Result<watcher::Event<PartialObjectMeta<K>>>>,
    cx: Arc<Context>,
) -> impl Stream<Item = watcher::Result<PartialObjectMeta<K>>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    let is_new = move |event: &watcher::Event<PartialObjectMeta<K>>| match event {
        watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
            let metadata = &object.metadata;
            let owner = targets::controller_uid(metadata).unwrap_or_default();
            !cx.memory.knows_target(
                owner,
                metadata.uid.as_deref().unwrap_or_default(),
                metadata.resource_version.as_deref().unwrap_or_default(),
            )
        }
        watcher::Event::Delete(_) | watcher::Event::Init | watcher::Event::InitDone => true,
    };
    events.try_filter(move |event| future::ready(is_new(event))).touched_objects()
}

/// The sets that use an AdminApi, each time its connection changes.
pub(super) fn users_of(
    changes: mpsc::UnboundedReceiver<String>,
    sets: Store<DeserializeGuard<JsonWebKeySet>>,
) -> impl Stream<Item = ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    changes.flat_map(move |name| {
        let users = sets.state_filter(|set| set.0.as_ref().is_ok_and(|set| claim::admin_api_name(set) == name));
        stream::iter(users.into_iter().map(|set| ObjectRef::from_obj(set.as_ref())).collect::<Vec<_>>())
    })
}

/// The resources that name the same set as one that is gone.
pub(super) fn rivals_of(
    freed: mpsc::UnboundedReceiver<DeserializeGuard<JsonWebKeySet>>,
    cx: Arc<Context>,
) -> impl Stream<Item = ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    freed.flat_map(move |gone| stream::iter(gone.0.map_or_else(|_| Vec::new(), |gone| claims::rivals(&gone, &cx))))
}

/// The sets of a namespace, whose labels may decide what they may reach.
pub(super) fn inhabitants(
    sets: Store<DeserializeGuard<JsonWebKeySet>>,
) -> impl Fn(PartialObjectMeta<Namespace>) -> Vec<ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    move |namespace| {
        let inhabitants = sets.state_filter(|set| set.namespace() == namespace.metadata.name);
        inhabitants.into_iter().map(|set| ObjectRef::from_obj(set.as_ref())).collect()
    }
}

/// The sets that import a key from a Secret.
pub(super) fn importers(
    sets: Store<DeserializeGuard<JsonWebKeySet>>,
) -> impl Fn(PartialObjectMeta<Secret>) -> Vec<ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    move |secret| {
        let name = secret.metadata.name.clone().unwrap_or_default();
        let importers = sets
            .state_filter(|set| set.namespace() == secret.metadata.namespace && set.0.as_ref().is_ok_and(|set| sources::reads(set, &name)));
        importers.into_iter().map(|set| ObjectRef::from_obj(set.as_ref())).collect()
    }
}

/// The AdminApis that read a Secret or ConfigMap.
pub(super) fn readers<K>(
    admin_apis: Store<DeserializeGuard<AdminApi>>,
    kind: CaRefKind,
) -> impl Fn(PartialObjectMeta<K>) -> Vec<ObjectRef<DeserializeGuard<AdminApi>>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    move |object| {
        let name = object.metadata.name.clone().unwrap_or_default();
        let readers =
            admin_apis.state_filter(|admin_api| admin_api.0.as_ref().is_ok_and(|admin_api| credentials::reads(admin_api, kind, &name)));
        readers.into_iter().map(|admin_api| ObjectRef::from_obj(admin_api.as_ref())).collect()
    }
}
