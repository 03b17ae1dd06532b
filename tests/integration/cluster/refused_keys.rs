//! Keys that the admin API refuses: they stand in nobody else's way.

use http::StatusCode;
use jwk_operator::hydra::emulator::{Effect, Fault};
use serde_json::json;

use super::{
    operator::{Playground, unannounced},
    wait::eventually,
};

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_key_stops_neither_the_others_nor_a_revocation() {
    let playground = Playground::start().await;
    let partner = json!({
        "kid": "partner-1", "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    });
    let keys = json!([{ "name": "partner", "public": partner }, unannounced("one", "ES256"), unannounced("two", "ES256")]);
    playground.emulator.faults().add(Fault::new(Effect::status(StatusCode::BAD_REQUEST)).kid("partner-1").writes().always());
    playground.apply("shop", "payments", json!({ "keys": keys, "signer": "one" })).await;
    let status = playground.until_reason("shop", "payments", "AdminApiRefused").await;
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready");
    assert!(ready.message.contains("kid partner-1") && ready.message.contains("goes on"), "{}", ready.message);
    let private = eventually("both other keys are made", async || {
        let private = playground.private_kids("shop.payments");
        (private.len() == 2).then_some(private)
    })
    .await;

    let revoked = private.iter().find(|kid| kid.contains(".one.")).expect("the signer").clone();
    playground.apply("shop", "payments", json!({ "keys": keys, "signer": "one", "revoke": [revoked] })).await;
    eventually("the revoked key is gone", async || (!playground.remote_kids("shop.payments").contains(&revoked)).then_some(())).await;

    playground.emulator.faults().clear();
    let status = playground.until_ready("shop", "payments").await;
    assert!(status.kids.iter().any(|kid| kid == "partner-1"), "{:?}", status.kids);
}

/// No path names the kid `..`, so that nothing can be done with such a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_named_in_a_path_stops_no_other() {
    let playground = Playground::start().await;
    for kid in ["..", "theirs"] {
        playground.emulator.store().create("shop.payments", Some(kid), "ES256", "sig").expect("a key");
    }
    let spec = json!({ "keys": [unannounced("signing", "ES256")], "unmanagedKeys": "Delete" });
    playground.apply("shop", "payments", spec).await;
    playground.until_reason("shop", "payments", "AdminApiRefused").await;
    eventually("the other foreign key is retired", async || {
        let private = playground.private_kids("shop.payments");
        (!private.iter().any(|kid| kid == "theirs") && private.len() == 2).then_some(())
    })
    .await;
}
