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

use super::{index::SetTerm, metadata};
use crate::operator::{admin_api::credentials, context::Context, key_set::claims};
use crate::{
    api::{AdminApi, CaRefKind, JsonWebKeySet, TargetKind},
    lifecycle::{TargetId, Uid, spec::claim},
};

/// Events of targets that tell something new: not the echo of our own writes. Each is noted as an edit of the target.
pub(super) fn edited<K>(
    events: impl Stream<Item = watcher::Result<watcher::Event<PartialObjectMeta<K>>>>,
    kind: TargetKind,
    cx: Arc<Context>,
) -> impl Stream<Item = watcher::Result<PartialObjectMeta<K>>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    let noting = cx.clone();
    let is_new = move |event: &watcher::Event<PartialObjectMeta<K>>| match event {
        watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
            let metadata = &object.metadata;
            let version = metadata.resource_version.as_deref().unwrap_or_default();
            let is_known = |owner| cx.memory.knows_target(&owner, &Uid::in_metadata(metadata), version);
            !metadata::controller_uid(metadata).is_some_and(is_known)
        }
        watcher::Event::Delete(_) | watcher::Event::Init | watcher::Event::InitDone => true,
    };
    events.try_filter(move |event| future::ready(is_new(event))).touched_objects().inspect_ok(move |object| {
        let Some(owner) = metadata::controller_uid(&object.metadata) else { return };
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        // The owner may be gone: then its targets go too.
        noting.memory.edits(&owner, |edits| edits.note(TargetId { kind, namespace, name }));
    })
}

/// A pass is needed over these: what happened concerns more than their targets.
fn disturbed(sets: Vec<Arc<DeserializeGuard<JsonWebKeySet>>>, cx: &Context) -> Vec<ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    let woken = sets.into_iter().map(|set| {
        let uid = Uid::of(set.as_ref());
        cx.memory.disturb(&uid);
        cx.changes.note(&uid);
        ObjectRef::from_obj(set.as_ref())
    });
    woken.collect()
}

/// The sets that use an AdminApi, each time its connection changes.
pub(super) fn users_of(
    changes: mpsc::UnboundedReceiver<String>,
    cx: Arc<Context>,
) -> impl Stream<Item = ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    changes.flat_map(move |name| {
        let users = cx.stores.sets.state_filter(|set| set.0.as_ref().is_ok_and(|set| claim::admin_api_name(set) == name));
        stream::iter(disturbed(users, &cx))
    })
}

/// The resources that name the same set as one that is gone.
pub(super) fn rivals_of(
    freed: mpsc::UnboundedReceiver<DeserializeGuard<JsonWebKeySet>>,
    cx: Arc<Context>,
) -> impl Stream<Item = ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    freed.flat_map(move |gone| stream::iter(disturbed(gone.0.map_or_else(|_| Vec::new(), |gone| claims::rivals(&gone, &cx)), &cx)))
}

/// The sets of a namespace, whose labels may decide what they may reach.
pub(super) fn inhabitants(cx: Arc<Context>) -> impl Fn(PartialObjectMeta<Namespace>) -> Vec<ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    move |namespace| disturbed(cx.set_index.of_namespace(&SetTerm::InNamespace, &namespace.name_any(), &cx.stores.sets), &cx)
}

/// The sets that import a key from a Secret.
pub(super) fn importers(cx: Arc<Context>) -> impl Fn(PartialObjectMeta<Secret>) -> Vec<ObjectRef<DeserializeGuard<JsonWebKeySet>>> {
    move |secret| {
        let term = SetTerm::Imports(secret.name_any().into());
        disturbed(cx.set_index.of_namespace(&term, &secret.namespace().unwrap_or_default(), &cx.stores.sets), &cx)
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
