//! Definitions and objects of the version before: `before/` holds its CustomResourceDefinitions.

use jwk_operator::{api::JsonWebKeySet, hydra::emulator::EmulatedOperation};
use serde_json::{Value, json};

use super::{
    operator::{Playground, generated},
    wait::eventually,
};

/// The definitions of the version before.
fn definitions_before() -> impl Iterator<Item = Value> {
    let files = [include_str!("before/adminapis.yaml"), include_str!("before/jsonwebkeysets.yaml")];
    files.into_iter().map(|file| serde_saphyr::from_str(file).expect("YAML"))
}

/// An object that the version before has stored has nothing that its definition did not know.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_reads_what_was_stored_and_changes_no_key() {
    let mut playground = Playground::without_operator().await;
    let access = json!([{ "namespaces": { "all": true }, "sets": ["{namespace}.*"], "privateExport": true }]);
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s", "access": access })).await;
    playground.start_operator().await;
    let private = json!({ "secret": { "name": "payments-private", "content": "Private", "layout": "JWKS" } });
    let keys = json!([generated("signing", "ES256"), generated("second", "RS256")]);
    let spec = json!({ "keys": keys, "signer": "signing", "publish": [{ "configMap": { "name": "payments-jwks" } }, private] });
    playground.apply("shop", "payments", spec).await;
    playground.until_ready("shop", "payments").await;
    is_at_rest(&playground).await;
    let kids = playground.remote_kids("shop.payments");
    playground.stop_operator().await;

    playground.control_plane.define(definitions_before()).await;
    let before = playground.control_plane.store_again("shop", "payments").await;
    assert!(before.staged_key_count.is_none() && before.server.is_none(), "that version did not know them: {before:?}");
    let definitions = jwk_operator::api::crds().expect("definitions");
    playground.control_plane.define(definitions.iter().map(|crd| serde_json::to_value(crd).expect("JSON"))).await;

    playground.emulator.calls().clear();
    playground.start_operator().await;
    let sets = playground.control_plane.api::<JsonWebKeySet>("shop");
    let after = eventually("the status has what this version remembers", async || {
        let status = sets.get("payments").await.ok()?.status?;
        (status.staged_key_count.is_some() && status.server.is_some()).then_some(status)
    })
    .await;
    is_at_rest(&playground).await;
    let is_write = |operation: &EmulatedOperation| *operation != EmulatedOperation::GetSet;
    let written: Vec<_> = playground.emulator.calls().all().into_iter().filter_map(|call| call.operation).filter(is_write).collect();
    assert!(written.is_empty(), "an upgrade changes no key: {written:?}");
    assert_eq!(playground.remote_kids("shop.payments"), kids);
    assert_eq!(after.keys, before.keys);
    assert_eq!(after.targets, before.targets);
}

/// Nothing is written while the set is looked at again and again.
async fn is_at_rest(playground: &Playground) {
    playground.looks("shop.payments", 1).await;
    let requests = playground.control_plane.operator_requests().len();
    playground.looks("shop.payments", 3).await;
    let rest = playground.control_plane.operator_requests();
    assert_eq!(rest.len(), requests, "{:?}", &rest[requests..]);
}
