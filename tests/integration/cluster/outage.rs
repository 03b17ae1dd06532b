//! The admin API is not there.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::{
    operator::{Playground, generated},
    wait::eventually,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_admin_api_goes_on_by_itself() {
    let mut playground = Playground::without_operator().await;
    playground.emulator.stop().await;
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
    playground.start_operator().await;
    for name in ["one", "two", "three"] {
        playground.apply("shop", name, json!({ "keys": [generated("signing", "ES256")] })).await;
        playground.until_reason("shop", name, "AdminApiUnavailable").await;
    }
    assert_eq!(playground.admin_api_reason().await.as_deref(), Some("AdminApiUnavailable"));

    playground.emulator.resume().await.expect("up");
    for name in ["one", "two", "three"] {
        playground.until_ready("shop", name).await;
    }
    eventually("the AdminApi says so", async || playground.admin_api_reason().await.filter(|reason| reason == "AsPlanned")).await;

    // An outage does not turn a set red: what is published is still right.
    playground.emulator.stop().await;
    eventually("the AdminApi says so", async || playground.admin_api_reason().await.filter(|reason| reason == "AdminApiUnavailable")).await;
    playground.until_ready("shop", "one").await;

    // It blocks a deletion, with a way out.
    playground.sets("shop").delete("one", &DeleteParams::default()).await.expect("deleted");
    playground.sets("shop").delete("two", &DeleteParams::default()).await.expect("deleted");
    let blocked = playground.until("shop", "one", "DeletionBlocked", "True").await;
    let condition = blocked.conditions.iter().find(|condition| condition.type_ == "DeletionBlocked").expect("blocked");
    assert!(condition.message.contains("deletionPolicy"), "{}", condition.message);
    playground.until("shop", "two", "DeletionBlocked", "True").await;
    let retain = json!({ "spec": { "deletionPolicy": "Retain" } });
    playground.sets("shop").patch("two", &PatchParams::default(), &Patch::Merge(retain)).await.expect("patched");
    playground.until_gone("shop", "two").await;

    playground.emulator.resume().await.expect("up");
    playground.until_gone("shop", "one").await;
    assert!(playground.remote("shop.one").is_empty());
    assert_eq!(playground.remote("shop.two").len(), 1, "left on purpose");
}
