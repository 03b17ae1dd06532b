//! The admin API is not there.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use jwk_operator::hydra::emulator::{Effect, Fault};
use k8s_openapi::api::core::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

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

/// How often something was said of the set `shop/payments` for this reason: in events, and in lines of at least this level.
async fn told(playground: &Playground, reason: &str, level: &str) -> (usize, usize) {
    let events = playground.control_plane.api::<Event>("shop").list(&ListParams::default()).await.expect("a list").items;
    let is_told = |event: &&Event| event.reason.as_deref() == Some(reason) && event.involved_object.name.as_deref() == Some("payments");
    let times = events.iter().filter(is_told).map(|event| event.series.as_ref().and_then(|series| series.count).unwrap_or(1));
    let times = times.map(|times| usize::try_from(times).expect("a count")).sum();
    let logged = playground.logged();
    let lines = logged.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["reason"] == reason && line["name"] == "payments" && line["level"] == level);
    (times, lines.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_at_once_and_once() {
    let playground = Playground::start().await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        playground.emulator.faults().add(Fault::new(Effect::status(status)).path_prefix("/admin/keys").always());
        let told = playground.until_reason("shop", "payments", "AdminApiUnauthorized").await;
        assert!(told.conditions.iter().any(|condition| condition.type_ == "Stalled"), "somebody has to act: {told:?}");
        eventually("the AdminApi says so", async || playground.admin_api_reason().await.filter(|reason| reason == "AdminApiUnauthorized"))
            .await;
        playground.looks("shop.payments", 3).await;
        playground.emulator.faults().clear();
        playground.until_ready("shop", "payments").await;
        eventually("the AdminApi says so", async || playground.admin_api_reason().await.filter(|reason| reason == "AsPlanned")).await;
    }
    eventually("two changes for the worse and two back", async || {
        let said = (told(&playground, "AdminApiUnauthorized", "WARN").await, told(&playground, "AsPlanned", "INFO").await);
        (said == ((2, 2), (2, 2))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_path_prefix_shows_on_the_admin_api() {
    let playground = Playground::start().await;
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s", "pathPrefix": "/elsewhere" })).await;
    eventually("the AdminApi says so", async || playground.admin_api_reason().await.filter(|reason| reason == "AdminApiRefused")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_the_trouble_of_its_set_alone() {
    let playground = Playground::start().await;
    for name in ["payments", "orders"] {
        playground.apply("shop", name, json!({ "keys": [generated("signing", "ES256")] })).await;
        playground.until_ready("shop", name).await;
    }
    let unnamed = Effect::Answer(StatusCode::OK, Default::default(), r#"{"keys":[{"kty":"EC"}]}"#.into());
    playground.emulator.faults().add(Fault::new(unnamed).set("shop.payments").always());
    let status = playground.until_reason("shop", "payments", "AdminApiRefused").await;
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready");
    assert!(ready.message.contains("key 1 of 1 has no kid"), "{}", ready.message);
    playground.looks("shop.orders", 2).await;
    playground.until_ready("shop", "orders").await;
    assert_eq!(playground.admin_api_reason().await.as_deref(), Some("AsPlanned"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_cannot_be_taken_is_told_when_it_is_due() {
    let mut playground = Playground::start().await;
    let limits = json!({ "minRotationInterval": "10s" });
    playground.admin_api(json!({ "resyncInterval": "60s", "timeout": "1s", "limits": limits })).await;
    let rotation = json!({ "interval": "15s", "prepublish": "0s", "retain": "60s" });
    let key = json!({ "name": "signing", "generate": { "alg": "ES256" }, "rotation": rotation });
    playground.apply("shop", "payments", json!({ "keys": [key] })).await;
    let status = playground.until_ready("shop", "payments").await;
    let due = status.next_step.expect("a next step").0;
    playground.emulator.stop().await;
    let status = playground.until_reason("shop", "payments", "AdminApiUnavailable").await;
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready");
    assert!(ready.last_transition_time.0 >= due, "it was Ready until then: {ready:?}");
    assert!(ready.message.contains(&format!("a step has been due since {due:.0}")), "{}", ready.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_retry_after_is_fifteen_minutes() {
    let playground = Playground::start().await;
    let headers = http::HeaderMap::from_iter([(http::header::RETRY_AFTER, http::HeaderValue::from_static("2592000"))]);
    let asks = Effect::Answer(StatusCode::INTERNAL_SERVER_ERROR, headers, "".into());
    playground.emulator.faults().add(Fault::new(asks).set("shop.payments").always());
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    let status = playground.until_reason("shop", "payments", "AdminApiUnavailable").await;
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready");
    let until = ready.message.split("no earlier than ").nth(1).unwrap_or_else(|| panic!("until when? {}", ready.message));
    let until: Timestamp = until.parse().unwrap_or_else(|error| panic!("{error}: {until}"));
    assert!(until <= Timestamp::now() + SignedDuration::from_mins(15), "{until}");
}
