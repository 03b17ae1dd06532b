//! A resource that was stored before its schema, or around it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::json;

use super::{
    operator::{Playground, generated},
    wait::eventually,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_unparsable_resource_is_told_so_and_stops_nobody() {
    let mut playground = Playground::start_alone().await;
    playground.apply("shop", "before", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "before").await;

    // The schema is relaxed on purpose, and something that no Rust type can read is stored.
    let crds = Api::<CustomResourceDefinition>::all(playground.control_plane.administrator.clone());
    let any = json!([{ "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec", "value": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
        { "op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/x-kubernetes-validations" }]);
    crds.patch(
        "jsonwebkeysets.jwk-operator.dev",
        &PatchParams::default(),
        &Patch::Json::<()>(serde_json::from_value(any).expect("a patch")),
    )
    .await
    .expect("relaxed");
    let stored = eventually("the relaxed schema is served", async || {
        playground.try_apply("shop", "broken", json!({ "keys": "c2VjcmV0LXZhbHVl", "publish": 7 })).await.ok()
    })
    .await;
    let () = stored;

    playground.apply("shop", "after", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "after").await;
    let broken: Api<DynamicObject> = Api::namespaced_with(
        playground.control_plane.administrator.clone(),
        "shop",
        &ApiResource::erase::<jwk_operator::api::JsonWebKeySet>(&()),
    );
    let message = eventually("it is told", async || {
        let status = broken.get("broken").await.ok()?.data["status"].clone();
        let ready = status["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Ready")?.clone();
        (ready["reason"] == "InvalidSpec").then(|| ready["message"].as_str().unwrap_or_default().to_owned())
    })
    .await;
    assert!(message.contains("cannot be read"), "{message}");
    assert!(!message.contains("c2VjcmV0"), "a value is repeated: {message}");

    // A new process lists it with the others and goes on all the same.
    playground.kill_operator();
    playground.start_operator().await;
    playground.apply("shop", "later", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "later").await;
    assert!(!playground.logged().contains("c2VjcmV0"), "a value is in the log");
}
