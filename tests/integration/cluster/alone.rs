//! Publication while the admin API is not asked: it is down, or nothing tells how to reach it, or the spec is refused.

use std::collections::BTreeMap;

use jwk_operator::jwk::JwkSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    operator::{Playground, unannounced},
    wait::eventually,
};

/// An AdminApi of this name behind the emulator, which grants private keys or not, with these settings besides.
async fn admin_api(playground: &Playground, name: &str, export: bool, settings: Value) {
    let access = json!([{ "namespaces": { "all": true }, "sets": ["{namespace}.*"], "privateExport": export }]);
    let mut spec = json!({ "url": playground.emulator.url(), "resyncInterval": "2s", "timeout": "1s", "access": access });
    for (name, value) in settings.as_object().expect("settings") {
        spec[name] = value.clone();
    }
    let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": name }, "spec": spec });
    playground.control_plane.apply(object).await.expect("an AdminApi");
}

fn publish(name: &str) -> Value {
    let private = json!({ "secret": { "name": format!("{name}-private"), "content": "Private", "layout": "JWKS" } });
    json!([{ "configMap": { "name": format!("{name}-jwks") } }, private])
}

/// Two keys that sign, published in a ConfigMap and a Secret, behind an AdminApi of the same name.
fn spec(name: &str) -> Value {
    let keys = [unannounced("signing", "ES256"), unannounced("other", "ES256")];
    json!({ "adminApiRef": { "name": name }, "keys": keys, "signer": "signing", "publish": publish(name) })
}

async fn patch(playground: &Playground, name: &str, spec: Value) {
    let patch = Patch::Merge(json!({ "spec": spec }));
    playground.sets("shop").patch(name, &PatchParams::default(), &patch).await.expect("patched");
}

async fn document(maps: &Api<ConfigMap>, name: &str) -> Option<String> {
    maps.get_opt(name).await.ok()??.data?.get("jwks.json").cloned()
}

async fn private_kids(secrets: &Api<Secret>, name: &str) -> Option<Vec<String>> {
    let data: BTreeMap<_, _> = secrets.get_opt(name).await.ok()??.data?;
    let set: JwkSet = serde_json::from_slice(&data.get("jwks.json")?.0).ok()?;
    Some(set.keys.iter().filter(|key| key.is_private()).filter_map(|key| key.kid().map(str::to_owned)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_follow_the_record_while_the_admin_api_is_down() {
    let mut playground = Playground::without_operator().await;
    admin_api(&playground, "default", true, json!({})).await;
    playground.start_operator().await;
    playground.apply("shop", "default", spec("default")).await;
    playground.until_ready("shop", "default").await;
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let secrets = playground.control_plane.api::<Secret>("shop");
    let before = document(&maps, "default-jwks").await.expect("a document");
    let kids = private_kids(&secrets, "default-private").await.expect("private keys");
    assert_eq!(kids.len(), 2, "both are private: {kids:?}");

    playground.emulator.stop().await;
    eventually("the AdminApi says so", async || playground.admin_api_reason().await.filter(|reason| reason == "AdminApiUnavailable")).await;
    maps.delete("default-jwks", &DeleteParams::default()).await.expect("deleted");
    eventually("a lost target comes back", async || document(&maps, "default-jwks").await.filter(|found| *found == before)).await;
    let edit = Patch::Merge(json!({ "data": { "jwks.json": r#"{"keys":[]}"#, "theirs": "x" } }));
    maps.patch("default-jwks", &PatchParams::default(), &edit).await.expect("patched");
    eventually("an edited target is put back", async || {
        let data = maps.get("default-jwks").await.ok()?.data?;
        (data.len() == 1 && data["jwks.json"] == before).then_some(())
    })
    .await;

    // A restart knows of no target what it held.
    playground.stop_operator().await;
    maps.delete("default-jwks", &DeleteParams::default()).await.expect("deleted");
    playground.start_operator().await;
    eventually("a lost target comes back", async || document(&maps, "default-jwks").await.filter(|found| *found == before)).await;

    patch(&playground, "default", json!({ "revoke": [kids[1]] })).await;
    eventually("what is revoked leaves the ConfigMap", async || {
        document(&maps, "default-jwks").await.filter(|found| !found.contains(&kids[1]) && found.contains(&kids[0]))
    })
    .await;
    eventually("and the Secret, where the other key stays", async || {
        private_kids(&secrets, "default-private").await.filter(|left| *left == kids[..1])
    })
    .await;
    patch(&playground, "default", json!({ "publish": [{ "configMap": { "name": "elsewhere" } }, publish("default")[1]] })).await;
    eventually("publish is followed", async || {
        document(&maps, "elsewhere").await?;
        maps.get_opt("default-jwks").await.ok()?.is_none().then_some(())
    })
    .await;
    admin_api(&playground, "default", false, json!({})).await;
    eventually("private keys go with the grant", async || secrets.get_opt("default-private").await.ok()?.is_none().then_some(())).await;
    playground.until("shop", "default", "Ready", "False").await;
    eventually("the status lists what is there", async || {
        let targets = playground.sets("shop").get("default").await.ok()?.status?.targets;
        (targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>() == ["elsewhere"]).then_some(())
    })
    .await;

    playground.emulator.resume().await.expect("up");
    patch(&playground, "default", json!({ "publish": [{ "configMap": { "name": "elsewhere" } }] })).await;
    playground.until_ready("shop", "default").await;
    assert!(!playground.remote_kids("shop.default").contains(&kids[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_need_neither_a_valid_spec_nor_an_admin_api() {
    let mut playground = Playground::without_operator().await;
    let troubles = ["refused", "missing", "credentials", "invalid", "broken"];
    for name in troubles {
        admin_api(&playground, name, true, json!({})).await;
    }
    playground.start_operator().await;
    for name in troubles {
        playground.apply("shop", name, spec(name)).await;
    }
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let secrets = playground.control_plane.api::<Secret>("shop");
    let mut kids = BTreeMap::new();
    for name in troubles {
        playground.until_ready("shop", name).await;
        kids.insert(name, private_kids(&secrets, &format!("{name}-private")).await.expect("private keys"));
    }
    playground.emulator.stop().await;

    // Each is revoked a key, and loses its grant where there is an AdminApi to say so.
    for name in troubles {
        patch(&playground, name, json!({ "revoke": [kids[name][1]] })).await;
    }
    let invalid = json!({ "name": "off", "generate": { "alg": "ES256" }, "rotation": { "interval": "10s", "prepublish": "5s" } });
    let keys = json!([unannounced("signing", "ES256"), unannounced("other", "ES256"), invalid]);
    patch(&playground, "refused", json!({ "keys": keys })).await;
    playground.until_reason("shop", "refused", "InvalidRotation").await;
    admin_api(&playground, "refused", false, json!({})).await;
    let absent = json!({ "bearerToken": { "secretRef": { "name": "absent" } } });
    admin_api(&playground, "credentials", false, json!({ "auth": absent })).await;
    let map =
        json!({ "metadata": { "name": "broken-ca", "labels": { "jwk-operator.dev/admin-api": "invalid" } }, "data": { "ca.crt": "x" } });
    let maps_of_operator = playground.control_plane.api::<ConfigMap>("jwk-operator");
    maps_of_operator.create(&PostParams::default(), &serde_json::from_value(map).expect("a ConfigMap")).await.expect("created");
    let tls = json!({ "caRef": { "kind": "ConfigMap", "name": "broken-ca", "key": "ca.crt" } });
    admin_api(&playground, "invalid", false, json!({ "url": "https://127.0.0.1:1", "tls": tls })).await;
    let broken = json!({ "data": { "jwks.json": "ew==" }, "immutable": true });
    secrets.patch("broken-private", &PatchParams::default(), &Patch::Merge(broken)).await.expect("patched");
    admin_api(&playground, "broken", false, json!({})).await;
    let apis = Api::<jwk_operator::api::AdminApi>::all(playground.control_plane.administrator.clone());
    let freed = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    apis.delete("missing", &DeleteParams::default()).await.expect("deleted");
    apis.patch("missing", &PatchParams::default(), &freed).await.expect("patched");

    for name in troubles {
        eventually(&format!("{name}: private keys go with the grant"), async || {
            secrets.get_opt(&format!("{name}-private")).await.ok()?.is_none().then_some(())
        })
        .await;
        eventually(&format!("{name}: what is revoked leaves, and nothing else"), async || {
            let found = document(&maps, &format!("{name}-jwks")).await?;
            (!found.contains(&kids[name][1]) && found.contains(&kids[name][0])).then_some(())
        })
        .await;
        maps.delete(&format!("{name}-jwks"), &DeleteParams::default()).await.expect("deleted");
    }
    for name in troubles {
        eventually(&format!("{name}: a lost target comes back"), async || document(&maps, &format!("{name}-jwks")).await).await;
    }
}

/// The watch goes by a label, and somebody may take it away while no process runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_its_label_is_known_after_a_restart() {
    let mut playground = Playground::without_operator().await;
    admin_api(&playground, "default", true, json!({})).await;
    playground.start_operator().await;
    playground.apply("shop", "default", spec("default")).await;
    playground.until_ready("shop", "default").await;
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let secrets = playground.control_plane.api::<Secret>("shop");
    playground.stop_operator().await;
    let label = "app.kubernetes.io/managed-by";
    let unlabelled = Patch::Merge(json!({ "metadata": { "labels": { label: null } } }));
    maps.patch("default-jwks", &PatchParams::default(), &unlabelled).await.expect("patched");
    secrets.patch("default-private", &PatchParams::default(), &unlabelled).await.expect("patched");
    admin_api(&playground, "default", false, json!({})).await;
    playground.emulator.stop().await;

    playground.start_operator().await;
    eventually("private keys go with the grant", async || secrets.get_opt("default-private").await.ok()?.is_none().then_some(())).await;
    eventually("the ConfigMap has its label again", async || maps.get("default-jwks").await.ok()?.metadata.labels?.get(label).cloned())
        .await;
}
