//! Holding a resource until its remote set is cleaned up, and letting it go.

use std::sync::Arc;

use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::pass::Pass;
use crate::api::{FIELD_MANAGER, FINALIZER, JsonWebKeySet};
use crate::lifecycle::Uid;
use crate::operator::{context::Context, error::PassError, kubernetes::call, watch::metadata};

/// Adds the finalizer.
///
/// # Errors
/// Also if the resource is gone: what is made for it then, nobody would ever clean up.
pub(super) async fn add(pass: &mut Pass<'_>) -> Result<(), PassError> {
    let mut finalizers = pass.resource.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    pass.resource = write(&pass.resource, &finalizers, pass.cx).await?;
    Ok(())
}

/// Removes the finalizer. A resource that is gone already is let go.
pub(super) async fn remove(pass: &mut Pass<'_>) -> Result<(), PassError> {
    if let Some(resource) = release(&pass.resource, pass.cx).await? {
        pass.resource = resource;
    }
    Ok(())
}

/// Removes the finalizer of a resource outside of a pass.
pub(super) async fn release(resource: &JsonWebKeySet, cx: &Context) -> Result<Option<Arc<JsonWebKeySet>>, PassError> {
    if cx.departed.let_go(&Uid::of(resource)) {
        return Ok(None);
    }
    let finalizers: Vec<_> = resource.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
    match write(resource, &finalizers, cx).await {
        Ok(released) => Ok(Some(released)),
        Err(error) if error.kubernetes_code() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the list if the resource is still the one that was read: the patch carries its UID and version.
async fn write(resource: &JsonWebKeySet, finalizers: &[String], cx: &Context) -> Result<Arc<JsonWebKeySet>, PassError> {
    let api = Api::<JsonWebKeySet>::namespaced(cx.client.clone(), &resource.namespace().unwrap_or_default());
    let uid = Uid::of(resource);
    let patch = json!({ "metadata": { "uid": uid.as_str(), "resourceVersion": resource.resource_version(), "finalizers": finalizers } });
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let mut written =
        call("write the finalizer of the resource", api.patch(&resource.name_any(), &parameters, &Patch::Merge(patch))).await?;
    metadata::keep_own(written.meta_mut());
    let written = Arc::new(written);
    cx.memory.remember(&uid, written.clone());
    Ok(written)
}
