//! Writes what is true into status, if it differs, and tells of what was done in events.

use std::sync::Arc;

use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::events::{Event, EventType},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{context::Context, error::PassError, kubernetes::call, metadata, pass::Pass};
use crate::{
    api::{FIELD_MANAGER, JsonWebKeySet, JsonWebKeySetStatus, Reason},
    escape::escaped,
    lifecycle::{self, Desired, Notice, Observed, Outcome},
};

/// Writes the status of a pass, if it differs.
pub(super) async fn write_status(
    desired: &Desired,
    seen: Option<&Observed>,
    outcome: &Outcome,
    pass: &mut Pass<'_>,
) -> Result<(), PassError> {
    let previous = pass.resource.status.clone().unwrap_or_default();
    let status = lifecycle::status(desired, seen, &previous, outcome, pass.now());
    if let Some(written) = write_if_different(&pass.resource, &status, pass.cx).await? {
        pass.resource = written;
    }
    Ok(())
}

/// Writes a status by server-side apply, if it differs from the one that the resource has; answers the resource as it is then.
pub(super) async fn write_if_different(
    resource: &JsonWebKeySet,
    status: &JsonWebKeySetStatus,
    cx: &Context,
) -> Result<Option<Arc<JsonWebKeySet>>, PassError> {
    if resource.status.as_ref() == Some(status) || cx.departed.holds(&resource.uid().unwrap_or_default()) {
        return Ok(None);
    }
    let api = Api::<JsonWebKeySet>::namespaced(cx.client.clone(), &resource.namespace().unwrap_or_default());
    let uid = resource.uid().unwrap_or_default();
    let patch = status_patch::<JsonWebKeySet>(&resource.name_any(), Some(&uid), status);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let mut written =
        call("write the status of the resource", api.patch_status(&resource.name_any(), &parameters, &Patch::Apply(patch))).await?;
    metadata::keep_own(written.meta_mut());
    let written = Arc::new(written);
    cx.memory.remember(&uid, written.clone());
    Ok(Some(written))
}

/// What a server-side apply of a status sends. With the UID a resource that was deleted and made again is refused by the server.
pub(super) fn status_patch<K: Resource<DynamicType = ()>>(name: &str, uid: Option<&str>, status: &impl Serialize) -> Value {
    json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": name, "uid": uid },
        "status": status,
    })
}

/// Tells of what was done. An event that cannot be written is only logged: nothing depends on it.
pub(super) async fn publish_events(resource: &JsonWebKeySet, set: &str, notices: &[Notice], cx: &Context) {
    for notice in notices {
        let is_trouble = matches!(notice.reason, Reason::DriftRepaired | Reason::AccessDenied | Reason::SetOrphaned);
        let event = Event {
            type_: if is_trouble { EventType::Warning } else { EventType::Normal },
            reason: notice.reason.as_str().to_owned(),
            // The events of one action are counted as one, with the first one's sentence: the kids keep them apart.
            action: notice
                .kids
                .first()
                .map_or_else(|| "Reconcile".to_owned(), |kid| escaped(&format!("Reconcile {kid}")).chars().take(128).collect()),
            note: Some(escaped(&notice.sentence(set)).chars().take(1000).collect()),
            secondary: None,
        };
        if let Err(error) = call("write an event", cx.recorder.publish(&event, &resource.object_ref(&()))).await {
            tracing::debug!(%error, "an event was not written");
        }
    }
}
