//! Targets: what they hold, whose they are, and what becomes of them.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{
    control_plane::apply_as,
    operator::{Playground, generated, unannounced},
    wait::eventually,
};

#[tokio::test(flavor = "multi_thread")]
async fn targets_hold_the_public_halves_and_follow_the_spec() {
    let playground = Playground::start().await;
    let publish = json!([
        { "configMap": { "name": "verifiers", "key": "jwks" }, "labels": { "app": "gateway" }, "annotations": { "team": "payments" } },
        { "secret": { "name": "nginx", "key": "jwk", "type": "nginx.org/jwk" } },
    ]);
    playground
        .apply(
            "shop",
            "payments",
            json!({ "keys": [generated("signing", "ES256"), generated("shared", "HS256")], "signer": "signing", "publish": publish }),
        )
        .await;
    playground.until_ready("shop", "payments").await;
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let secrets = playground.control_plane.api::<Secret>("shop");
    let map = maps.get("verifiers").await.expect("a ConfigMap");
    let document = map.data.as_ref().expect("data")["jwks"].clone();
    let parsed: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(parsed["keys"].as_array().map(Vec::len), Some(1), "the symmetric key has no public half: {document}");
    assert_eq!(map.metadata.labels.as_ref().expect("labels")["app"], "gateway");
    let secret = secrets.get("nginx").await.expect("a Secret");
    assert_eq!(secret.type_.as_deref(), Some("nginx.org/jwk"));
    assert_eq!(secret.data.expect("data")["jwk"].0, document.into_bytes());

    // Somebody else's label stays, somebody else's data goes, a deleted object comes back.
    let alien = json!({ "metadata": { "labels": { "theirs": "x" } }, "data": { "other": "x", "jwks": "{}" } });
    maps.patch("verifiers", &PatchParams::default(), &Patch::Merge(alien)).await.expect("patched");
    secrets.delete("nginx", &DeleteParams::default()).await.expect("deleted");
    eventually("the targets are repaired", async || {
        let map = maps.get("verifiers").await.ok()?;
        let data = map.data?;
        let is_repaired = data.len() == 1 && data["jwks"].contains("shop.payments.signing") && map.metadata.labels?.contains_key("theirs");
        (is_repaired && secrets.get_opt("nginx").await.ok()?.is_some()).then_some(())
    })
    .await;

    // What the spec no longer asks for is taken away, and nothing else.
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256"), generated("shared", "HS256")], "signer": "signing", "publish": [{ "configMap": { "name": "verifiers", "key": "jwks.json" } }] })).await;
    playground.until_ready("shop", "payments").await;
    eventually("the Secret is gone", async || secrets.get_opt("nginx").await.ok()?.is_none().then_some(())).await;
    let map = maps.get("verifiers").await.expect("a ConfigMap");
    assert_eq!(map.data.expect("data").keys().collect::<Vec<_>>(), ["jwks.json"]);
    let labels = map.metadata.labels.expect("labels");
    assert!(!labels.contains_key("app") && labels.contains_key("theirs"), "{labels:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_somebody_else_is_refused_and_never_touched() {
    let playground = Playground::start().await;
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let foreign = json!({ "metadata": { "name": "settings" }, "data": { "theirs": "x" } });
    maps.create(&PostParams::default(), &serde_json::from_value(foreign).expect("a ConfigMap")).await.expect("created");
    eventually("the controller manager publishes its CA", async || maps.get_opt("kube-root-ca.crt").await.ok()?).await;
    let before = [maps.get("settings").await.expect("there"), maps.get("kube-root-ca.crt").await.expect("there")];

    let publish = json!([{ "configMap": { "name": "settings" } }, { "configMap": { "name": "kube-root-ca.crt", "key": "jwks.json" } }, { "configMap": { "name": "own" } }]);
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")], "publish": publish })).await;
    let status = playground.until_reason("shop", "payments", "TargetNotOwned").await;
    assert!(status.conditions.iter().any(|condition| condition.type_ == "Published" && condition.status == "False"));
    assert!(
        status.conditions.iter().any(|condition| condition.type_ == "Synced" && condition.status == "True"),
        "the set itself is as planned"
    );
    eventually("the target that is free is written", async || maps.get_opt("own").await.ok()?).await;
    playground.looks("shop.payments", 2).await;

    playground.sets("shop").delete("payments", &DeleteParams::default()).await.expect("deleted");
    playground.until_gone("shop", "payments").await;
    eventually("the own target is gone with its owner", async || maps.get_opt("own").await.ok()?.is_none().then_some(())).await;
    for object in before {
        let name = object.metadata.name.clone().expect("a name");
        let after = maps.get(&name).await.expect("still there");
        assert_eq!((after.metadata.resource_version, after.data), (object.metadata.resource_version, object.data), "{name} was touched");
    }
}

/// Whoever makes an own target immutable keeps nothing in it by that.
#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_target_is_made_again() {
    let playground = Playground::start().await;
    let publish = json!([{ "configMap": { "name": "verifiers" } }, { "secret": { "name": "gateway" } }]);
    let spec = json!({ "keys": [unannounced("signing", "ES256"), unannounced("other", "ES256")], "signer": "signing", "publish": publish });
    playground.apply("shop", "payments", spec).await;
    playground.until_ready("shop", "payments").await;
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let secrets = playground.control_plane.api::<Secret>("shop");
    let immutable = Patch::Merge(json!({ "immutable": true }));
    let before = maps.patch("verifiers", &PatchParams::default(), &immutable).await.expect("patched");
    secrets.patch("gateway", &PatchParams::default(), &immutable).await.expect("patched");
    let revoked = playground.private_kids("shop.payments").into_iter().find(|kid| kid.contains("other")).expect("a kid");
    let patch = Patch::Merge(json!({ "spec": { "revoke": [revoked] } }));
    playground.sets("shop").patch("payments", &PatchParams::default(), &patch).await.expect("patched");
    eventually("the revoked key leaves both", async || {
        let map = maps.get_opt("verifiers").await.ok()??.data?;
        let secret = secrets.get_opt("gateway").await.ok()??.data?;
        let secret = String::from_utf8(secret["jwks.json"].0.clone()).ok()?;
        (!map["jwks.json"].contains(&revoked) && !secret.contains(&revoked)).then_some(())
    })
    .await;
    playground.until_ready("shop", "payments").await;
    let after = maps.get("verifiers").await.expect("a ConfigMap");
    assert!(after.metadata.uid != before.metadata.uid && after.immutable.is_none(), "{after:?}");
}

/// The API server's words reach whoever has to act, and what was there stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_refuses_keeps_what_is_there() {
    let playground = Playground::start().await;
    let target = |kind: &str| json!([{ "secret": { "name": "gateway", "type": kind } }]);
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")], "publish": target("example.org/one") })).await;
    playground.until_ready("shop", "payments").await;
    let secrets = playground.control_plane.api::<Secret>("shop");
    let before = secrets.get("gateway").await.expect("a Secret");

    let rules = json!([{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"] }]);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": { "name": "types" },
        "spec": {
            "matchConstraints": { "resourceRules": rules },
            "validations": [{ "expression": "object.type != 'example.org/two'", "message": "this type is not ours" }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": "types" },
        "spec": { "policyName": "types", "validationActions": ["Deny"] },
    });
    apply_as(&playground.control_plane.administrator, policy).await.expect("a policy");
    apply_as(&playground.control_plane.administrator, binding).await.expect("a binding");
    let probe = json!({ "metadata": { "name": "probe" }, "type": "example.org/two" });
    let probe: Secret = serde_json::from_value(probe).expect("a Secret");
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let admin = Api::<Secret>::namespaced(playground.control_plane.administrator.clone(), "shop");
    eventually("the policy holds", async || admin.create(&dry, &probe).await.is_err().then_some(())).await;

    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")], "publish": target("example.org/two") })).await;
    let status = playground.until_reason("shop", "payments", "TargetFailed").await;
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled").expect("somebody has to act");
    assert!(stalled.message.contains("ValidatingAdmissionPolicy 'types'"), "{}", stalled.message);
    assert_eq!(secrets.get("gateway").await.expect("it stays"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_named() {
    let playground = Playground::start().await;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small", "namespace": "shop" }, "spec": { "hard": { "count/secrets": "0" } },
    });
    apply_as(&playground.control_plane.administrator, quota).await.expect("a quota");
    let probe: Secret = serde_json::from_value(json!({ "metadata": { "name": "probe" } })).expect("a Secret");
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let admin = Api::<Secret>::namespaced(playground.control_plane.administrator.clone(), "shop");
    eventually("the quota holds", async || {
        let refused = admin.create(&dry, &probe).await.err()?.to_string();
        refused.contains("exceeded quota: small").then_some(())
    })
    .await;
    let publish = json!([{ "secret": { "name": "gateway" } }, { "configMap": { "name": "verifiers" } }]);
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")], "publish": publish })).await;
    let status = playground.until_reason("shop", "payments", "TargetFailed").await;
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled").expect("somebody has to act");
    assert!(stalled.message.contains("exceeded quota: small"), "{}", stalled.message);
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    eventually("the other target is written", async || maps.get_opt("verifiers").await.ok()?).await;
}
