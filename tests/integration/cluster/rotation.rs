//! A rotation, watched from outside.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, jwk::JwkSet};
use jwk_operator::jwk::Jwk;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::{operator::Playground, wait::eventually};
use crate::signing::signing_key;

/// For how long a verifier may keep a copy of the ConfigMap.
const CACHED: Duration = Duration::from_secs(5);

/// What Hydra would sign now.
fn sign(key: &Jwk) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = key.kid().map(str::to_owned);
    jsonwebtoken::encode(&header, &json!({ "exp": 4_000_000_000_u64 }), &signing_key(key)).expect("a token")
}

fn verifies(token: &str, copy: &str) -> bool {
    let set: JwkSet = serde_json::from_str(copy).expect("a JWK Set");
    let kid = jsonwebtoken::decode_header(token).expect("a header").kid.expect("a kid");
    let Some(key) = set.find(&kid) else { return false };
    let key = DecodingKey::from_jwk(key).expect("a key");
    jsonwebtoken::decode::<Value>(token, &key, &Validation::new(Algorithm::ES256)).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_rotations_sign_nothing_that_a_cached_copy_cannot_verify() {
    let playground = Playground::start().await;
    playground.admin_api(json!({ "timeout": "2s", "limits": { "minRotationInterval": "10s" } })).await;
    let rotation = json!({ "interval": "20s", "prepublish": "5s", "retain": "5s" });
    let keys = json!([{ "name": "signing", "generate": { "alg": "ES256" }, "rotation": rotation }]);
    playground.apply("shop", "payments", json!({ "keys": keys })).await;
    playground.until_ready("shop", "payments").await;

    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let sets = playground.sets("shop");
    let mut copies: VecDeque<(Instant, String)> = VecDeque::new();
    let mut signers = BTreeSet::new();
    let mut two_since: Option<Instant> = None;
    let started = Instant::now();
    // The fourth signer ends the third rotation; it is watched until the third one is gone.
    while signers.len() < 4 || playground.remote("shop.payments").len() > 1 {
        assert!(started.elapsed() < Duration::from_secs(150), "the rotations take too long: {signers:?}");
        let map = maps.get("payments-jwks").await.expect("a ConfigMap").data.expect("data")["jwks.json"].clone();
        let read = Instant::now();
        copies.push_back((read, map));
        // Whoever read just before the oldest copy kept here reads again now.
        while copies.get(1).is_some_and(|(at, _)| read.duration_since(*at) >= CACHED) {
            copies.pop_front();
        }
        let live = playground.remote("shop.payments");
        let private: Vec<&Jwk> = live.iter().filter(|key| key.is_private()).collect();
        let signer = private.first().expect("somebody signs");
        signers.insert(signer.kid().expect("a kid").to_owned());
        let token = sign(signer);
        for (at, copy) in &copies {
            assert!(verifies(&token, copy), "{signer:?} signs, and a copy that is {:?} old cannot verify it: {copy}", at.elapsed());
        }
        two_since = (private.len() > 1).then(|| two_since.unwrap_or_else(Instant::now));
        assert!(two_since.is_none_or(|since| since.elapsed() < Duration::from_secs(2)), "two private keys for too long: {live:?}");
        let conditions = sets.get("payments").await.expect("there").status.expect("a status").conditions;
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready");
        assert_eq!(ready.status, "True", "{}: {}", ready.reason, ready.message);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(playground.remote("shop.payments~next").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_annotation_rotates_and_a_revoked_key_is_gone() {
    let playground = Playground::start().await;
    playground.admin_api(json!({ "timeout": "2s", "limits": { "minRotationInterval": "10s" } })).await;
    let keys = json!([{ "name": "signing", "generate": { "alg": "ES256" }, "rotation": { "prepublish": "5s", "retain": "1h" } }]);
    playground.apply("shop", "payments", json!({ "keys": keys })).await;
    let first = playground.until_ready("shop", "payments").await.signer.expect("a signer");

    // A moment ahead: a key of this very second would be the answer already.
    let asked = jiff::Timestamp::now() + Duration::from_secs(2);
    let annotation = json!({ "metadata": { "annotations": { "jwk-operator.dev/rotate-at": format!("{asked:.0}") } } });
    let sets = playground.sets("shop");
    sets.patch("payments", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(annotation)).await.expect("annotated");
    let second = eventually("another key signs", async || {
        let status = sets.get("payments").await.ok()?.status?;
        status.signer.filter(|signer| *signer != first)
    })
    .await;
    eventually("the annotation is answered", async || sets.get("payments").await.ok()?.status?.last_handled_rotate_at).await;
    assert_eq!(playground.private_kids("shop.payments").as_slice(), std::slice::from_ref(&second));

    playground.apply("shop", "payments", json!({ "keys": keys, "revoke": [second, first] })).await;
    playground.until_ready("shop", "payments").await;
    let left = playground.remote_kids("shop.payments");
    assert!(left.len() == 1 && !left.contains(&first) && !left.contains(&second), "{left:?}");
    let map = playground.control_plane.api::<ConfigMap>("shop").get("payments-jwks").await.expect("a ConfigMap");
    let document = &map.data.expect("data")["jwks.json"];
    assert!(!document.contains(&first) && !document.contains(&second) && document.contains(&left[0]), "{document}");
}
