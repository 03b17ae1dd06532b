//! The objects that can be targets: how each kind is made and read.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{Api, Resource, ResourceExt as _, api::PostParams, core::ObjectMeta};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use zeroize::Zeroize as _;

use crate::operator::{
    context::Context,
    error::PassError,
    kubernetes::{call, call_secret},
    watch::metadata,
};
use crate::{
    api::{FIELD_MANAGER, JsonWebKeySet},
    lifecycle::{Document, HeldTarget, TargetContent, TargetId, TargetState, Uid},
};

/// A kind that can be a target.
pub(in crate::operator) trait TargetObject:
    Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// One call for an object of this kind.
    async fn call<T: Send>(action: &'static str, asked: impl Future<Output = kube::Result<T>> + Send) -> Result<T, PassError> {
        call(action, asked).await
    }
    fn compose(metadata: ObjectMeta, content: &TargetContent) -> Self;
    fn content(&self) -> TargetContent;
    /// Whether its data cannot be changed.
    fn is_immutable(&self) -> bool;
    /// Overwrites what may be secret, before it is dropped.
    fn wipe(&mut self) {}
    /// The data as a merge patch writes it.
    fn patch_data(data: &BTreeMap<String, Document>) -> serde_json::Map<String, Value>;
}

impl TargetObject for ConfigMap {
    fn compose(metadata: ObjectMeta, content: &TargetContent) -> Self {
        let data = content.data.iter().map(|(key, document)| (key.clone(), document.text().to_owned())).collect();
        Self { metadata, data: Some(data), ..Self::default() }
    }

    fn content(&self) -> TargetContent {
        let mut data: BTreeMap<_, _> = self.data.iter().flatten().map(|(key, text)| (key.clone(), Document::read(text))).collect();
        // The operator writes no binary data: whatever is there counts as a difference.
        data.extend(self.binary_data.iter().flatten().map(|(key, _)| (key.clone(), Document::Public(String::new()))));
        TargetContent::read(data, None, self.labels(), self.annotations())
    }

    fn is_immutable(&self) -> bool {
        self.immutable == Some(true)
    }

    fn patch_data(data: &BTreeMap<String, Document>) -> serde_json::Map<String, Value> {
        data.iter().map(|(key, document)| (key.clone(), Value::String(document.text().to_owned()))).collect()
    }
}

impl TargetObject for Secret {
    async fn call<T: Send>(action: &'static str, asked: impl Future<Output = kube::Result<T>> + Send) -> Result<T, PassError> {
        call_secret(action, asked).await
    }

    fn compose(metadata: ObjectMeta, content: &TargetContent) -> Self {
        let data = content.data.iter().map(|(key, document)| (key.clone(), ByteString(document.text().as_bytes().to_vec()))).collect();
        Self { metadata, data: Some(data), type_: content.secret_type.clone(), ..Self::default() }
    }

    fn content(&self) -> TargetContent {
        let data = self.data.iter().flatten().map(|(key, bytes)| (key.clone(), Document::read_secret(&bytes.0))).collect();
        TargetContent::read(data, self.type_.clone(), self.labels(), self.annotations())
    }

    fn is_immutable(&self) -> bool {
        self.immutable == Some(true)
    }

    fn wipe(&mut self) {
        self.data.iter_mut().flat_map(BTreeMap::values_mut).for_each(|value| value.0.zeroize());
    }

    fn patch_data(data: &BTreeMap<String, Document>) -> serde_json::Map<String, Value> {
        let encoded = data.iter().map(|(key, document)| (key.clone(), json!(ByteString(document.text().as_bytes().to_vec()))));
        encoded.collect()
    }
}

/// The target as it is, read in any case: its metadata before its content, and the content only if `owner` controls it.
pub(super) async fn read<K: TargetObject>(id: &TargetId, owner: &Uid, cx: &Context) -> Result<TargetState, PassError> {
    let api = Api::<K>::namespaced(cx.client.clone(), &id.namespace);
    let Some(mut metadata) = K::call("read the metadata of a target", api.get_metadata_opt(&id.name)).await? else {
        return Ok(TargetState::Absent);
    };
    metadata::keep_identity(&mut metadata.metadata);
    if !metadata::is_controlled_by(&metadata.metadata, owner) {
        return Ok(TargetState::Foreign);
    }
    let object = K::call("read a target", api.get_opt(&id.name)).await?;
    Ok(match object {
        Some(object) if metadata::is_controlled_by(object.meta(), owner) => TargetState::Held(held(object)),
        Some(mut object) => {
            object.wipe();
            metadata::keep_identity(object.meta_mut());
            TargetState::Foreign
        }
        None => TargetState::Absent,
    })
}

/// The metadata of a new target.
pub(super) fn metadata_of(resource: &JsonWebKeySet, id: &TargetId, content: &TargetContent) -> ObjectMeta {
    ObjectMeta {
        name: Some(id.name.clone()),
        namespace: Some(id.namespace.clone()),
        labels: Some(content.labels.clone()),
        annotations: Some(content.annotations.clone()),
        owner_references: owner_reference(resource).map(|reference| vec![reference]),
        ..ObjectMeta::default()
    }
}

/// How a new target is posted.
pub(super) fn written_by_us() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// What an object holds. Nothing secret of it is left behind.
pub(super) fn held<K: TargetObject>(mut object: K) -> HeldTarget {
    let (content, is_immutable) = (object.content(), object.is_immutable());
    object.wipe();
    metadata::keep_identity(object.meta_mut());
    let resource_version = object.resource_version().unwrap_or_default();
    HeldTarget { uid: Uid::of(&object), resource_version, is_immutable, content }
}

/// The resource as the controller of what it owns, which waits for that to be gone.
fn owner_reference(resource: &JsonWebKeySet) -> Option<OwnerReference> {
    let reference = resource.controller_owner_ref(&())?;
    Some(OwnerReference { block_owner_deletion: Some(true), ..reference })
}
