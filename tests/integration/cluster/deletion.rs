//! Deletion, of one resource and of a whole namespace.

use jwk_operator::{
    api::DeletionPolicy,
    hydra::emulator::{Effect, Fault},
};
use k8s_openapi::api::core::v1::{Event, Namespace};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::{
    operator::{Playground, generated},
    wait::eventually,
};

/// The operator sees that a resource vanished and nobody knows why: its remote set stays.
async fn a_resource_that_vanishes_in_a_gap_of_the_watch_keeps_its_set(namespaces: &[&'static str]) {
    let roles = if namespaces.is_empty() { "cluster.yaml" } else { "namespaces.yaml" };
    let watched = namespaces.iter().flat_map(|namespace| ["--watch-namespace", namespace]);
    // The Lease cannot be renewed in the gap.
    let arguments: Vec<_> = watched.chain(["--leader-election=false"]).collect();
    let mut playground = Playground::with_roles(roles, &arguments).await;
    playground.control_plane.namespace("bank").await;
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
    playground.start_operator().await;
    for name in ["payments", "orders"] {
        playground.apply("shop", name, json!({ "keys": [generated("signing", "ES256")] })).await;
        playground.until_ready("shop", name).await;
    }
    let kids = playground.remote_kids("shop.payments");
    // As if somebody had taken its finalizer away and deleted it while the API server could not be reached.
    let removed = playground.control_plane.remove_from_store("jwk-operator.dev/jsonwebkeysets/shop/payments");
    playground.control_plane.while_the_api_server_is_down(removed).await;
    eventually("the operator says that the set stays", async || {
        playground.logged().contains("Left set shop.payments as it is").then_some(())
    })
    .await;
    let events = playground.control_plane.api::<Event>("shop");
    eventually("an event says so", async || {
        let told = events.list(&ListParams::default()).await.ok()?.items;
        told.iter()
            .any(|event| {
                event.reason.as_deref() == Some("SetOrphaned")
                    && event.message.as_ref().is_some_and(|note| note.contains("Left set shop.payments as it is"))
            })
            .then_some(())
    })
    .await;
    // Longer than a cleanup would take.
    playground.looks("shop.orders", 3).await;
    assert_eq!(playground.remote_kids("shop.payments"), kids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_stays_that_vanished_from_one_watch() {
    a_resource_that_vanishes_in_a_gap_of_the_watch_keeps_its_set(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_stays_that_vanished_from_one_of_several_watches() {
    a_resource_that_vanishes_in_a_gap_of_the_watch_keeps_its_set(&["shop", "bank"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_with_twenty_resources_leaves_no_remote_set() {
    let playground = Playground::start().await;
    playground.control_plane.namespace("many").await;
    for index in 0..20 {
        playground.apply("many", &format!("set-{index}"), json!({ "keys": [generated("signing", "ES256")] })).await;
    }
    for index in 0..20 {
        playground.until_ready("many", &format!("set-{index}")).await;
    }
    assert_eq!(playground.emulator.store().sets().len(), 20);
    let namespaces = Api::<Namespace>::all(playground.control_plane.administrator.clone());
    namespaces.delete("many", &DeleteParams::default()).await.expect("deleted");
    eventually("the namespace is gone", async || namespaces.get_opt("many").await.ok()?.is_none().then_some(())).await;
    let sets: Vec<String> = playground.emulator.store().sets().keys().cloned().collect();
    assert!(sets.is_empty(), "{sets:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_stays_and_what_was_created_goes() {
    let playground = Playground::start().await;
    // Somebody had a key in one of the sets before.
    playground.emulator.store().create("shop.found", Some("theirs"), "ES256", "sig").expect("a key");
    playground.apply("shop", "found", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.apply("shop", "created", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.apply("shop", "retained", json!({ "keys": [generated("signing", "ES256")], "deletionPolicy": "Retain" })).await;
    playground
        .apply("shop", "removed", json!({ "set": "shop.found2", "keys": [generated("signing", "ES256")], "deletionPolicy": "Delete" }))
        .await;
    let found = playground.until_ready("shop", "found").await;
    assert_eq!(found.on_delete, Some(DeletionPolicy::Retain));
    for name in ["created", "retained", "removed"] {
        playground.until_ready("shop", name).await;
    }
    playground.emulator.store().create("shop.found2", Some("theirs"), "ES256", "sig").expect("a key");
    playground.looks("shop.found2", 1).await;
    playground.until_ready("shop", "removed").await;
    for name in ["found", "created", "retained", "removed"] {
        playground.sets("shop").delete(name, &DeleteParams::default()).await.expect("deleted");
        playground.until_gone("shop", name).await;
    }
    assert_eq!(playground.remote("shop.found").len(), 2, "found and left");
    assert!(playground.remote("shop.created").is_empty());
    assert_eq!(playground.remote("shop.retained").len(), 1);
    assert_eq!(playground.remote_kids("shop.found2"), ["theirs"], "only own keys go");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_resources_that_claim_one_set_the_older_owns_it_until_it_is_gone() {
    let playground = Playground::start().await;
    playground.apply("shop", "older", json!({ "set": "shop.one", "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "older").await;
    let kids = playground.remote_kids("shop.one");
    // Creation times have whole seconds.
    let created = playground.sets("shop").get("older").await.expect("there").metadata.creation_timestamp;
    eventually("the next second begins", async || {
        (k8s_openapi::jiff::Timestamp::now().as_second() > created.as_ref()?.0.as_second()).then_some(())
    })
    .await;
    for name in ["younger", "youngest"] {
        playground.apply("shop", name, json!({ "set": "SHOP.one", "keys": [generated("signing", "ES256")] })).await;
        let status = playground.until_reason("shop", name, "SetConflict").await;
        assert!(
            status.conditions.iter().any(|condition| condition.type_ == "Stalled" && condition.message.contains("JsonWebKeySet older"))
        );
    }
    playground.sets("shop").delete("youngest", &DeleteParams::default()).await.expect("deleted");
    playground.until_gone("shop", "youngest").await;
    assert_eq!(playground.remote_kids("shop.one"), kids, "who lost touches nothing");

    playground.sets("shop").delete("older", &DeleteParams::default()).await.expect("deleted");
    playground.until_gone("shop", "older").await;
    playground.until_ready("shop", "younger").await;
    assert!(playground.remote("shop.one").is_empty());
    assert_eq!(playground.remote("SHOP.one").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_in_spite_of_its_finalizer_leaves_no_key_behind() {
    let playground = Playground::start().await;
    playground.apply("shop", "payments", json!({ "set": "shop.one", "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    let kids = playground.remote_kids("shop.one");
    let created = playground.sets("shop").get("payments").await.expect("there").metadata.creation_timestamp;
    eventually("the next second begins", async || {
        (k8s_openapi::jiff::Timestamp::now().as_second() > created.as_ref()?.0.as_second()).then_some(())
    })
    .await;
    // As the API server does when the finalizer is written while it deletes.
    playground
        .emulator
        .faults()
        .add(Fault::new(Effect::status(http::StatusCode::SERVICE_UNAVAILABLE)).method(http::Method::DELETE).always());
    playground.control_plane.remove_from_store("jwk-operator.dev/jsonwebkeysets/shop/payments").await;
    eventually("the operator tries to clean up", async || {
        let calls = playground.emulator.calls();
        (calls.count(|call| call.method == http::Method::DELETE) > 0).then_some(())
    })
    .await;
    // Who comes next gets neither the set before that is done, nor the key of the one before.
    playground.apply("shop", "successor", json!({ "set": "shop.one", "keys": [generated("signing", "ES256")] })).await;
    playground.until_reason("shop", "successor", "SetConflict").await;
    assert_eq!(playground.remote_kids("shop.one"), kids);
    playground.emulator.faults().clear();
    playground.until_ready("shop", "successor").await;
    let successor = playground.remote_kids("shop.one");
    assert!(successor.len() == 1 && successor != kids, "{successor:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_the_finalizer_away_keeps_the_remote_set() {
    let playground = Playground::start().await;
    for name in ["payments", "orders"] {
        playground.apply("shop", name, json!({ "keys": [generated("signing", "ES256")] })).await;
        playground.until_ready("shop", name).await;
    }
    let kids = playground.remote_kids("shop.payments");
    playground
        .emulator
        .faults()
        .add(Fault::new(Effect::status(http::StatusCode::SERVICE_UNAVAILABLE)).method(http::Method::DELETE).always());
    playground.sets("shop").delete("payments", &DeleteParams::default()).await.expect("deleted");
    playground.until("shop", "payments", "DeletionBlocked", "True").await;
    let stripped = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    playground.sets("shop").patch("payments", &PatchParams::default(), &stripped).await.expect("patched");
    playground.until_gone("shop", "payments").await;
    playground.emulator.faults().clear();
    // Longer than a cleanup would take.
    playground.looks("shop.orders", 3).await;
    assert_eq!(playground.remote_kids("shop.payments"), kids);
}
