//! Writes what is true into status, if it differs, and sends events about what was done.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::pass::{Failed, Pass};
use crate::operator::{context::Context, error::PassError, kubernetes::call, repeats::Wrong, watch::metadata};
use crate::{
    api::{FIELD_MANAGER, JsonWebKeySet, JsonWebKeySetStatus, Reason},
    escape::escaped,
    lifecycle::{self, Desired, Notice, Outcome, SetId, Sight, Transition, Uid},
};

/// How long the note of an event may be, in bytes.
const LONGEST_NOTE: usize = 1000;

/// Writes the status of a pass, if it differs.
pub(in crate::operator) async fn write_status(
    desired: &Desired,
    sight: Sight<'_>,
    outcome: &Outcome,
    pass: &mut Pass<'_>,
) -> Result<(), PassError> {
    let previous = pass.resource.status.clone().unwrap_or_default();
    let status = lifecycle::status(desired, sight, &previous, outcome, pass.now());
    if let Some(written) = write_if_different(&pass.resource, &status, pass.failure.as_ref(), pass.cx).await? {
        pass.resource = written;
    }
    Ok(())
}

/// Writes a status by server-side apply, if it differs from the one that the resource has; answers the resource as it is then.
pub(in crate::operator) async fn write_if_different(
    resource: &JsonWebKeySet,
    status: &JsonWebKeySetStatus,
    failed: Option<&Failed>,
    cx: &Context,
) -> Result<Option<Arc<JsonWebKeySet>>, PassError> {
    if resource.status.as_ref() == Some(status) || cx.departed.holds(&Uid::of(resource)) {
        tell_what_goes_on(resource, status, failed, cx);
        return Ok(None);
    }
    let api = Api::<JsonWebKeySet>::namespaced(cx.client.clone(), &resource.namespace().unwrap_or_default());
    let uid = Uid::of(resource);
    let patch = status_patch::<JsonWebKeySet>(&resource.name_any(), &uid, status);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let mut written =
        call("write the status of the resource", api.patch_status(&resource.name_any(), &parameters, &Patch::Apply(patch))).await?;
    metadata::keep_own(written.meta_mut());
    let written = Arc::new(written);
    cx.memory.remember(&uid, written.clone());
    let before = resource.status.as_ref().map_or(&[][..], |status| &status.conditions);
    match lifecycle::transition(before, &status.conditions) {
        Some(transition) => {
            if transition.is_trouble {
                cx.memory.was_logged(&uid, Wrong::Pass);
            } else {
                cx.memory.is_well(&uid);
            }
            tell_transition(&resource.object_ref(&()), &transition, failed, cx).await;
        }
        None => tell_what_goes_on(resource, status, failed, cx),
    }
    Ok(Some(written))
}

/// Writes one line and one event of a change for the worse or back to what is planned.
pub(in crate::operator) async fn tell_transition(
    resource: &ObjectReference,
    transition: &Transition<'_>,
    failed: Option<&Failed>,
    cx: &Context,
) {
    let Transition { reason, message, is_trouble } = *transition;
    if is_trouble {
        let (operation, kid, error) = parts(failed);
        tracing::warn!(reason, operation, kid, error, "{message}");
    } else {
        tracing::info!(reason, "{message}");
    }
    let event = Event {
        type_: if is_trouble { EventType::Warning } else { EventType::Normal },
        reason: reason.to_owned(),
        action: "Reconcile".to_owned(),
        note: Some(cut(message)),
        secondary: None,
    };
    publish(&event, resource, cx).await;
}

/// Logs now and then that a resource is still in trouble.
fn tell_what_goes_on(resource: &JsonWebKeySet, status: &JsonWebKeySetStatus, failed: Option<&Failed>, cx: &Context) {
    let uid = Uid::of(resource);
    let Some(trouble) = lifecycle::trouble(&status.conditions) else { return cx.memory.is_well(&uid) };
    if let Some(times) = cx.memory.goes_wrong(&uid, Wrong::Pass) {
        let (operation, kid, error) = parts(failed);
        tracing::warn!(reason = trouble.reason, times, operation, kid, error, "still: {}", trouble.message);
    }
}

fn parts(failed: Option<&Failed>) -> (Option<&str>, Option<&str>, Option<&str>) {
    let Some(failed) = failed else { return (None, None, None) };
    (failed.operation, failed.kid.as_deref(), Some(&failed.error))
}

/// What a server-side apply of a status sends. With the UID a resource that was deleted and made again is refused by the server.
pub(in crate::operator) fn status_patch<K: Resource<DynamicType = ()>>(name: &str, uid: &Uid, status: &impl Serialize) -> Value {
    json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": name, "uid": uid.as_str() },
        "status": status,
    })
}

/// Sends events about what was done. An event that cannot be written is only logged: nothing depends on it.
pub(in crate::operator) async fn publish_events(resource: &JsonWebKeySet, set: &SetId, notices: &[Notice], cx: &Context) {
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
            note: Some(cut(&notice.sentence(set))),
            secondary: None,
        };
        publish(&event, &resource.object_ref(&()), cx).await;
    }
}

/// The note of an event holds no more than 1,024 bytes.
fn cut(note: &str) -> String {
    let note = escaped(note);
    let end = note.char_indices().map(|(index, character)| index + character.len_utf8()).take_while(|end| *end <= LONGEST_NOTE).last();
    note[..end.unwrap_or_default()].to_owned()
}

/// Each event is one of its own: a transition is reported once. So the recorder is made for it and dropped, and does not keep five
/// kilobytes of each for six minutes.
async fn publish(event: &Event, resource: &ObjectReference, cx: &Context) {
    let recorder = Recorder::new(cx.client.clone(), Reporter { controller: FIELD_MANAGER.to_owned(), instance: None });
    if let Err(error) = call("write an event", recorder.publish(event, resource)).await {
        tracing::debug!(%error, "an event was not written");
    }
}
