//! A resource that cannot be read as its schema says: its status says so, nothing remote changes, it keeps the set it owns, and the others
//! continue.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{
    Api, Resource as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::{controller::Action, watcher},
};
use serde_json::{Value, json};

use super::report;
use crate::operator::{
    context::Context,
    error::PassError,
    kubernetes::call,
    waits::admission,
    watch::{index::SetTerm, merged, metadata, stores::Watched},
};
use crate::{
    api::{AdminApiRef, FIELD_MANAGER, JsonWebKeySet, JsonWebKeySetSpec, JsonWebKeySetStatus, Mode},
    lifecycle::{self, Uid},
};

/// How often an unparsable resource is looked at again: only a change can fix it, which wakes it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// Writes the conditions of an unparsable resource, if they differ.
pub(in crate::operator) async fn tell(invalid: &InvalidObject, cx: &Context) -> Result<Action, PassError> {
    let (Some(name), Some(namespace)) = (&invalid.metadata.name, &invalid.metadata.namespace) else { return Ok(Action::await_change()) };
    let resource = ApiResource::erase::<JsonWebKeySet>(&());
    let api = Api::<DynamicObject>::namespaced_with(cx.client.clone(), namespace, &resource);
    let Some(mut object) = call("read a resource that cannot be parsed", api.get_opt(name)).await? else {
        return Ok(Action::await_change());
    };
    metadata::keep_own(&mut object.metadata);
    cx.memory.remember_claim(&Uid::of(&object), claim_of(&object));
    // Whatever else the status holds stays as it is, readable or not: an apply drops what it leaves out.
    let mut status = object.data.get("status").cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
    let before = status.clone();
    let previous = JsonWebKeySetStatus {
        conditions: serde_json::from_value(status["conditions"].clone()).unwrap_or_default(),
        ..JsonWebKeySetStatus::default()
    };
    let generation = object.metadata.generation.unwrap_or_default();
    let told = lifecycle::unparsable(&previous, generation, object.metadata.deletion_timestamp.is_some(), &invalid.error, Timestamp::now());
    status["conditions"] = json!(told.conditions);
    status["observedGeneration"] = json!(generation);
    if status != before {
        let patch = report::status_patch::<JsonWebKeySet>(name, &Uid::of(&object), &status);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        call("write the status of a resource that cannot be parsed", api.patch_status(name, &parameters, &Patch::Apply(patch))).await?;
        if let Some(transition) = lifecycle::transition(&previous.conditions, &told.conditions) {
            report::tell_transition(&object.object_ref(&resource), &transition, None, cx).await;
        }
    }
    Ok(Action::requeue(LOOK_AGAIN))
}

/// Remembers how a resource was last read, before the store has it as one that cannot be read: it keeps the set that it owned.
pub(in crate::operator) fn keep_last(seen: &merged::Seen<Watched>, cx: &Context) {
    if let merged::Seen::Event(watcher::Event::Apply(unreadable @ DeserializeGuard(Err(_)))) = seen
        && let Some(before) = admission::latest(unreadable, cx)
        && let Ok(before) = &before.0
        && let uid = Uid::of(before)
        && cx.memory.latest(&uid).is_none()
    {
        cx.memory.remember(&uid, Arc::new(before.clone()));
    }
}

/// What an unparsable resource claims; `None` if it was not looked at yet.
pub(in crate::operator) fn claim(invalid: &InvalidObject, cx: &Context) -> Option<Arc<JsonWebKeySet>> {
    cx.memory.claim(&Uid::in_metadata(&invalid.metadata))
}

/// Whether there is an unparsable resource that was not looked at yet.
pub(in crate::operator) fn is_claim_unknown(cx: &Context) -> bool {
    let unreadable = cx.set_index.all(&SetTerm::Unreadable, &cx.stores.sets);
    unreadable.iter().any(|other| other.0.as_ref().is_err_and(|invalid| claim(invalid, cx).is_none()))
}

/// As much of a resource as says which set it owns. What cannot be read of it is taken for a claim.
fn claim_of(object: &DynamicObject) -> JsonWebKeySet {
    let text = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let spec = JsonWebKeySetSpec {
        set: text("/spec/set"),
        admin_api_ref: text("/spec/adminApiRef/name").map(|name| AdminApiRef { name }),
        mode: text("/spec/mode").filter(|mode| mode == "Observe").map(|_| Mode::Observe),
        ..JsonWebKeySetSpec::default()
    };
    JsonWebKeySet { metadata: object.metadata.clone(), spec, status: None }
}
