//! Nobody waits for another tenant or another server: neither for edits, nor for slow keys, nor for a server that never answers.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, extract::Request, routing::get};
use futures::{StreamExt as _, stream};
use http::Method;
use jwk_operator::hydra::emulator::{Effect, Emulator, EmulatorOptions, Fault};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    operator::{Playground, generated, unannounced},
    wait::eventually,
};

/// What anybody may be delayed by others.
const TOLERATED: Duration = Duration::from_secs(5);

/// Writes another AdminApi, with the default limits and timeouts.
async fn admin_api(playground: &Playground, name: &str, url: &str) {
    let spec = json!({ "url": url, "access": [{ "namespaces": { "all": true }, "sets": ["{namespace}.*"] }] });
    let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": name }, "spec": spec });
    playground.control_plane.apply(object).await.expect("an AdminApi");
}

/// A playground with default limits and timeouts, and the usual time between resyncs.
async fn playground() -> Playground {
    let mut playground = Playground::without_operator().await;
    playground.control_plane.namespace("bank").await;
    playground.admin_api(json!({})).await;
    playground.start_operator().await;
    playground
}

async fn apply_many(playground: &Playground, namespace: &str, count: usize, spec: impl Fn(usize) -> Value) {
    let applied = stream::iter(0..count).map(|number| {
        let spec = spec(number);
        async move { playground.apply(namespace, &format!("set-{number}"), spec).await }
    });
    applied.buffer_unordered(16).collect::<Vec<_>>().await;
}

/// A server that says that it is ready, and answers nothing else. It counts how often it is asked for sets.
async fn silent_server(asked: Arc<AtomicUsize>) -> String {
    let answer = |body: &'static str| get(move || async move { ([("content-type", "application/json")], body) });
    let silent = move |request: Request| {
        asked.fetch_add(usize::from(request.uri().path().contains("/keys/shop.")), Ordering::Relaxed);
        pending::<&'static str>()
    };
    let router = Router::new()
        .route("/health/ready", answer(r#"{"status":"ok"}"#))
        .route("/version", answer(r#"{"version":"v26.2.0"}"#))
        .fallback(silent);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// How long a fresh set takes until it is Ready.
async fn fresh_set(playground: &Playground, namespace: &str, name: &str) -> Duration {
    let started = Instant::now();
    playground.apply(namespace, name, json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready(namespace, name).await;
    started.elapsed()
}

/// How long it takes until a revoked key is gone from the set and its ConfigMap.
async fn revocation(playground: &Playground, admin: &Emulator, namespace: &str, name: &str) -> Duration {
    let kid = playground.until_ready(namespace, name).await.signer.expect("a signer");
    let started = Instant::now();
    let patch = json!({ "spec": { "revoke": [kid] } });
    playground.sets(namespace).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("changed");
    let maps = playground.control_plane.api::<ConfigMap>(namespace);
    eventually("the revoked key is gone", async || {
        let map = maps.get(&format!("{name}-jwks")).await.ok()?;
        let is_published = map.data.iter().flatten().any(|(_, text)| text.contains(&kid));
        let is_there = admin.store().get_key(&format!("{namespace}.{name}"), &kid).is_ok();
        (!is_published && !is_there).then_some(())
    })
    .await;
    started.elapsed()
}

/// Waits until the pass over a set is over: from then on an edit of its target is put back without a look at the set.
async fn until_at_rest(playground: &Playground, maps: &Api<ConfigMap>, number: usize) {
    let (set, map) = (format!("shop.set-{number}"), format!("set-{number}-jwks"));
    let looks = || playground.emulator.calls().count(|call| call.set.as_ref() == Some(&set));
    let holds_edit = async || maps.get(&map).await.ok()?.data.map(|data| data.contains_key("probe"));
    eventually("an edit costs no look", async || {
        let before = looks();
        let edit = Patch::Merge(json!({ "data": { "probe": before.to_string() } }));
        maps.patch(&map, &PatchParams::default(), &edit).await.ok()?;
        eventually("the edit is put back", async || (holds_edit().await == Some(false)).then_some(())).await;
        (looks() == before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_targets_delay_nobody_and_cost_no_look_at_the_set() {
    let playground = playground().await;
    apply_many(&playground, "shop", 20, |_| json!({ "keys": [generated("signing", "ES256")] })).await;
    for number in 0..20 {
        playground.until_ready("shop", &format!("set-{number}")).await;
    }
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let published = |map: &ConfigMap| map.data.as_ref().and_then(|data| data.get("jwks.json")).cloned();
    let before = published(&maps.get("set-0-jwks").await.expect("a ConfigMap")).expect("a document");
    for number in 0..20 {
        until_at_rest(&playground, &maps, number).await;
    }
    playground.emulator.calls().clear();

    let stop = Arc::new(AtomicBool::new(false));
    let editing = (0..4).map(|editor| {
        let (maps, stop) = (maps.clone(), stop.clone());
        tokio::spawn(async move {
            let mut edits = 0_usize;
            while !stop.load(Ordering::Relaxed) {
                let patch = json!({ "data": { "jwks.json": format!("{editor} {edits}") } });
                let name = format!("set-{}-jwks", (edits * 4 + editor) % 20);
                // One of these may be gone for a moment, or be put back right now.
                let _ = maps.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await;
                edits += 1;
            }
            edits
        })
    });
    let editing: Vec<_> = editing.collect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for number in 0..3 {
        let took = fresh_set(&playground, "bank", &format!("set-{number}")).await;
        assert!(took < TOLERATED, "a fresh set of another namespace took {took:?}");
    }
    stop.store(true, Ordering::Relaxed);
    let mut edits = 0;
    for editor in editing {
        edits += editor.await.expect("an end");
    }
    assert!(edits > 100, "{edits} edits");
    let looks = playground.emulator.calls().count(|call| call.set.as_deref().is_some_and(|set| set.starts_with("shop.")));
    assert_eq!(looks, 0, "{edits} edits of targets led to requests for their sets");
    eventually("the last edit is put back", async || {
        let found = published(&maps.get("set-0-jwks").await.ok()?)?;
        (found == before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_generation_delays_neither_revocations_nor_other_servers() {
    let playground = playground().await;
    let slow = Emulator::start(EmulatorOptions::default()).await.expect("an emulator");
    admin_api(&playground, "slow", slow.url()).await;
    let entries = |count: usize| (0..count).map(|entry| unannounced(&format!("key-{entry}"), "ES256")).collect::<Vec<_>>();
    let at_slow = |count: usize| json!({ "adminApiRef": { "name": "slow" }, "keys": entries(count), "signer": "key-0" });
    playground.apply("bank", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.apply("bank", "invoices", at_slow(2)).await;
    playground.until_ready("bank", "payments").await;
    playground.until_ready("bank", "invoices").await;

    slow.faults().add(Fault::new(Effect::DelayBefore(Duration::from_secs(3))).method(Method::POST).always());
    apply_many(&playground, "shop", 20, |_| at_slow(8)).await;
    eventually("the slow server makes keys", async || {
        (slow.calls().count(|call| call.method == Method::POST && call.set.as_deref().is_some_and(|set| set.starts_with("shop."))) > 2)
            .then_some(())
    })
    .await;
    // Another key of the set signs, so that the revoked one need not wait for its successor.
    let here = revocation(&playground, &slow, "bank", "invoices").await;
    assert!(here < TOLERATED, "a revocation behind the same AdminApi took {here:?}");
    let elsewhere = revocation(&playground, &playground.emulator, "bank", "payments").await;
    assert!(elsewhere < TOLERATED, "a revocation behind another AdminApi took {elsewhere:?}");
    let took = fresh_set(&playground, "bank", "orders").await;
    assert!(took < TOLERATED, "a fresh set behind another AdminApi took {took:?}");
    assert!(playground.logged().contains("slow"), "the slow AdminApi is at work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_delays_nobody_else() {
    let playground = playground().await;
    let asked = Arc::new(AtomicUsize::new(0));
    admin_api(&playground, "dead", &silent_server(asked.clone()).await).await;
    apply_many(&playground, "shop", 40, |_| json!({ "adminApiRef": { "name": "dead" }, "keys": [generated("signing", "ES256")] })).await;
    eventually("the dead server is asked", async || (asked.load(Ordering::Relaxed) > 4).then_some(())).await;
    for number in 0..5 {
        let took = fresh_set(&playground, "bank", &format!("set-{number}")).await;
        assert!(took < TOLERATED, "a fresh set behind another AdminApi took {took:?}");
    }
    let took = revocation(&playground, &playground.emulator, "bank", "set-0").await;
    assert!(took < TOLERATED, "a revocation behind another AdminApi took {took:?}");
}

/// With one request and one key at a time, what a pass holds for its next write must not be what it waits for itself.
#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_is_enough() {
    let mut playground = Playground::without_operator().await;
    playground.admin_api(json!({ "limits": { "concurrency": 1, "generations": 1, "requestsPerSecond": 50, "burst": 1 } })).await;
    playground.start_operator().await;
    let entries: Vec<_> = ["one", "two", "three"].into_iter().map(|name| unannounced(name, "ES256")).collect();
    apply_many(&playground, "shop", 6, |_| json!({ "keys": entries, "signer": "one" })).await;
    for number in 0..6 {
        let status = playground.until_ready("shop", &format!("set-{number}")).await;
        assert_eq!(status.key_count, Some(3));
    }
    let took = revocation(&playground, &playground.emulator, "shop", "set-0").await;
    assert!(took < TOLERATED, "a revocation took {took:?}");
}
