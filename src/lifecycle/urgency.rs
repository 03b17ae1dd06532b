//! How urgent it is to work on a resource, judged by the resource alone: before its remote set is read.

use jiff::Timestamp;

use crate::api::{ConditionType, JsonWebKeySet, JsonWebKeySetStatus, KeyState, ROTATE_AT_ANNOTATION, TargetKind};

/// How urgent it is to work on a resource, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// A key has to leave that the spec revokes, or a Secret that may hold private keys and that `publish` no longer names.
    Revocation,
    /// No key of the set can sign.
    Emergency,
    /// The resource is being deleted.
    Deletion,
    /// A key shall sign by now, or somebody asks for a rotation.
    Activation,
    /// It is new, was changed, or is not as it should be.
    Change,
    /// Nothing is known to have changed.
    Resync,
}

/// How urgent it is to work on a resource at `now`.
pub fn urgency(resource: &JsonWebKeySet, now: Timestamp) -> Urgency {
    let unseen = JsonWebKeySetStatus::default();
    let status = resource.status.as_ref().unwrap_or(&unseen);
    if resource.metadata.deletion_timestamp.is_some() {
        Urgency::Deletion
    } else if has_key_to_revoke(resource, status) || has_secret_to_remove(resource, status) {
        Urgency::Revocation
    } else if lacks_signer(resource, status) {
        Urgency::Emergency
    } else if is_rotation_due(resource, status, now) {
        Urgency::Activation
    } else if is_changed(resource, status) {
        Urgency::Change
    } else {
        Urgency::Resync
    }
}

/// Whether a resource was never worked on, and wants a key generated: then there is nothing to do for it before it has one.
pub fn is_fresh_and_generates(resource: &JsonWebKeySet) -> bool {
    let is_fresh = resource.status.as_ref().is_none_or(|status| status.origin.is_none());
    is_fresh && resource.metadata.deletion_timestamp.is_none() && resource.spec.keys.iter().any(|entry| entry.generate.is_some())
}

/// Whether the set or the record still has a key that the spec revokes. One that was never seen may be in the set since.
fn has_key_to_revoke(resource: &JsonWebKeySet, status: &JsonWebKeySetStatus) -> bool {
    let is_gone =
        |kid: &String| status.keys.iter().any(|key| key.kid == *kid && key.state == KeyState::Revoked) && !status.kids.contains(kid);
    let is_new = status.observed_generation != resource.metadata.generation;
    resource.spec.revoke.iter().any(|kid| !is_gone(kid) && (is_new || status.kids.contains(kid)))
}

fn has_secret_to_remove(resource: &JsonWebKeySet, status: &JsonWebKeySetStatus) -> bool {
    let names = resource.spec.publish.iter().flatten().filter_map(|target| target.secret.as_ref()).map(|secret| &secret.name);
    let mut written = status.targets.iter().filter(|target| target.kind == TargetKind::Secret);
    written.any(|target| names.clone().all(|name| *name != target.name))
}

/// Whether a set that was worked on before has no private key although its spec asks for one. A Secret may hold a public key only: then the set
/// is as it should be without a private one.
fn lacks_signer(resource: &JsonWebKeySet, status: &JsonWebKeySetStatus) -> bool {
    let generates = || resource.spec.keys.iter().any(|entry| entry.generate.is_some());
    let imports = || resource.spec.keys.iter().any(|entry| entry.import.is_some());
    status.origin.is_some() && status.signer.is_none() && (generates() || (imports() && !is_ready(status)))
}

fn is_rotation_due(resource: &JsonWebKeySet, status: &JsonWebKeySetStatus, now: Timestamp) -> bool {
    let asked = resource.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ROTATE_AT_ANNOTATION));
    let is_asked = asked.is_some_and(|asked| status.last_handled_rotate_at.as_ref() != Some(asked) && is_past(asked, now));
    is_asked || status.next_rotation.as_ref().is_some_and(|next| next.0 <= now)
}

fn is_past(asked: &str, now: Timestamp) -> bool {
    asked.parse::<Timestamp>().is_ok_and(|at| at <= now)
}

fn is_changed(resource: &JsonWebKeySet, status: &JsonWebKeySetStatus) -> bool {
    status.observed_generation != resource.metadata.generation || !is_ready(status)
}

fn is_ready(status: &JsonWebKeySetStatus) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == ConditionType::Ready.as_str() && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-26T12:00:00Z".parse().expect("a time")
    }

    /// A resource that was worked on, is Ready and has a signer, with these changes.
    fn resource(changes: &[(&str, Value)]) -> JsonWebKeySet {
        let mut resource = json!({
            "apiVersion": "jwk-operator.dev/v1alpha1",
            "kind": "JsonWebKeySet",
            "metadata": { "name": "payments", "namespace": "shop", "generation": 3, "annotations": {} },
            "spec": { "keys": [{ "name": "signing", "generate": { "alg": "ES256" } }], "publish": [], "revoke": [] },
            "status": {
                "observedGeneration": 3, "origin": "Created", "signer": "b", "kids": ["b", "a"],
                "nextRotation": "2026-12-01T00:00:00Z", "targets": [],
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "AsPlanned", "message": "", "lastTransitionTime": "2026-11-26T00:00:00Z"
                }]
            }
        });
        for (path, value) in changes {
            *resource.pointer_mut(path).expect("a member") = value.clone();
        }
        serde_json::from_value(resource).expect("a resource")
    }

    #[test]
    fn what_is_as_planned_is_read_last() {
        assert_eq!(urgency(&resource(&[]), now()), Urgency::Resync);
    }

    #[test]
    fn each_reason_has_its_place() {
        let annotations = |at: &str| ("/metadata/annotations", json!({ "jwk-operator.dev/rotate-at": at }));
        let written = json!([{ "kind": "Secret", "namespace": "shop", "name": "keys", "hash": "" }]);
        let import = ("/spec/keys/0", json!({ "name": "partner", "import": { "secretRef": { "name": "partner" } } }));
        let secret = |name: &str| ("/spec/publish", json!([{ "secret": { "name": name, "content": "Private" } }]));
        let cases = [
            (vec![("/spec/revoke", json!(["a"]))], Urgency::Revocation),
            (vec![("/spec/revoke", json!(["a"])), ("/status/signer", Value::Null)], Urgency::Revocation),
            (vec![("/status/targets", written.clone())], Urgency::Revocation),
            (vec![("/status/targets", written.clone()), secret("other")], Urgency::Revocation),
            (vec![("/status/targets", written), secret("keys")], Urgency::Resync),
            (vec![("/status/signer", Value::Null)], Urgency::Emergency),
            (vec![("/status/signer", Value::Null), ("/status/origin", Value::Null)], Urgency::Resync),
            (vec![("/status/signer", Value::Null), import.clone()], Urgency::Resync),
            (vec![("/status/signer", Value::Null), ("/status/conditions", json!([])), import], Urgency::Emergency),
            (vec![("/status/nextRotation", json!("2026-11-26T12:00:00Z"))], Urgency::Activation),
            (vec![annotations("2026-11-26T11:59:59Z")], Urgency::Activation),
            (vec![annotations("2026-11-26T12:00:01Z")], Urgency::Resync),
            (vec![annotations("soon")], Urgency::Resync),
            (vec![("/metadata/generation", json!(4))], Urgency::Change),
            (vec![("/status/conditions", json!([]))], Urgency::Change),
            (vec![("/status", json!({}))], Urgency::Change),
        ];
        for (changes, expected) in cases {
            assert_eq!(urgency(&resource(&changes), now()), expected, "{changes:?}");
        }
        let mut deleted = resource(&[("/spec/revoke", json!(["a"]))]);
        deleted.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now()));
        assert_eq!(urgency(&deleted, now()), Urgency::Deletion);
    }

    #[test]
    fn a_revocation_is_urgent_until_the_key_is_gone() {
        let revoked = json!([{ "kid": "old", "state": "Revoked" }]);
        let asked = ("/spec/revoke", json!(["old"]));
        let is_new = ("/metadata/generation", json!(4));
        assert_eq!(urgency(&resource(&[asked.clone(), is_new.clone()]), now()), Urgency::Revocation, "nothing is known of it");
        let mut done = resource(&[asked.clone(), is_new]);
        let mut status = serde_json::to_value(done.status.as_ref().expect("a status")).expect("JSON");
        status["keys"] = revoked;
        done.status = serde_json::from_value(status.clone()).expect("a status");
        assert_eq!(urgency(&done, now()), Urgency::Change, "another change");
        status["kids"] = json!(["b", "old"]);
        done.status = serde_json::from_value(status).expect("a status");
        assert_eq!(urgency(&done, now()), Urgency::Revocation, "it came back");
    }
}
