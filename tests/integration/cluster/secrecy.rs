//! No private value leaves the admin API.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jwk_operator::{api::JsonWebKeySet, hydra::emulator::Emulator, jwk::JwkSet};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret},
    events::v1::Event,
};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
};
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

/// What `kubectl apply` leaves in the annotations of a Secret.
fn applied(data: &str) -> Value {
    let object = json!({ "apiVersion": "v1", "kind": "Secret", "data": { "key": BASE64_STANDARD.encode(data) } });
    json!({ "kubectl.kubernetes.io/last-applied-configuration": object.to_string(), "note": data })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_out_of_a_secret_is_not_logged_and_annotations_of_others_are_not_kept() {
    let mut playground = Playground::without_operator().await;
    // What is freed is overwritten, so that what is found is kept by somebody.
    playground.environment.push(("GLIBC_TUNABLES", "glibc.malloc.perturb=165".to_owned()));
    let access = json!([{ "namespaces": { "all": true }, "sets": ["{namespace}.*"], "privateExport": true }]);
    playground.admin_api(json!({ "access": access, "resyncInterval": "1h" })).await;
    let secrets = playground.control_plane.api::<Secret>("shop");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import/ec-prime256v1.pkcs8.pem");
    let pem = std::fs::read_to_string(path).expect("a file");
    // Each has a value of its own, so that nothing else in memory looks like it.
    let noted: Vec<String> = (0..10).map(|number| format!("{number}-jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9")).collect();
    for (number, noted) in noted.iter().enumerate() {
        let labels = json!({ "jwk-operator.dev/import": "true" });
        let metadata = json!({ "name": format!("legacy-{number}"), "labels": labels, "annotations": applied(noted) });
        let secret = json!({ "metadata": metadata, "stringData": { "key": pem } });
        secrets.create(&PostParams::default(), &serde_json::from_value(secret).expect("a Secret")).await.expect("created");
    }
    playground.start_operator().await;
    let import = json!({ "name": "legacy", "import": { "secretRef": { "name": "legacy-0" } } });
    let private = json!({ "secret": { "name": "exported", "content": "Private" } });
    let keys = json!([import, unannounced("shared", "HS256")]);
    playground.apply("shop", "payments", json!({ "keys": keys, "signer": "legacy", "publish": [private] })).await;
    playground.until_ready("shop", "payments").await;

    // Somebody breaks what was exported, in every way that is no JWK Set any more, and leaves a copy in an annotation.
    let exported = secrets.get("exported").await.expect("a Secret").data.expect("data")["jwks.json"].clone();
    let text = String::from_utf8(exported.0).expect("text");
    let broken = [text[..text.len() - 1].to_owned(), format!("[{text}]"), pem.clone(), format!("{text}\n# {pem}")];
    for (number, broken) in broken.iter().enumerate() {
        let patch = json!({
            "metadata": { "annotations": applied(&format!("{number}{text}")) },
            "stringData": { "jwks.json": broken, "other": pem },
        });
        secrets.patch("exported", &PatchParams::default(), &Patch::Merge(patch)).await.expect("changed");
        eventually("the Secret is as it was", async || {
            let data = secrets.get("exported").await.ok()?.data?;
            (data.len() == 1 && data["jwks.json"].0 == text.as_bytes()).then_some(())
        })
        .await;
    }
    playground.until_ready("shop", "payments").await;
    let annotations = secrets.get("exported").await.expect("a Secret").annotations().clone();
    assert!(annotations["note"].contains(&text), "annotations of others stay as they are");

    // The same in all of them, as it is and in the base64 of what was applied. Some buffers of the connections are reused, and not filled again.
    let (plain, encoded) = (&noted[0][3..], BASE64_STANDARD.encode(&noted[0][3..]));
    let copies = (playground.copies_in_memory(plain), playground.copies_in_memory(&encoded));
    assert!(copies.0 < noted.len() && copies.1 < noted.len(), "annotations are kept in memory: {copies:?} copies");

    let logged = playground.logged();
    assert!(logged.matches("replaces: Some").count() >= broken.len(), "the steps are logged: {logged}");
    let keys = JwkSet::parse(text.as_bytes()).expect("a set").keys;
    let private = keys.iter().flat_map(|key| ["d", "k"].iter().filter_map(|name| key.text(name).map(str::to_owned)));
    for value in private.chain(pem.lines().nth(1).map(str::to_owned)) {
        let forms =
            [value.clone(), BASE64_STANDARD.encode(&value), BASE64_STANDARD.encode(&value[1..]), BASE64_STANDARD.encode(&value[2..])];
        for form in forms.iter().map(|form| &form[4..form.len() - 8]) {
            assert!(!logged.contains(form), "a private value is in the log");
        }
    }
}
