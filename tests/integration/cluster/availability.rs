//! Two operators: one works, the other takes over, and never do both write.

use std::time::{Duration, Instant};

use jwk_operator::hydra::emulator::{Effect, EmulatedOperation, Fault};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;

use super::{
    operator::{Operator, Playground, generated, unannounced},
    wait::eventually,
};

/// How long nobody may lead after the one that did is gone.
const TAKEOVER: Duration = Duration::from_secs(20);

/// Whose process holds the Lease: `one` or `two`.
async fn holder(playground: &Playground) -> Option<String> {
    let leases = Api::<Lease>::namespaced(playground.control_plane.administrator.clone(), "jwk-operator");
    let identity = leases.get("jwk-operator").await.ok()?.spec?.holder_identity?;
    Some(identity.split_once('_')?.0.to_owned())
}

async fn until_held_by(playground: &Playground, name: &str) {
    eventually(&format!("{name} leads"), async || holder(playground).await.filter(|holder| holder == name)).await;
}

/// A playground in which `one` leads and `two` stands by.
async fn two_operators() -> (Playground, Operator, Operator) {
    let mut playground = Playground::without_operator().await;
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
    let one = playground.spawn_operator("one", &[]).await;
    one.until_ready().await;
    until_held_by(&playground, "one").await;
    let two = playground.spawn_operator("two", &[]).await;
    two.until_ready().await;
    (playground, one, two)
}

async fn one_key_each(playground: &Playground, names: &[&str]) {
    for name in names {
        playground.until_ready("shop", name).await;
        let private = playground.private_kids(&format!("shop.{name}"));
        assert_eq!(private.len(), 1, "{name}: {private:?}");
    }
}

fn writes(playground: &Playground) -> usize {
    playground.emulator.calls().count(|call| call.method != http::Method::GET)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_is_followed_and_one_that_ends_orderly_at_once() {
    let (mut playground, mut one, two) = two_operators().await;
    playground.apply("shop", "before", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "before").await;

    // Killed while a key is on its way.
    playground.emulator.faults().add(Fault::new(Effect::DelayAfter(Duration::from_secs(1))).operation(EmulatedOperation::CreateKey));
    playground.apply("shop", "during", json!({ "keys": [generated("signing", "ES256")] })).await;
    eventually("a POST arrives", async || playground.private_kids("shop.during").first().cloned()).await;
    one.kill();
    let killed = Instant::now();
    until_held_by(&playground, "two").await;
    assert!(killed.elapsed() < TAKEOVER, "{:?}", killed.elapsed());
    playground.apply("shop", "after", json!({ "keys": [generated("signing", "ES256")] })).await;
    one_key_each(&playground, &["before", "during", "after"]).await;

    let mut one = playground.spawn_operator("one", &[]).await;
    one.until_ready().await;
    two.signal("TERM");
    let ended = Instant::now();
    until_held_by(&playground, "one").await;
    assert!(ended.elapsed() < Duration::from_secs(10), "what is given back is taken at once: {:?}", ended.elapsed());
    playground.apply("shop", "last", json!({ "keys": [generated("signing", "ES256")] })).await;
    one_key_each(&playground, &["before", "during", "after", "last"]).await;
    one.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_stopped_past_its_lease_writes_no_more() {
    let (playground, mut one, _two) = two_operators().await;
    // Stopped in the middle of its work: four keys are wanted, and it waits for the answer to the first.
    playground.emulator.faults().add(Fault::new(Effect::DelayAfter(Duration::from_secs(1))).operation(EmulatedOperation::CreateKey));
    let keys: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| unannounced(name, "ES256")).collect();
    playground.apply("shop", "many", json!({ "keys": keys, "signer": "a" })).await;
    eventually("a POST arrives", async || playground.private_kids("shop.many").first().cloned()).await;
    one.signal("STOP");
    until_held_by(&playground, "two").await;
    playground.until_ready("shop", "many").await;
    assert_eq!(playground.private_kids("shop.many").len(), 4);
    playground.apply("shop", "next", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "next").await;
    let (written, kids) = (writes(&playground), playground.remote_kids("shop.many"));

    one.signal("CONT");
    assert!(!one.until_ended().await.success(), "it ends because the Lease is lost");
    playground.looks("shop.many", 2).await;
    assert_eq!(writes(&playground), written, "nobody wrote");
    assert_eq!(playground.remote_kids("shop.many"), kids);
    assert_eq!(holder(&playground).await.as_deref(), Some("two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_restarts_makes_no_second_key() {
    let (mut playground, mut one, two) = two_operators().await;
    playground.apply("shop", "before", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "before").await;
    playground.control_plane.restart_api_server(Duration::ZERO).await;
    playground.apply("shop", "after", json!({ "keys": [generated("signing", "ES256")] })).await;
    one_key_each(&playground, &["before", "after"]).await;

    // Away for longer than the one that leads may write without it.
    let (written, kids) = (writes(&playground), playground.remote_kids("shop.before"));
    playground.control_plane.restart_api_server(Duration::from_secs(12)).await;
    assert_eq!(writes(&playground), written);
    let has_ended = one.has_ended();
    let mut again = playground.spawn_operator("three", &[]).await;
    eventually("somebody leads", async || holder(&playground).await.filter(|holder| !(has_ended && holder == "one"))).await;
    playground.apply("shop", "last", json!({ "keys": [generated("signing", "ES256")] })).await;
    one_key_each(&playground, &["before", "after", "last"]).await;
    assert_eq!(playground.remote_kids("shop.before"), kids);
    again.kill();
    drop(two);
}
