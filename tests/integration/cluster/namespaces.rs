//! The operator with the roles for a list of namespaces, and no more.

use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::ConfigMap,
};
use kube::{Api, api::PostParams};
use serde_json::json;

use super::{
    control_plane::HOME,
    operator::{Playground, generated},
    wait::eventually,
};

/// Whether the operator may do something.
async fn may(playground: &Playground, verb: &str, group: &str, resource: &str, namespace: Option<&str>) -> bool {
    let operator = playground.control_plane.client_of(HOME, "jwk-operator").await;
    let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(resource, sub)| (resource, Some(sub.to_owned())));
    let asked = ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(asked), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::<SelfSubjectAccessReview>::all(operator).create(&PostParams::default(), &review).await.expect("a review");
    answer.status.expect("a status").allowed
}

/// The main job in one namespace: made, published, repaired, deleted.
async fn main_job(playground: &Playground, namespace: &str) {
    let set = format!("{namespace}.payments");
    playground.apply(namespace, "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    let status = playground.until_ready(namespace, "payments").await;
    let lost = status.signer.expect("a signer");
    let maps = playground.control_plane.api::<ConfigMap>(namespace);
    assert!(maps.get("payments-jwks").await.expect("a ConfigMap").data.expect("data")["jwks.json"].contains(&lost));
    playground.emulator.store().delete_key(&set, &lost);
    eventually("another key signs", async || playground.private_kids(&set).first().filter(|kid| **kid != lost).map(|_| ())).await;
    playground.sets(namespace).delete("payments", &Default::default()).await.expect("deleted");
    playground.until_gone(namespace, "payments").await;
    assert!(playground.remote(&set).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_needs_no_more_than_the_roles_for_its_namespaces() {
    let arguments = ["--watch-namespace", "shop", "--watch-namespace", "bank"];
    let mut playground = Playground::with_roles("namespaces.yaml", &arguments).await;
    playground.control_plane.namespace("bank").await;
    playground.control_plane.namespace("elsewhere").await;
    let selector = json!({ "matchExpressions": [{ "key": "kubernetes.io/metadata.name", "operator": "Exists" }] });
    let access = json!([{ "namespaces": { "selector": selector }, "sets": ["{namespace}.*"] }]);
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s", "access": access })).await;
    playground.start_operator().await;
    playground.apply("elsewhere", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    main_job(&playground, "shop").await;
    main_job(&playground, "bank").await;
    assert!(playground.remote("elsewhere.payments").is_empty(), "it works where it was not told to");
    assert_eq!(playground.control_plane.forbidden_requests(), Vec::<String>::new());
    for (verb, group, resource, namespace) in [
        ("get", "", "secrets", Some("elsewhere")),
        ("list", "", "secrets", None),
        ("create", "", "configmaps", Some("elsewhere")),
        ("patch", "", "secrets", Some("jwk-operator")),
        ("list", "", "namespaces", None),
        ("patch", "jwk-operator.dev", "jsonwebkeysets", Some("elsewhere")),
    ] {
        assert!(!may(&playground, verb, group, resource, namespace).await, "it may {verb} {resource} in {namespace:?}");
    }
    assert!(may(&playground, "get", "", "secrets", Some("shop")).await, "the question is asked rightly");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_not_do_what_it_need_not() {
    let mut playground = Playground::start().await;
    main_job(&playground, "shop").await;
    assert_eq!(playground.control_plane.forbidden_requests(), Vec::<String>::new());
    for (verb, group, resource) in [
        ("create", "", "pods"),
        ("create", "", "pods/exec"),
        ("create", "", "serviceaccounts/token"),
        ("impersonate", "", "users"),
        ("patch", "", "namespaces"),
        ("update", "", "secrets"),
        ("deletecollection", "", "secrets"),
        ("create", "jwk-operator.dev", "jsonwebkeysets"),
        ("delete", "jwk-operator.dev", "jsonwebkeysets"),
        ("create", "jwk-operator.dev", "adminapis"),
        ("delete", "jwk-operator.dev", "adminapis"),
        ("bind", "rbac.authorization.k8s.io", "clusterroles"),
        ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
        ("create", "rbac.authorization.k8s.io", "rolebindings"),
        ("patch", "apiextensions.k8s.io", "customresourcedefinitions"),
    ] {
        assert!(!may(&playground, verb, group, resource, Some("shop")).await, "it may {verb} {resource}");
    }
    assert!(playground.stop_operator().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_view_a_namespace_sees_key_sets_and_changes_none() {
    let playground = Playground::start().await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    playground.control_plane.bind("shop", "viewer", "view").await;
    let viewer = playground.control_plane.client_of("shop", "viewer").await;
    let sets = Api::<jwk_operator::api::JsonWebKeySet>::namespaced(viewer, "shop");
    let seen = eventually("the role counts", async || sets.get("payments").await.ok()).await;
    assert!(seen.status.is_some_and(|status| status.signer.is_some()), "the status is part of what is seen");
    let patch = kube::api::Patch::Merge(json!({ "spec": { "mode": "Observe" } }));
    let refused = [
        sets.patch("payments", &Default::default(), &patch).await.map(|_| ()),
        sets.patch_status("payments", &Default::default(), &patch).await.map(|_| ()),
        sets.delete("payments", &Default::default()).await.map(|_| ()),
    ];
    for outcome in refused {
        assert!(matches!(&outcome, Err(kube::Error::Api(status)) if status.code == 403), "{outcome:?}");
    }
}
