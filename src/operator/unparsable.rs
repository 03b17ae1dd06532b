//! A resource that cannot be read as what its schema says: it is told so, nothing remote changes, and the others go on.

use std::time::Duration;

use jiff::Timestamp;
use kube::{
    Api, Resource as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::error_boundary::InvalidObject,
    runtime::controller::Action,
};
use serde_json::json;

use super::{context::Context, error::PassError, kubernetes::call};
use crate::{
    api::{FIELD_MANAGER, JsonWebKeySet, JsonWebKeySetStatus},
    lifecycle,
};

/// How often an unparsable resource is looked at again: it can only be mended by a change, which wakes it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// Writes the conditions of an unparsable resource, if they differ.
pub(super) async fn report(invalid: &InvalidObject, cx: &Context) -> Result<Action, PassError> {
    let (Some(name), Some(namespace)) = (&invalid.metadata.name, &invalid.metadata.namespace) else { return Ok(Action::await_change()) };
    tracing::warn!(%namespace, %name, error = lifecycle::without_values(&invalid.error), "a resource cannot be read: nothing is changed for it");
    let resource = ApiResource::erase::<JsonWebKeySet>(&());
    let api = Api::<DynamicObject>::namespaced_with(cx.client.clone(), namespace, &resource);
    let Some(object) = call("read a resource that cannot be parsed", api.get_opt(name)).await? else { return Ok(Action::await_change()) };
    // The status may be as unreadable as the spec: then it is left as it is, but for the conditions.
    let stored: Option<JsonWebKeySetStatus> = object.data.get("status").and_then(|status| serde_json::from_value(status.clone()).ok());
    let previous = stored.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let status =
        lifecycle::unparsable(&previous, generation, object.metadata.deletion_timestamp.is_some(), &invalid.error, Timestamp::now());
    if stored.as_ref() != Some(&status) {
        let patch = json!({
            "apiVersion": JsonWebKeySet::api_version(&()),
            "kind": JsonWebKeySet::kind(&()),
            "metadata": { "name": name, "uid": object.metadata.uid },
            "status": status,
        });
        call(
            "write the status of a resource that cannot be parsed",
            api.patch_status(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(patch)),
        )
        .await?;
    }
    Ok(Action::requeue(LOOK_AGAIN))
}
