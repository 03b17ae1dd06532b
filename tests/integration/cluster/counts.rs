//! What a set costs, counted at the servers.

use jwk_operator::hydra::emulator::Operation;
use serde_json::json;

use super::operator::{Playground, generated};

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
    assert_eq!(calls.iter().filter(|operation| **operation == Operation::CreateKey).count(), 1);

    // At rest: three resyncs later nothing was asked of Kubernetes, and of the admin API one reading for each.
    playground.looks("shop.payments", 1).await;
    let requests = playground.control_plane.operator_requests().len();
    playground.emulator.calls().clear();
    playground.looks("shop.payments", 3).await;
    let rest = playground.control_plane.operator_requests();
    assert_eq!(rest.len(), requests, "{:?}", &rest[requests..]);
    let calls = playground.emulator.calls().all();
    assert!(calls.iter().filter_map(|call| call.operation).all(|operation| operation == Operation::GetSet), "{calls:?}");
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
