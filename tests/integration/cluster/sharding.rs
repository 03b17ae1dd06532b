//! Several operators that share the resources by label.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{
    operator::{Playground, generated},
    wait::eventually,
};

async fn apply(playground: &Playground, name: &str, shard: &str, set: &str) {
    let object = json!({
        "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet",
        "metadata": { "name": name, "namespace": "shop", "labels": { "shard": shard } },
        "spec": { "set": set, "keys": [generated("signing", "ES256")] }
    });
    playground.control_plane.apply(object).await.expect("applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_works_on_its_own_part_and_a_set_still_has_one_owner() {
    let mut playground = Playground::without_operator().await;
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
    let one = playground.spawn_operator("one", &["--selector", "shard=a", "--lease-name", "jwk-operator"]).await;
    one.until_ready().await;
    apply(&playground, "first", "a", "shop.first").await;
    playground.until_ready("shop", "first").await;
    // Nobody has this part yet.
    apply(&playground, "second", "b", "shop.second").await;
    apply(&playground, "third", "a", "shop.third").await;
    playground.until_ready("shop", "third").await;
    let status = playground.sets("shop").get("second").await.expect("there").status.unwrap_or_default();
    assert_eq!(status.observed_generation, Some(-1), "nobody looked at it");

    let two = playground.spawn_operator("two", &["--selector", "shard in (b)", "--lease-name", "b", "--leader-election", "false"]).await;
    two.until_ready().await;
    playground.until_ready("shop", "second").await;
    // The other part's resources own their sets all the same.
    let created = playground.sets("shop").get("first").await.expect("there").metadata.creation_timestamp;
    eventually("the next second begins", async || {
        (k8s_openapi::jiff::Timestamp::now().as_second() > created.as_ref()?.0.as_second()).then_some(())
    })
    .await;
    apply(&playground, "rival", "b", "shop.first").await;
    playground.until_reason("shop", "rival", "SetConflict").await;

    // One that changes parts is followed, with the key it has.
    let kids = playground.remote_kids("shop.third");
    let patch: Value = json!({ "metadata": { "labels": { "shard": "b" } } });
    playground.sets("shop").patch("third", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
    drop(one);
    playground.emulator.store().delete_set("shop.third");
    let repaired = eventually("the other one repairs it", async || {
        let found = playground.private_kids("shop.third");
        (found.len() == 1 && found != kids).then_some(found)
    })
    .await;
    let status = playground.until_ready("shop", "third").await;
    assert_eq!(status.signer.as_ref(), repaired.first());
}
