//! Targets: what they hold, whose they are, and what becomes of them.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::{
    operator::{Playground, generated},
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
