//! Reading and writing targets: ConfigMaps and Secrets, each only if this resource controls it.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    core::{ObjectMeta, PartialObjectMeta},
    runtime::reflector::{self, ObjectRef, Store},
};
use serde_json::{Value, json};

use super::{
    replacing,
    target_object::{TargetObject, held, metadata_of, read, written_by_us},
    withdrawal,
};
use crate::operator::{
    context::Context,
    error::PassError,
    repeats::Wrong,
    watch::{index::Controller, metadata},
};
use crate::{
    api::{FIELD_MANAGER, JsonWebKeySet, Reason, TargetKind},
    lifecycle::{Failure, HeldTarget, TargetContent, TargetFailure, TargetId, TargetState, TargetStep, Uid},
};

/// What is where the target should be.
pub(in crate::operator) async fn observe(resource: &JsonWebKeySet, id: &TargetId, cx: &Context) -> Result<TargetState, PassError> {
    let state = match id.kind {
        TargetKind::ConfigMap => observe_kind::<ConfigMap>(&cx.stores.config_maps, resource, id, cx).await,
        TargetKind::Secret => observe_kind::<Secret>(&cx.stores.secrets, resource, id, cx).await,
    };
    state.map_err(|source| PassError::ReadTarget { id: id.clone(), source: Box::new(source) })
}

/// Whether the watch shows the target as it is remembered: nobody else changed it since.
pub(in crate::operator) fn is_unchanged(id: &TargetId, remembered: &HeldTarget, cx: &Context) -> bool {
    let (name, namespace) = (id.name.as_str(), id.namespace.as_str());
    match id.kind {
        TargetKind::ConfigMap => {
            cx.stores.config_maps.get(&ObjectRef::new(name).within(namespace)).is_some_and(|seen| is_this(&seen.metadata, remembered))
        }
        TargetKind::Secret => {
            cx.stores.secrets.get(&ObjectRef::new(name).within(namespace)).is_some_and(|seen| is_this(&seen.metadata, remembered))
        }
    }
}

/// Whether this version of this object is the one that is held.
fn is_this(metadata: &ObjectMeta, held: &HeldTarget) -> bool {
    held.uid.is_in(metadata) && metadata.resource_version.as_deref() == Some(&held.resource_version)
}

/// The targets that exist: those that are remembered; at the first look those that are watched, since a process may have died between writing
/// a target and noting it.
pub(in crate::operator) fn owned(resource: &JsonWebKeySet, cx: &Context) -> Vec<TargetId> {
    let uid = Uid::of(resource);
    cx.memory.targets(&uid).unwrap_or_else(|| {
        let owner = Controller::of(&uid);
        let config_maps = watched(&cx.config_map_index.all(&owner, &cx.stores.config_maps), TargetKind::ConfigMap, &uid);
        config_maps.into_iter().chain(watched(&cx.secret_index.all(&owner, &cx.stores.secrets), TargetKind::Secret, &uid)).collect()
    })
}

fn watched<K: TargetObject>(found: &[Arc<PartialObjectMeta<K>>], kind: TargetKind, owner: &Uid) -> Vec<TargetId> {
    let owned = found.iter().filter(|object| metadata::is_controlled_by(&object.metadata, owner));
    owned.map(|object| TargetId { kind, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }).collect()
}

/// What is where the target should be, read in any case and not remembered.
pub(in crate::operator) async fn look(resource: &JsonWebKeySet, id: &TargetId, cx: &Context) -> Result<TargetState, PassError> {
    let owner = Uid::of(resource);
    match id.kind {
        TargetKind::ConfigMap => read::<ConfigMap>(id, &owner, cx).await,
        TargetKind::Secret => read::<Secret>(id, &owner, cx).await,
    }
}

/// Remembers a target as it was found.
pub(in crate::operator) fn remember(resource: &JsonWebKeySet, id: &TargetId, state: &TargetState, cx: &Context) {
    let held = match state {
        TargetState::Held(held) => Some(held.clone()),
        TargetState::Absent | TargetState::Foreign | TargetState::Failed { .. } => None,
    };
    cx.memory.remember_target(&Uid::of(resource), id, held);
}

/// Carries out one step and answers what is there now. A refusal is an answer too: it must not keep other targets from being written.
pub(in crate::operator) async fn apply(resource: &JsonWebKeySet, step: &TargetStep, cx: &Context) -> TargetState {
    let id = step.id();
    let state = settle(resource, id, carry_out(resource, step, cx).await, cx);
    match &state {
        TargetState::Failed { .. } => cx.metrics.failed_to_publish(Reason::TargetFailed),
        TargetState::Foreign => cx.metrics.failed_to_publish(Reason::TargetNotOwned),
        TargetState::Absent | TargetState::Held(_) => {}
    }
    state
}

async fn carry_out(resource: &JsonWebKeySet, step: &TargetStep, cx: &Context) -> Result<TargetState, PassError> {
    match step {
        TargetStep::Write { id, content, replaces } => try_write(resource, id, content, replaces.as_deref(), cx).await,
        TargetStep::Remove { id, uid } => match id.kind {
            TargetKind::ConfigMap => remove_kind::<ConfigMap>(id, uid, cx).await,
            TargetKind::Secret => remove_kind::<Secret>(id, uid, cx).await,
        },
        TargetStep::Withdraw { id, kids, held } => {
            let Some((before, content)) = withdrawal::without_keys(id, kids, held, cx).await? else { return look(resource, id, cx).await };
            try_write(resource, id, &content, Some(&before), cx).await
        }
    }
}

/// Writes the target and answers what is there now, which is not remembered.
pub(in crate::operator) async fn try_write(
    resource: &JsonWebKeySet,
    id: &TargetId,
    content: &TargetContent,
    replaces: Option<&HeldTarget>,
    cx: &Context,
) -> Result<TargetState, PassError> {
    match id.kind {
        TargetKind::ConfigMap => write_kind::<ConfigMap>(resource, id, content, replaces, cx).await,
        TargetKind::Secret => write_kind::<Secret>(resource, id, content, replaces, cx).await,
    }
}

fn settle(resource: &JsonWebKeySet, id: &TargetId, state: Result<TargetState, PassError>, cx: &Context) -> TargetState {
    let uid = Uid::of(resource);
    let state = match state {
        Ok(state) => state,
        Err(error) => {
            if let Some(times) = cx.memory.goes_wrong(&uid, Wrong::Target) {
                tracing::warn!(published_to = %id, %error, times, "a target cannot be written");
            }
            // What is remembered stays: it may be there still.
            let last = cx.memory.target(&uid, id).map(Box::new);
            let Failure { message, stalled, .. } = error.failure(true);
            return TargetState::Failed { why: TargetFailure { message, stalled }, last };
        }
    };
    remember(resource, id, &state, cx);
    state
}

/// Reads as little as possible: nothing when the watched version is the remembered one, metadata before content, and the content only of an
/// object that this resource controls. What the status lists and nobody sees is asked for: the watch goes by a label that somebody may have taken
/// away while no process ran.
async fn observe_kind<K: TargetObject>(
    store: &Store<PartialObjectMeta<K>>,
    resource: &JsonWebKeySet,
    id: &TargetId,
    cx: &Context,
) -> Result<TargetState, PassError>
where
    PartialObjectMeta<K>: reflector::Lookup<DynamicType = ()>,
{
    let owner = Uid::of(resource);
    let watched = store.get(&ObjectRef::new(&id.name).within(&id.namespace));
    let remembered = cx.memory.target(&owner, id);
    let state = match (watched, remembered) {
        (Some(watched), Some(held)) if is_this(&watched.metadata, &held) => return Ok(TargetState::Held(held)),
        (None, None) if !is_listed(resource, id) => return Ok(TargetState::Absent),
        (Some(watched), _) if !metadata::is_controlled_by(&watched.metadata, &owner) => TargetState::Foreign,
        _ => read::<K>(id, &owner, cx).await?,
    };
    remember(resource, id, &state, cx);
    Ok(state)
}

/// Whether the status lists a target as written.
fn is_listed(resource: &JsonWebKeySet, id: &TargetId) -> bool {
    resource.status.iter().flat_map(|status| &status.targets).any(|listed| TargetId::from(listed) == *id)
}

async fn write_kind<K: TargetObject>(
    resource: &JsonWebKeySet,
    id: &TargetId,
    content: &TargetContent,
    replaces: Option<&HeldTarget>,
    cx: &Context,
) -> Result<TargetState, PassError> {
    let api = Api::<K>::namespaced(cx.client.clone(), &id.namespace);
    let owner = Uid::of(resource);
    let Some(before) = replaces else {
        // A POST and never an apply: an apply without force would merge into an object of somebody else.
        let object = K::compose(metadata_of(resource, id, content), content);
        return match K::call("create a target", api.create(&written_by_us(), &object)).await {
            Ok(object) => Ok(TargetState::Held(held(object))),
            Err(error) if error.kubernetes_code() == Some(409) => read::<K>(id, &owner, cx).await,
            Err(error) => Err(error),
        };
    };
    if !before.can_become(content) {
        return replacing::replace(&api, resource, id, content, before, cx).await;
    }
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match K::call("update a target", api.patch(&id.name, &parameters, &Patch::Merge(replacement::<K>(before, content)))).await {
        Ok(object) => Ok(TargetState::Held(held(object))),
        // Changed, replaced or deleted since it was read: read it again and decide again.
        Err(error) if matches!(error.kubernetes_code(), Some(404 | 409)) => read::<K>(id, &owner, cx).await,
        Err(error) => Err(error),
    }
}

async fn remove_kind<K: TargetObject>(id: &TargetId, uid: &Uid, cx: &Context) -> Result<TargetState, PassError> {
    let api = Api::<K>::namespaced(cx.client.clone(), &id.namespace);
    let parameters = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.as_str().to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match K::call("remove a target", api.delete(&id.name, &parameters)).await {
        Ok(_) => Ok(TargetState::Absent),
        Err(error) if error.kubernetes_code() == Some(404) => Ok(TargetState::Absent),
        // Another object took its place, and it is not ours to delete.
        Err(error) if error.kubernetes_code() == Some(409) => Ok(TargetState::Foreign),
        Err(error) => Err(error),
    }
}

/// A merge patch that turns what was read into what is wanted. It carries UID and version, so that the server refuses it for any other object.
fn replacement<K: TargetObject>(before: &HeldTarget, wanted: &TargetContent) -> Value {
    let removed = |names: Vec<String>| names.into_iter().map(|name| (name, Value::Null));
    let as_values = |map: &BTreeMap<String, String>| {
        map.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect::<serde_json::Map<_, _>>()
    };
    let mut data = K::patch_data(&wanted.data);
    data.extend(removed(before.content.data.keys().filter(|key| !wanted.data.contains_key(*key)).cloned().collect()));
    let mut labels = as_values(&wanted.labels);
    labels.extend(removed(before.content.stale_labels(wanted).map(str::to_owned).collect()));
    let mut annotations = as_values(&wanted.annotations);
    annotations.extend(removed(before.content.stale_annotations(wanted).map(str::to_owned).collect()));
    json!({
        "metadata": { "uid": before.uid.as_str(), "resourceVersion": before.resource_version, "labels": labels, "annotations": annotations },
        "data": data,
        "binaryData": null,
    })
}
