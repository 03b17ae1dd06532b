//! Keys from Secrets: opt-in, announced, replaced, never shown.

use std::collections::BTreeMap;

use jwk_operator::jwk::{
    Jwk,
    import::{Wanted, read},
};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{
    Api, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    operator::{Playground, generated},
    wait::eventually,
};

fn pem(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import").join(name);
    std::fs::read(path).expect("a file")
}

fn key(name: &str) -> Jwk {
    read(&pem(name), None, Wanted::default()).expect("a key")
}

async fn create(secrets: &Api<Secret>, name: &str, secret_type: &str, labelled: bool, data: &[(&str, Vec<u8>)]) {
    let labels = labelled.then(|| BTreeMap::from([("jwk-operator.dev/import".to_owned(), "true".to_owned())]));
    let secret = Secret {
        metadata: ObjectMeta { name: Some(name.into()), labels, ..ObjectMeta::default() },
        type_: Some(secret_type.into()),
        data: Some(data.iter().map(|(name, value)| ((*name).to_owned(), ByteString(value.clone()))).collect()),
        ..Secret::default()
    };
    secrets.create(&PostParams::default(), &secret).await.expect("created");
}

fn import(name: &str, secret: Value) -> Value {
    json!({ "name": name, "import": { "secretRef": secret }, "rotation": { "prepublish": "5s", "retain": "5s" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_opts_in_and_its_key_is_announced_replaced_and_never_shown() {
    let playground = Playground::start().await;
    playground.admin_api(json!({ "timeout": "2s", "resyncInterval": "1h" })).await;
    let secrets = playground.control_plane.api::<Secret>("shop");

    // It does not exist, then it does not say that it may be read; each change is seen at once, though the next resync is an hour away.
    playground.apply("shop", "legacy", json!({ "keys": [import("legacy", json!({ "name": "legacy-tls" }))] })).await;
    let status = playground.until_reason("shop", "legacy", "SourceMissing").await;
    let told = &status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready").message;
    assert!(told.contains("key legacy: Secret legacy-tls: it does not exist"), "{told}");
    assert!(playground.remote("shop.legacy").is_empty(), "no key is invented");
    create(
        &secrets,
        "legacy-tls",
        "kubernetes.io/tls",
        true,
        &[("tls.key", pem("ec-prime256v1.pkcs8.pem")), ("tls.crt", pem("chain.pem"))],
    )
    .await;
    playground.until_ready("shop", "legacy").await;
    let first = key("ec-prime256v1.pkcs8.pem");
    let live = playground.remote("shop.legacy");
    assert_eq!((live.len(), live[0].is_private()), (1, true), "nothing signed before, so that nothing is waited for");
    assert_eq!(live[0].thumbprint(), first.thumbprint());
    assert_eq!(live[0].members()["x5c"].as_array().map(Vec::len), Some(2));
    let kid = format!("shop.legacy.legacy.{}", &first.thumbprint().expect("a thumbprint").to_string()[..16]);
    assert_eq!(live[0].kid(), Some(kid.as_str()));

    // The certificate is renewed: the new key is announced, signs, and the old one retires and goes.
    let renewed = json!({ "data": { "tls.key": ByteString(pem("ec-secp384r1.pkcs8.pem")), "tls.crt": ByteString(Vec::new()) } });
    secrets.patch("legacy-tls", &PatchParams::default(), &Patch::Merge(renewed)).await.expect("renewed");
    let second = key("ec-secp384r1.pkcs8.pem");
    let is = |wanted: &Jwk, private: bool| {
        playground.remote("shop.legacy").iter().any(|key| key.thumbprint() == wanted.thumbprint() && key.is_private() == private)
    };
    eventually("the new key is announced", async || (is(&second, false) && is(&first, true)).then_some(())).await;
    eventually("the new key signs, the old one does not", async || (is(&second, true) && is(&first, false)).then_some(())).await;
    eventually("the old one is gone", async || (playground.remote("shop.legacy").len() == 1).then_some(())).await;

    // What cannot be imported is told by its Secret and data key, and changes nothing.
    let encrypted = json!({ "data": { "tls.key": ByteString(pem("encrypted.pkcs8.pem")) } });
    secrets.patch("legacy-tls", &PatchParams::default(), &Patch::Merge(encrypted)).await.expect("changed");
    let status = playground.until_reason("shop", "legacy", "SourceInvalid").await;
    let told = &status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready").message;
    assert!(told.contains("Secret legacy-tls, data key tls.key: the key is encrypted: store it without a passphrase"), "{told}");
    assert!(is(&second, true));

    // Another namespace's Secrets cannot be named, and one without the label is not read.
    create(&secrets, "not-for-you", "Opaque", false, &[("key", pem("ed25519.pkcs8.pem"))]).await;
    playground
        .apply(
            "shop",
            "thief",
            json!({ "keys": [generated("signing", "ES256"), import("stolen", json!({ "name": "not-for-you" }))], "signer": "signing" }),
        )
        .await;
    playground.until_reason("shop", "thief", "SourceNotLabelled").await;
    assert_eq!(playground.remote("shop.thief").len(), 1, "the other entry is served all the same");
    let requests = playground.control_plane.operator_requests();
    assert!(requests.iter().any(|(verb, resource)| verb == "get" && resource == "secrets/"), "its metadata was asked for: {requests:?}");

    // Nothing of it is in any object or log line.
    let mut told = playground.logged();
    let maps: Api<ConfigMap> = playground.control_plane.api("shop");
    for map in maps.list(&Default::default()).await.expect("listed") {
        told.push_str(&serde_json::to_string(&map).expect("JSON"));
    }
    for name in ["legacy", "thief"] {
        told.push_str(&serde_json::to_string(&playground.sets("shop").get(name).await.expect("there")).expect("JSON"));
    }
    for name in ["ec-prime256v1.pkcs8.pem", "ec-secp384r1.pkcs8.pem", "ed25519.pkcs8.pem"] {
        let private = key(name);
        assert!(!told.contains(private.text("d").expect("d")), "{name}");
        let text = String::from_utf8(pem(name)).expect("text");
        assert!(!told.contains(text.lines().nth(1).expect("a line")), "{name}");
    }
    assert!(secrets.get("not-for-you").await.expect("there").labels().is_empty(), "and nobody labelled it");
}
