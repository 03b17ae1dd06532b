//! What a set costs, counted at the servers.

use std::collections::BTreeSet;

use jwk_operator::hydra::emulator::EmulatedOperation;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{
    operator::{Playground, generated},
    wait::eventually,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_key_costs_three_writes_and_three_calls_and_rest_costs_one_look() {
    let playground = Playground::start().await;
    let writes = |playground: &Playground| {
        playground
            .control_plane
            .operator_requests()
            .into_iter()
            .filter(|(verb, resource)| verb != "get" && !resource.starts_with("events") && !resource.starts_with("adminapis"))
            .collect::<Vec<_>>()
    };
    let before = writes(&playground);
    playground.emulator.calls().clear();

    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    let calls: Vec<_> = playground.emulator.calls().all().into_iter().filter_map(|call| call.operation).collect();
    let written = writes(&playground)[before.len()..].to_vec();
    assert!(written.len() <= 3, "{written:?}");
    assert!(calls.len() <= 3, "{calls:?}");
    assert_eq!(calls.iter().filter(|operation| **operation == EmulatedOperation::CreateKey).count(), 1);

    // At rest: three resyncs later nothing was asked of Kubernetes, and of the admin API one reading for each.
    playground.looks("shop.payments", 1).await;
    let requests = playground.control_plane.operator_requests().len();
    playground.emulator.calls().clear();
    playground.looks("shop.payments", 3).await;
    let rest = playground.control_plane.operator_requests();
    assert_eq!(rest.len(), requests, "{:?}", &rest[requests..]);
    let calls = playground.emulator.calls().all();
    assert!(calls.iter().filter_map(|call| call.operation).all(|operation| operation == EmulatedOperation::GetSet), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_key_set_of_every_kind_comes_to_rest_and_ends_orderly() {
    let mut playground = Playground::start().await;
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "60s" })).await;
    let algorithms = ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS512"];
    let keys: Vec<_> = algorithms.iter().map(|alg| generated(&alg.to_lowercase(), alg)).collect();
    playground.apply("shop", "all", json!({ "keys": keys, "signer": "eddsa" })).await;
    let status = playground.until_ready("shop", "all").await;
    assert_eq!(status.key_count, Some(8));
    assert!(status.signer.as_deref().is_some_and(|kid| kid.starts_with("shop.all.eddsa.")), "{:?}", status.signer);
    assert_eq!(status.signer, playground.private_kids("shop.all").first().cloned());
    assert_eq!(status.on_delete, Some(jwk_operator::api::DeletionPolicy::Delete));

    let before = playground.remote_kids("shop.all");
    assert!(playground.stop_operator().await.success(), "an orderly end is no failure");
    assert_eq!(playground.remote_kids("shop.all"), before);
}

/// A start lists the targets in pages: a set at rest costs one look at the admin API, the staged set is not asked for, and nothing of
/// Kubernetes. What was edited meanwhile is known from the list.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_costs_one_look_for_each_set_and_no_request_of_kubernetes() {
    /// More than one page of targets.
    const SETS: usize = 30;
    let mut playground = Playground::without_operator().await;
    let access = json!([{ "namespaces": { "all": true }, "sets": ["{namespace}.*"], "privateExport": true }]);
    playground.admin_api(json!({ "resyncInterval": "1h", "access": access })).await;
    playground.start_operator().await;
    let name = |number: usize| format!("set-{number}");
    for number in 0..SETS {
        let private = json!({ "secret": { "name": format!("set-{number}-private"), "content": "Private", "layout": "JWKS" } });
        let publish = json!([{ "configMap": { "name": format!("set-{number}-jwks") } }, private]);
        playground.apply("shop", &name(number), json!({ "keys": [generated("signing", "ES256")], "publish": publish })).await;
    }
    for number in 0..SETS {
        playground.until_ready("shop", &name(number)).await;
    }
    playground.stop_operator().await;
    let maps = playground.control_plane.api::<ConfigMap>("shop");
    let edit = Patch::Merge(json!({ "data": { "jwks.json": "{}" } }));
    maps.patch("set-7-jwks", &PatchParams::default(), &edit).await.expect("edited");

    playground.emulator.calls().clear();
    let before = playground.control_plane.operator_requests().len();
    playground.start_operator().await;
    let looks = |playground: &Playground| {
        let calls = playground.emulator.calls().all().into_iter().filter(|call| call.operation == Some(EmulatedOperation::GetSet));
        calls.filter_map(|call| call.set).filter(|set| set.starts_with("shop.")).collect::<Vec<_>>()
    };
    eventually("every set was looked at", async || {
        let seen: BTreeSet<_> = looks(&playground).into_iter().collect();
        (0..SETS).all(|number| seen.contains(&format!("shop.set-{number}"))).then_some(())
    })
    .await;
    eventually("the edit is undone", async || {
        let data = maps.get("set-7-jwks").await.ok()?.data?;
        data["jwks.json"].contains("kid").then_some(())
    })
    .await;
    assert_eq!(looks(&playground).len(), SETS, "{:?}", looks(&playground));
    let requests = playground.control_plane.operator_requests().split_off(before);
    let of_sets: Vec<_> = requests.into_iter().filter(|(_, resource)| !resource.starts_with("adminapis")).collect();
    let (writes, reads): (Vec<_>, Vec<_>) = of_sets.iter().partition(|(verb, _)| verb != "get");
    let (events, writes): (Vec<_>, Vec<_>) = writes.into_iter().partition(|(_, resource)| resource.starts_with("events"));
    assert!(writes.len() == 1 && writes[0].0 == "patch" && events.len() <= 1, "{of_sets:?}");
    assert!(reads.is_empty(), "{of_sets:?}");
}
