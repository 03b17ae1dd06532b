//! Public halves in PEM, as OpenSSL reads them.

use std::process::Command;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{
    operator::{Playground, generated, unannounced},
    wait::eventually,
};
use crate::signing::signing_key;

/// Whether OpenSSL verifies an RS256 token with the first key of a PEM document.
fn verifies(pem: &str, token: &str) -> bool {
    let directory = tempfile::tempdir().expect("a directory");
    let (signed, signature) = token.rsplit_once('.').expect("a token");
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let (pem, signed) = (file("key.pem", pem.as_bytes()), file("signed", signed.as_bytes()));
    let signature = file("signature", &URL_SAFE_NO_PAD.decode(signature).expect("base64url"));
    let openssl =
        Command::new("openssl").args(["dgst", "-sha256", "-verify"]).arg(pem).arg("-signature").arg(signature).arg(signed).output();
    openssl.expect("openssl runs").status.success()
}

fn token(playground: &Playground, kid: &str) -> String {
    let key = playground.remote("shop.payments").into_iter().find(|key| key.kid() == Some(kid)).expect("a key");
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
    jsonwebtoken::encode(&header, &json!({ "sub": "x" }), &signing_key(&key)).expect("a token")
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_verifies_with_every_form_of_pem() {
    let mut playground = Playground::start().await;
    let publish = json!([
        { "configMap": { "name": "all" }, "form": "PEM" },
        { "configMap": { "name": "signer", "key": "public.pem" }, "form": "PEMSigner" },
        { "secret": { "name": "each" }, "form": "PEMPerKey" },
    ]);
    let keys = json!([unannounced("signing", "RS256"), unannounced("other", "EdDSA")]);
    playground.apply("shop", "payments", json!({ "keys": keys, "signer": "signing", "publish": publish })).await;
    playground.until_ready("shop", "payments").await;
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let secrets = playground.control_plane.api::<Secret>("shop");
    let pem = async |name: &str, key: &str| maps.get(name).await.expect("a ConfigMap").data.expect("data")[key].clone();

    let kids = playground.remote_kids("shop.payments");
    let (signer, other) = (kids[0].as_str(), kids[1].as_str());
    let token = token(&playground, signer);
    let (all, alone) = (pem("all", "keys.pem").await, pem("signer", "public.pem").await);
    assert!(verifies(&all, &token) && verifies(&alone, &token));
    assert_eq!((all.matches("BEGIN PUBLIC KEY").count(), alone.matches("BEGIN PUBLIC KEY").count()), (2, 1));
    let each = secrets.get("each").await.expect("a Secret").data.expect("data");
    let file = |kid: &str| String::from_utf8(each[&kid.replace('.', "_")].0.clone()).expect("text");
    assert!(each.len() == 2 && verifies(&file(signer), &token) && !verifies(&file(other), &token));

    // An edited one is put back, a restart writes nothing.
    maps.patch("all", &PatchParams::default(), &Patch::Merge(json!({ "data": { "keys.pem": alone, "x": "y" } }))).await.expect("patched");
    eventually("it is put back", async || {
        (maps.get("all").await.ok()?.data? == [("keys.pem".to_owned(), all.clone())].into()).then_some(())
    })
    .await;
    let version = async || {
        (
            maps.get("all").await.expect("a ConfigMap").metadata.resource_version,
            secrets.get("each").await.expect("a Secret").metadata.resource_version,
        )
    };
    let before = version().await;
    playground.stop_operator().await;
    playground.start_operator().await;
    playground.apply("shop", "later", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "later").await;
    assert_eq!(version().await, before);

    // What is revoked leaves every form.
    playground.apply("shop", "payments", json!({ "keys": keys, "signer": "signing", "publish": publish, "revoke": [signer] })).await;
    eventually("it has left", async || {
        let each = secrets.get("each").await.ok()?.data?;
        let has_left = !each.contains_key(&signer.replace('.', "_")) && each.len() == 2;
        (has_left && !verifies(&pem("all", "keys.pem").await, &token) && !verifies(&pem("signer", "public.pem").await, &token))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_makes_no_sense_is_refused() {
    let playground = Playground::without_operator().await;
    let refused = async |target: Value| {
        let spec = json!({ "keys": [generated("signing", "ES256")], "publish": [target] });
        playground.try_apply("shop", "payments", spec).await.expect_err("refused").to_string()
    };
    for (target, why) in [
        (json!({ "configMap": { "name": "a" }, "form": "DER" }), "PEMPerKey"),
        (json!({ "configMap": { "name": "a", "key": "b" }, "form": "PEMPerKey" }), "remove key"),
        (json!({ "secret": { "name": "a", "key": "b" }, "form": "PEMPerKey" }), "remove key"),
        (json!({ "secret": { "name": "a", "content": "Private" }, "form": "JWKS" }), "write secret.layout instead"),
        (json!({ "secret": { "name": "a", "layout": "Array" } }), "layout requires content: Private"),
    ] {
        let message = refused(target.clone()).await;
        assert!(message.contains(why), "{target}: {message}");
    }
}
