//! What GitOps tools see: how they judge live objects at each stage, and that what they applied stays as they applied it.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use jwk_operator::api::{AdminApi, JsonWebKeySet};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};

use super::{
    control_plane::{apply_as, kubectl},
    operator::{Playground, generated},
    wait::eventually,
};
use crate::gitops::{LEAVING, READY, STALLED, WAITING, judge};

fn sets(playground: &Playground) -> Api<DynamicObject> {
    Api::namespaced_with(playground.control_plane.developer("shop"), "shop", &ApiResource::erase::<JsonWebKeySet>(&()))
}

fn admin_apis(playground: &Playground) -> Api<DynamicObject> {
    Api::all_with(playground.control_plane.platform(), &ApiResource::erase::<AdminApi>(&()))
}

/// An object as it is stored.
async fn stored(api: &Api<DynamicObject>, name: &str) -> Value {
    serde_json::to_value(api.get(name).await.expect("there")).expect("JSON")
}

async fn until_admin_api_says(playground: &Playground, name: &str, reason: &str) {
    let api = admin_apis(playground);
    eventually(&format!("AdminApi {name} says {reason}"), async || {
        let object = api.get(name).await.ok()?;
        let conditions = object.data["status"]["conditions"].as_array()?.clone();
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["reason"] == reason).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stage_of_a_set_and_of_an_admin_api_is_judged_as_what_it_is() {
    let mut playground = Playground::with_roles("cluster.yaml", &["--leader-election=false"]).await;
    let (shop, apis) = (sets(&playground), admin_apis(&playground));

    // Nobody has looked at them yet.
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    assert_eq!(judge(&stored(&shop, "payments").await), WAITING);
    assert_eq!(judge(&stored(&apis, "default").await), WAITING);

    playground.start_operator().await;
    playground.until_ready("shop", "payments").await;
    assert_eq!(judge(&stored(&shop, "payments").await), READY);
    until_admin_api_says(&playground, "default", "AsPlanned").await;
    assert_eq!(judge(&stored(&apis, "default").await), READY);

    // It waits for something that may come.
    let import = json!({ "keys": [{ "name": "legacy", "import": { "secretRef": { "name": "legacy-key", "key": "tls.key" } } }] });
    playground.apply("shop", "legacy", import).await;
    playground.until_reason("shop", "legacy", "SourceMissing").await;
    assert_eq!(judge(&stored(&shop, "legacy").await), WAITING);

    // Of two of one second the smaller UID owns the set: what follows shall be younger for sure.
    let created = shop.get("payments").await.expect("there").metadata.creation_timestamp.expect("a time").0;
    eventually("the next second", async || (jiff::Timestamp::now().as_second() > created.as_second()).then_some(())).await;

    // Somebody has to act.
    for (name, spec, reason) in [
        ("denied", json!({ "set": "bank.payments", "keys": [generated("signing", "ES256")] }), "AccessDenied"),
        ("again", json!({ "set": "shop.payments", "keys": [generated("signing", "ES256")] }), "SetConflict"),
        ("elsewhere", json!({ "adminApiRef": { "name": "nowhere" } }), "AdminApiNotFound"),
        ("drifted", json!({ "mode": "Observe", "keys": [generated("signing", "ES256")] }), "DriftObserved"),
    ] {
        playground.apply("shop", name, spec).await;
        playground.until_reason("shop", name, reason).await;
        assert_eq!(judge(&stored(&shop, name).await), STALLED, "{name}");
    }

    // An observer of a set as it is.
    playground.emulator.store().create("shop.observed", Some("theirs"), "ES256", "sig").expect("a key");
    playground.apply("shop", "observed", json!({ "mode": "Observe" })).await;
    playground.until_ready("shop", "observed").await;
    assert_eq!(judge(&stored(&shop, "observed").await), READY);

    // A spec that nobody has looked at.
    playground.stop_operator().await;
    let mut keys = json!([generated("signing", "ES256")]);
    keys.as_array_mut().expect("a list").push(partner());
    playground.apply("shop", "payments", json!({ "keys": keys })).await;
    assert_eq!(judge(&stored(&shop, "payments").await), WAITING);
    playground.start_operator().await;
    playground.until_ready("shop", "payments").await;
    assert_eq!(judge(&stored(&shop, "payments").await), READY);

    // An outage: what is published is still right, and what is new waits.
    playground.emulator.stop().await;
    until_admin_api_says(&playground, "default", "AdminApiUnavailable").await;
    assert_eq!(judge(&stored(&apis, "default").await), WAITING);
    assert_eq!(judge(&stored(&shop, "payments").await), READY);
    playground.apply("shop", "orders", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_reason("shop", "orders", "AdminApiUnavailable").await;
    assert_eq!(judge(&stored(&shop, "orders").await), WAITING);

    // It is being deleted, and cannot go yet. An AdminApi stays while it is used.
    playground.sets("shop").delete("payments", &DeleteParams::default()).await.expect("deleted");
    playground.until("shop", "payments", "DeletionBlocked", "True").await;
    assert_eq!(judge(&stored(&shop, "payments").await), LEAVING);
    apis.delete("default", &DeleteParams::default()).await.expect("deleted");
    until_admin_api_says(&playground, "default", "InUse").await;
    assert_eq!(judge(&stored(&apis, "default").await), LEAVING);

    // An AdminApi that somebody must fix.
    let auth = json!({ "bearerToken": { "secretRef": { "name": "token", "key": "token" } } });
    let spec = json!({ "url": playground.emulator.url(), "auth": auth, "access": [] });
    let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": "locked" }, "spec": spec });
    playground.control_plane.apply(object).await.expect("applied");
    until_admin_api_says(&playground, "locked", "CredentialsMissing").await;
    assert_eq!(judge(&stored(&apis, "locked").await), STALLED);
}

fn partner() -> Value {
    json!({ "name": "partner", "public": { "kid": "partner-1", "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" } })
}

/// The states of the keys that a version of a set tells of.
fn key_states(object: &Value) -> BTreeSet<String> {
    let keys = object["status"]["keys"].as_array().into_iter().flatten();
    keys.filter_map(|key| key["state"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_its_creation_to_the_end_of_a_rotation_a_set_turns_healthy_once_and_stays_so() {
    let playground = Playground::start().await;
    playground.admin_api(json!({ "timeout": "2s", "limits": { "minRotationInterval": "10s" } })).await;
    let api = sets(&playground);
    let before = api.list(&ListParams::default()).await.expect("a list").metadata.resource_version.expect("a version");
    let rotation = json!({ "interval": "20s", "prepublish": "5s", "retain": "5s" });
    let keys = json!([{ "name": "signing", "generate": { "alg": "ES256" }, "rotation": rotation }]);
    playground.apply("shop", "payments", json!({ "keys": keys })).await;

    // Every version that was ever stored, from the first one on.
    let watch = WatchParams::default().timeout(280);
    let mut versions = api.watch(&watch, &before).await.expect("a watch").boxed();
    let (mut seen, mut ready, mut states) = (0, false, BTreeSet::new());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(120);
    // A key that retired tells that another one signs; it is gone at the end of the rotation.
    while !(states.contains("Retired") && states.contains("left")) {
        let event = tokio::time::timeout_at(deadline, versions.try_next()).await.expect("a rotation in time").expect("an event");
        let object = match event.expect("the watch goes on") {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => object,
            WatchEvent::Bookmark(_) => continue,
            other => panic!("{other:?}"),
        };
        let object = serde_json::to_value(object).expect("JSON");
        let judgement = judge(&object);
        seen += 1;
        assert!(seen > 1 || object["status"]["observedGeneration"] == -1, "the first version is the fresh one: {object}");
        if ready || judgement == READY {
            assert_eq!(judgement, READY, "healthy before: {object}");
        } else {
            assert_eq!(judgement, WAITING, "{object}");
        }
        if judgement == READY && !ready {
            // What depends on it may begin now: it signs and is published.
            ready = true;
            assert_eq!(playground.private_kids("shop.payments").len(), 1);
            let map = playground.control_plane.api::<ConfigMap>("shop").get("payments-jwks").await.expect("published");
            let signer = object["status"]["signer"].as_str().expect("a signer");
            assert!(map.data.expect("data")["jwks.json"].contains(signer));
        }
        let now = key_states(&object);
        if states.contains("Retired") && !now.contains("Retired") {
            states.insert("left".to_owned());
        }
        states.extend(now);
    }
    assert!(states.contains("Announced") && states.contains("Active"), "{states:?}");
    assert!(seen >= 4, "{seen}");
}

/// The AdminApi and the set of the example of `deploy/argocd`, as kustomize gives them, with the admin API of the playground.
fn example(playground: &Playground) -> (Value, Value) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/argocd/example");
    let built = kubectl(&playground.control_plane.kubeconfig(), &["kustomize", folder], "").unwrap_or_else(|error| panic!("{error}"));
    let objects = serde_saphyr::from_multiple::<Value>(&built).expect("YAML");
    let annotation = |object: &Value, name: &str| object["metadata"]["annotations"][name].as_str().map(str::to_owned);
    for object in &objects {
        // The operator, then whatever it has to know, then what it works on; in the other direction they go.
        let wave = match object["kind"].as_str() {
            Some("AdminApi") => Some("1"),
            Some("JsonWebKeySet") => Some("2"),
            _ => None,
        };
        assert_eq!(annotation(object, "argocd.argoproj.io/sync-wave").as_deref(), wave, "{object}");
        let options = (object["kind"] == "CustomResourceDefinition").then_some("Prune=false,Delete=false");
        assert_eq!(annotation(object, "argocd.argoproj.io/sync-options").as_deref(), options, "{object}");
    }
    let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}")).clone();
    let mut admin_api = find("AdminApi");
    admin_api["spec"]["url"] = playground.emulator.url().into();
    assert!(objects.iter().any(|object| object["kind"] == "Deployment"));
    (admin_api, find("JsonWebKeySet"))
}

/// What a GitOps tool compares: all but what the API server itself writes, and the status.
fn compared(mut object: Value) -> Value {
    object.as_object_mut().expect("an object").remove("status");
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for name in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "finalizers"] {
        metadata.remove(name);
    }
    object
}

/// The fields that the operator owns in an object, by subresource.
fn owned(object: &Value) -> Vec<(Option<String>, Value)> {
    let entries = object["metadata"]["managedFields"].as_array().expect("managedFields").iter();
    let own = entries.filter(|entry| entry["manager"] == "jwk-operator");
    own.map(|entry| (entry["subresource"].as_str().map(str::to_owned), entry["fieldsV1"].clone())).collect()
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().map(|members| members.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_stays_as_it_was_applied() {
    let mut playground = Playground::without_operator().await;
    let (mut admin_api, mut payments) = example(&playground);
    admin_api["spec"]["resyncInterval"] = "2s".into();
    admin_api["spec"]["timeout"] = "1s".into();
    // As Argo CD marks what it manages.
    payments["metadata"]["labels"]["app.kubernetes.io/instance"] = "keys".into();
    payments["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = "keys:jwk-operator.dev/JsonWebKeySet:shop/payments".into();
    let set = |name: &str, spec: Value| json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet", "metadata": { "name": name, "namespace": "shop" }, "spec": spec });
    // Each field that could be filled in, put into another form or another order.
    let long = set(
        "orders",
        json!({
            "set": "shop.Orders", "signer": "b", "unmanagedKeys": "Keep",
            "keys": [{ "name": "b", "generate": { "alg": "ES384", "use": "sig" }, "rotation": { "interval": "8760h", "retain": "90m" } }, partner()],
            "publish": [{ "secret": { "name": "z" } }, { "configMap": { "name": "a" }, "labels": { "team": "shop" } }]
        }),
    );
    let applied = [admin_api, payments, long, set("empty", json!({})), set("observed", json!({ "mode": "Observe" }))];
    for object in &applied {
        playground.control_plane.apply(object.clone()).await.expect("applied");
    }
    playground.start_operator().await;
    for name in ["payments", "orders", "empty", "observed"] {
        playground.until_ready("shop", name).await;
    }
    until_admin_api_says(&playground, "default", "AsPlanned").await;
    playground.looks("shop.payments", 2).await;

    let api = |object: &Value| if object["kind"] == "AdminApi" { admin_apis(&playground) } else { sets(&playground) };
    for object in &applied {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let live = stored(&api(object), name).await;
        assert_eq!(compared(live.clone()), compared(object.clone()), "{name}");
        // The same again is no change: the version stays.
        let again = playground.control_plane.apply(object.clone()).await.expect("applied");
        assert_eq!(again.resource_version().as_deref(), live["metadata"]["resourceVersion"].as_str(), "{name}");
        // The operator owns the status and, of metadata, the finalizers.
        let owned = owned(&live);
        assert!(owned.iter().any(|(subresource, _)| subresource.as_deref() == Some("status")), "{name}: {owned:?}");
        for (subresource, fields) in owned {
            match subresource.as_deref() {
                Some("status") => assert_eq!(names(&fields), ["f:status"], "{name}"),
                Some(other) => panic!("{name}: {other}"),
                None => {
                    assert_eq!(names(&fields), ["f:metadata"], "{name}: {fields}");
                    assert_eq!(names(&fields["f:metadata"]), ["f:finalizers"], "{name}: {fields}");
                }
            }
        }
    }

    // What the operator made is its resource's, and carries nothing by which a GitOps tool finds its own.
    let map = playground.control_plane.api::<ConfigMap>("shop").get("payments-jwks").await.expect("a ConfigMap");
    let owner = &map.owner_references()[0];
    assert_eq!((owner.kind.as_str(), owner.name.as_str(), owner.controller), ("JsonWebKeySet", "payments", Some(true)));
    let marks: BTreeSet<_> = map.labels().keys().chain(map.annotations().keys()).map(String::as_str).collect();
    assert_eq!(marks, BTreeSet::from(["app.kubernetes.io/managed-by", "jwk-operator.dev/set"]));

    // A rotation that somebody asked for is still asked for when the manifest is applied again.
    let asked = json!({ "metadata": { "annotations": { "jwk-operator.dev/rotate-at": "2040-01-01T00:00:00Z" } } });
    let payments = &applied[1];
    sets(&playground).patch("payments", &PatchParams::apply("somebody"), &Patch::Merge(asked)).await.expect("annotated");
    let after = apply_as(&playground.control_plane.developer("shop"), payments.clone()).await.expect("applied");
    assert_eq!(after.annotations().get("jwk-operator.dev/rotate-at").map(String::as_str), Some("2040-01-01T00:00:00Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_is_replaced_as_a_whole_loses_what_holds_it_until_the_next_look() {
    let playground = Playground::start().await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    let api = sets(&playground);
    let before = api.get("payments").await.expect("there");
    let mut replacement = before.clone();
    replacement.metadata.finalizers = None;
    replacement.metadata.managed_fields = None;
    let replaced = api.replace("payments", &PostParams::default(), &replacement).await.expect("replaced");
    assert!(replaced.finalizers().is_empty());
    eventually("it is held again", async || (api.get("payments").await.ok()?.finalizers() == before.finalizers()).then_some(())).await;
    assert_eq!(playground.remote_kids("shop.payments").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_gets_another_name_in_git_keeps_its_keys_if_it_was_told_so_before() {
    let playground = Playground::start().await;
    let spec = json!({ "set": "shop.one", "deletionPolicy": "Retain", "keys": [generated("signing", "ES256")] });
    playground.apply("shop", "before", spec.clone()).await;
    playground.until_ready("shop", "before").await;
    let kids = playground.remote_kids("shop.one");
    // Creation times have whole seconds, and the older resource owns the set.
    let created = playground.sets("shop").get("before").await.expect("there").metadata.creation_timestamp;
    eventually("the next second begins", async || {
        (k8s_openapi::jiff::Timestamp::now().as_second() > created.as_ref()?.0.as_second()).then_some(())
    })
    .await;
    // Of one commit a tool creates what is new first, and then prunes.
    playground.apply("shop", "after", spec).await;
    playground.until_reason("shop", "after", "SetConflict").await;
    playground.sets("shop").delete("before", &DeleteParams::default()).await.expect("deleted");
    playground.until_gone("shop", "before").await;
    let status = playground.until_ready("shop", "after").await;
    assert_eq!(playground.remote_kids("shop.one"), kids);
    assert_eq!(status.signer.as_ref(), kids.first());
}
