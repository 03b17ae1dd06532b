//! No private value leaves the admin API.

use jwk_operator::{api::JsonWebKeySet, hydra::emulator::Emulator};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret},
    events::v1::Event,
};
use kube::{Api, api::ListParams};
use serde_json::{Value, json};

use super::{
    collector::Collector,
    operator::{Playground, unannounced},
    wait::eventually,
};

/// Every private value the emulator holds.
fn secrets(emulator: &Emulator) -> Vec<String> {
    let store = emulator.store();
    let keys = store.sets().values().flatten();
    keys.flat_map(|key| ["d", "p", "q", "dp", "dq", "qi", "k"].iter().filter_map(|name| key.text(name).map(str::to_owned))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_private_value_is_in_any_object_event_log_line_or_span() {
    let collector = Collector::start().await;
    let mut playground = Playground::without_operator().await;
    playground.environment.push(collector.variable());
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "60s" })).await;
    playground.start_operator().await;
    let keys: Vec<Value> = ["RS256", "ES256", "EdDSA", "HS256"].iter().map(|alg| unannounced(&alg.to_lowercase(), alg)).collect();
    let publish = json!([{ "configMap": { "name": "jwks" } }, { "secret": { "name": "jwks" } }]);
    playground.apply("shop", "all", json!({ "keys": keys, "signer": "es256", "publish": publish, "unmanagedKeys": "Delete" })).await;
    playground.until_ready("shop", "all").await;
    let mut private = secrets(&playground.emulator);

    // Every kind of trouble that moves keys about: a foreign signer, lost and replaced keys, an unreadable answer, a dropped entry.
    playground.emulator.store().create("shop.all", Some("theirs"), "ES256", "sig").expect("a key");
    private.extend(secrets(&playground.emulator));
    let lost = playground.private_kids("shop.all").into_iter().find(|kid| kid.contains(".eddsa.")).expect("a key");
    playground.emulator.store().delete_key("shop.all", &lost);
    let body = serde_json::to_string(&json!({ "keys": playground.remote("shop.all") })).expect("JSON");
    let garbled = body.replacen("\"kid\"", "\"kdi\"", 1);
    playground.emulator.faults().add(
        jwk_operator::hydra::emulator::Fault::new(jwk_operator::hydra::emulator::Effect::Answer(
            http::StatusCode::OK,
            Default::default(),
            garbled.into(),
        ))
        .method(http::Method::GET)
        .times(2),
    );
    let complaint = format!(r#"{{"error":"bad","error_description":{}}}"#, serde_json::to_string(&body).expect("JSON"));
    playground.emulator.faults().add(
        jwk_operator::hydra::emulator::Fault::new(jwk_operator::hydra::emulator::Effect::Answer(
            http::StatusCode::BAD_REQUEST,
            Default::default(),
            complaint.into(),
        ))
        .method(http::Method::PUT)
        .times(1),
    );
    eventually("the drift is repaired", async || {
        let kids = playground.private_kids("shop.all");
        let is_repaired =
            kids.iter().any(|kid| kid.contains(".eddsa.") && *kid != lost) && kids.first().is_some_and(|kid| kid.contains(".es256."));
        is_repaired.then_some(())
    })
    .await;
    playground.until_ready("shop", "all").await;
    private.extend(secrets(&playground.emulator));
    assert!(private.len() > 15, "{}", private.len());

    // An orderly end sends the last spans.
    playground.stop_operator().await;

    let client = &playground.control_plane.administrator;
    let everything = [
        serde_json::to_string(&Api::<ConfigMap>::all(client.clone()).list(&ListParams::default()).await.expect("a list").items),
        serde_json::to_string(&Api::<JsonWebKeySet>::all(client.clone()).list(&ListParams::default()).await.expect("a list").items),
        serde_json::to_string(&Api::<Event>::all(client.clone()).list(&ListParams::default()).await.expect("a list").items),
    ];
    let mut texts: Vec<String> = everything.into_iter().map(|text| text.expect("JSON")).collect();
    for secret in Api::<Secret>::all(client.clone()).list(&ListParams::default()).await.expect("a list").items {
        texts.extend(secret.data.into_iter().flatten().map(|(_, value)| String::from_utf8_lossy(&value.0).into_owned()));
    }
    texts.push(playground.logged());
    texts.push(collector.bodies().iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect());
    let told = texts.iter().filter(|text| text.contains("DriftRepaired")).count();
    assert!(told >= 3, "the repair is told in an event, in the log and in a span: {told}");
    for text in &texts {
        for value in &private {
            assert!(!text.contains(value), "a private value is in {}", &text[..text.len().min(300)]);
        }
    }
}
