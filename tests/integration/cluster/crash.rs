//! The operator dies between a call and its status.

use std::{collections::BTreeSet, time::Duration};

use jwk_operator::hydra::emulator::{Effect, EmulatedOperation, Fault};
use serde_json::json;

use super::{
    operator::{Playground, generated, unannounced},
    wait::eventually,
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_post_and_status_it_ends_with_one_key_for_each_entry_and_uses_no_kid_twice() {
    let mut playground = Playground::start_alone().await;
    playground.apply("shop", "pair", json!({ "keys": [unannounced("a", "ES256"), unannounced("b", "ES384")], "signer": "a" })).await;
    playground.until_ready("shop", "pair").await;
    let mut used: BTreeSet<String> = playground.remote_kids("shop.pair").into_iter().collect();
    assert_eq!(used.len(), 2);

    // The set is deleted behind its back; the POST that repairs it arrives, and its answer comes too late.
    playground.emulator.calls().clear();
    playground.emulator.faults().add(Fault::new(Effect::DelayAfter(Duration::from_secs(3))).operation(EmulatedOperation::CreateKey));
    playground.emulator.store().delete_set("shop.pair");
    let arrived = eventually("a POST arrives", async || playground.private_kids("shop.pair").first().cloned()).await;
    playground.kill_operator();
    assert!(used.insert(arrived.clone()), "{arrived} was used before");

    playground.start_operator().await;
    let status = playground.until_ready("shop", "pair").await;
    let private = playground.private_kids("shop.pair");
    assert_eq!(private.len(), 2, "one key for each entry: {private:?}");
    assert!(private.contains(&arrived), "a POST that had arrived is not repeated: {private:?}");
    assert_eq!(status.signer.as_ref(), private.first());
    assert!(private[0].starts_with("shop.pair.a."), "{private:?}");
    used.extend(private);
    assert_eq!(used.len(), 4, "{used:?}");

    // Once more, and this time what had arrived is deleted while nobody looks: its kid was never seen, and must not be used again.
    playground.emulator.faults().add(Fault::new(Effect::DelayAfter(Duration::from_secs(3))).operation(EmulatedOperation::CreateKey));
    playground.emulator.store().delete_set("shop.pair");
    let lost = eventually("a POST arrives", async || playground.private_kids("shop.pair").first().cloned()).await;
    playground.kill_operator();
    assert!(used.insert(lost.clone()), "{lost} was used before");
    playground.emulator.store().delete_set("shop.pair");
    playground.start_operator().await;
    let private =
        eventually("two keys are there", async || Some(playground.private_kids("shop.pair")).filter(|kids| kids.len() == 2)).await;
    playground.until_ready("shop", "pair").await;
    assert!(private.iter().all(|kid| used.insert(kid.clone())), "a lost kid was used again: {private:?}, used {used:?}");
    assert_eq!(playground.private_kids("shop.pair").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_its_first_pass_it_takes_the_key_that_arrived() {
    let mut playground = Playground::start_alone().await;
    playground.emulator.faults().add(Fault::new(Effect::DelayAfter(Duration::from_secs(3))).operation(EmulatedOperation::CreateKey));
    playground.apply("shop", "first", json!({ "keys": [generated("signing", "ES256")] })).await;
    let arrived = eventually("the POST arrives", async || playground.private_kids("shop.first").first().cloned()).await;
    playground.kill_operator();
    assert!(playground.sets("shop").get("first").await.expect("there").status.is_none_or(|status| status.keys.is_empty()));

    playground.start_operator().await;
    let status = playground.until_ready("shop", "first").await;
    assert_eq!(playground.private_kids("shop.first"), [arrived]);
    assert_eq!(status.origin, Some(jwk_operator::api::Origin::Created), "all its keys carry the slot of its creation");
}
