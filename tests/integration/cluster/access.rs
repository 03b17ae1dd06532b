//! What an AdminApi grants, while the operator runs: by label, to observe, with private keys; and what is left when a grant is taken away.

use jwk_operator::{api::AdminApi, jwk::JwkSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    operator::{Playground, generated},
    wait::eventually,
};

async fn label(playground: &Playground, namespace: &str, team: Option<&str>) {
    let namespaces = Api::<Namespace>::all(playground.control_plane.administrator.clone());
    let patch = json!({ "metadata": { "labels": { "team": team } } });
    namespaces.patch(namespace, &PatchParams::default(), &Patch::Merge(patch)).await.expect("labelled");
}

fn settings(access: Value) -> Value {
    json!({ "resyncInterval": "60s", "timeout": "1s", "access": access })
}

async fn condition(playground: &Playground, kind: &str) -> Option<(String, String)> {
    let api = Api::<AdminApi>::all(playground.control_plane.platform()).get("default").await.ok()?;
    let found = api.status?.conditions.into_iter().find(|condition| condition.type_ == kind)?;
    Some((found.reason, found.message))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_labels_of_a_namespace_decide_at_once() {
    let mut playground = Playground::without_operator().await;
    let rule = json!({ "namespaces": { "selector": { "matchLabels": { "team": "shop" } } }, "sets": ["{namespace}.*"] });
    playground.admin_api(settings(json!([rule]))).await;
    playground.start_operator().await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_reason("shop", "payments", "AccessDenied").await;
    assert!(playground.remote("shop.payments").is_empty());
    label(&playground, "shop", Some("shop")).await;
    playground.until_ready("shop", "payments").await;
    let before = playground.remote("shop.payments");

    // Taken away: nothing remote changes, what is published stays, and no drift is repaired.
    label(&playground, "shop", Some("bank")).await;
    playground.until_reason("shop", "payments", "AccessDenied").await;
    assert_eq!(playground.remote("shop.payments"), before);
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    assert!(maps.get_opt("payments-jwks").await.expect("an answer").is_some());
    let writes = playground.emulator.calls().writes();
    playground
        .apply("shop", "payments", json!({ "keys": [generated("signing", "ES256"), generated("more", "ES256")], "signer": "signing" }))
        .await;
    playground.until("shop", "payments", "Stalled", "True").await;
    assert_eq!(playground.emulator.calls().writes(), writes);

    // Deleted without a grant: it goes, and the set stays.
    playground.sets("shop").delete("payments", &DeleteParams::default()).await.expect("deleted");
    playground.until_gone("shop", "payments").await;
    assert_eq!(playground.remote("shop.payments"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_keys_are_in_a_secret_while_that_is_granted() {
    let mut playground = Playground::without_operator().await;
    let rule = |export: bool| json!([{ "namespaces": { "names": ["shop"] }, "sets": ["{namespace}.*"], "privateExport": export }]);
    playground.admin_api(settings(rule(true))).await;
    playground.start_operator().await;
    let private = json!({ "secret": { "name": "payments-private", "key": "mutator.id_token.jwks.json", "content": "Private", "layout": "Oathkeeper" } });
    let spec = json!({
        "keys": [generated("signing", "ES256"), { "name": "next", "generate": { "alg": "ES256" } }], "signer": "signing",
        "publish": [{ "configMap": { "name": "payments-jwks" } }, private]
    });
    playground.apply("shop", "payments", spec).await;
    let status = playground.until_ready("shop", "payments").await;
    let secrets = playground.control_plane.api::<Secret>("shop");
    let data = secrets.get("payments-private").await.expect("a Secret").data.expect("data");
    let exported: JwkSet = serde_json::from_slice(&data["mutator.id_token.jwks.json"].0).expect("a set");
    let live = playground.remote("shop.payments");
    let signer = live.iter().find(|key| key.is_private()).expect("a signer");
    assert_eq!(exported.keys[0], *signer, "what signs in Hydra comes first");
    assert_eq!((exported.keys[1].kid(), exported.keys[1].is_private()), (signer.kid(), false));
    assert_eq!(exported.keys.iter().filter(|key| key.is_private()).count(), 1);
    let secret_member = signer.text("d").expect("a private member").to_owned();
    let map = playground.control_plane.api::<ConfigMap>("shop").get("payments-jwks").await.expect("a ConfigMap");
    assert!(!serde_json::to_string(&(map, status)).expect("JSON").contains(&secret_member), "only the Secret holds it");

    // Without the grant the Secret goes, and everything else goes on.
    playground.admin_api(settings(rule(false))).await;
    playground.until_reason("shop", "payments", "PrivateExportDenied").await;
    assert!(secrets.get_opt("payments-private").await.expect("an answer").is_none());

    // The same when the whole grant is taken away.
    playground.admin_api(settings(rule(true))).await;
    playground.until_ready("shop", "payments").await;
    assert!(secrets.get_opt("payments-private").await.expect("an answer").is_some());
    playground.admin_api(settings(json!([]))).await;
    playground.until_reason("shop", "payments", "AccessDenied").await;
    assert!(secrets.get_opt("payments-private").await.expect("an answer").is_none());
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    assert!(maps.get_opt("payments-jwks").await.expect("an answer").is_some(), "what is public stays");
    assert!(!playground.logged().contains(&secret_member), "a private key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_api_stays_while_it_is_used_and_tells_where_its_rules_overlap() {
    let mut playground = Playground::without_operator().await;
    let everybody = json!({ "all": true });
    let mut with_prefix = settings(json!([{ "namespaces": everybody, "sets": ["{namespace}.*", "shared.x"] }]));
    with_prefix["setPrefix"] = "prod-eu:".into();
    playground.admin_api(with_prefix.clone()).await;
    playground.start_operator().await;
    eventually("the overlap is told", async || {
        condition(&playground, "AccessOverlaps").await.filter(|(_, text)| text.contains("shared.x"))
    })
    .await;

    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    let status = playground.until_ready("shop", "payments").await;
    assert_eq!(status.set.as_deref(), Some("prod-eu:shop.payments"));
    assert!(status.signer.is_some_and(|kid| kid.starts_with("prod-eu:shop.payments.signing.")));
    playground.apply("shop", "other", json!({ "set": "shop.other" })).await;
    let message = playground.until_reason("shop", "other", "AccessDenied").await.conditions[0].message.clone();
    assert!(message.contains("its sets begin with prod-eu:"), "{message}");

    with_prefix["access"] = json!([{ "namespaces": everybody, "sets": ["{namespace}.*"] }]);
    playground.admin_api(with_prefix).await;
    eventually("the overlap is over", async || condition(&playground, "AccessOverlaps").await.is_none().then_some(())).await;

    let admin_apis = Api::<AdminApi>::all(playground.control_plane.platform());
    admin_apis.delete("default", &DeleteParams::default()).await.expect("asked to go");
    let in_use = |number: &'static str| {
        let playground = &playground;
        async move { condition(playground, "Ready").await.filter(|(reason, text)| reason == "InUse" && text.contains(number)) }
    };
    eventually("it tells that it is in use", async || in_use("2 still do").await).await;
    playground.sets("shop").delete("other", &DeleteParams::default()).await.expect("deleted");
    eventually("it tells by how many", async || in_use("1 still does").await).await;
    // It serves whoever is left, so that nothing is left behind.
    playground.sets("shop").delete("payments", &DeleteParams::default()).await.expect("deleted");
    playground.until_gone("shop", "payments").await;
    assert!(playground.remote("prod-eu:shop.payments").is_empty());
    eventually("it goes", async || admin_apis.get_opt("default").await.ok()?.is_none().then_some(())).await;
}
