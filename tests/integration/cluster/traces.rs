//! What is told of a reconcile while it goes on: lines of the log, and spans.

use jwk_operator::hydra::emulator::{Effect, EmulatedOperation, Fault};
use serde_json::{Value, json};

use super::{
    collector::{Collector, attribute},
    control_plane::apply_as,
    operator::{Playground, generated},
    wait::eventually,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_reconcile_and_its_calls_are_one_trace_that_the_admin_api_is_told() {
    let collector = Collector::start().await;
    let mut playground = Playground::without_operator().await;
    playground.environment.push(collector.variable());
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
    playground.start_operator().await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    playground.stop_operator().await;

    let spans = collector.spans();
    assert!(spans.iter().all(|(service, _)| service == "jwk-operator"));
    let spans: Vec<_> = spans.into_iter().map(|(_, span)| span).collect();
    let created = spans.iter().find(|span| span.name == "create_json_web_key_set").expect("a span of the call that made the key");
    let told = |key: &str| attribute(&created.attributes, key);
    let (operation, set, status) = (told("operation"), told("set"), told("status"));
    assert_eq!(
        (operation.as_deref(), set.as_deref(), status.as_deref()),
        (Some("create_json_web_key_set"), Some("shop.payments"), Some("201"))
    );
    assert!(told("kid").is_some_and(|kid| kid.starts_with("shop.payments.signing.")));
    let reconcile = spans.iter().find(|span| span.span_id == created.parent_span_id).expect("the span that it is part of");
    assert_eq!((reconcile.name.as_str(), &reconcile.trace_id), ("reconcile", &created.trace_id));
    for (key, value) in [("namespace", "shop"), ("name", "payments"), ("set", "shop.payments")] {
        assert_eq!(attribute(&reconcile.attributes, key).as_deref(), Some(value), "{key}");
    }

    // The admin API got the same ids.
    let call =
        playground.emulator.calls().all().into_iter().find(|call| call.operation == Some(EmulatedOperation::CreateKey)).expect("a call");
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(call.traceparent, Some(format!("00-{}-{}-01", hexadecimal(&created.trace_id), hexadecimal(&created.span_id))));
    // And who reads the log finds the trace.
    assert!(playground.logged().contains(&hexadecimal(&created.trace_id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_carry_namespace_name_set_kid_and_operation() {
    let playground = Playground::start().await;
    playground.emulator.faults().add(
        Fault::new(Effect::Answer(http::StatusCode::FORBIDDEN, Default::default(), "no".into())).operation(EmulatedOperation::CreateKey),
    );
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    let logged = playground.logged();
    let lines: Vec<Value> =
        logged.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let line = |message: &str| {
        let found = lines.iter().find(|line| line["message"].as_str().is_some_and(|text| text.starts_with(message)));
        found.unwrap_or_else(|| panic!("no line says {message}:\n{logged}"))
    };
    let failed = lines.iter().find(|line| line["reason"] == "AdminApiUnauthorized").unwrap_or_else(|| panic!("no line of it:\n{logged}"));
    for (key, value) in
        [("level", "WARN"), ("namespace", "shop"), ("name", "payments"), ("set", "shop.payments"), ("operation", "create_json_web_key_set")]
    {
        assert_eq!(failed[key], value, "{key} of {failed}");
    }
    assert!(failed["kid"].as_str().is_some_and(|kid| kid.starts_with("shop.payments.signing.")), "{failed}");
    let call = line("admin API call");
    assert!(call["operation"].is_string() && call["status"].is_number(), "{call}");
    let generated = lines.iter().find(|line| line["reason"] == "KeyGenerated").expect("a line of what was done");
    assert_eq!((&generated["namespace"], &generated["set"]), (&json!("shop"), &json!("shop.payments")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_about_a_target_names_it() {
    let playground = Playground::start().await;
    let theirs = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "none", "namespace": "shop" }, "spec": { "hard": { "count/secrets": "0" } } });
    apply_as(&playground.control_plane.administrator, theirs).await.expect("a quota");
    let publish = json!([{ "secret": { "name": "payments-jwks" } }]);
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")], "publish": publish })).await;
    let line = eventually("the line is written", async || {
        let logged = playground.logged();
        let mut lines = logged.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["message"] == "a target cannot be written")
    })
    .await;
    assert!(line["published_to"].as_str().is_some_and(|target| target.contains("payments-jwks")), "{line}");
    assert_eq!((&line["name"], &line["target"]), (&json!("payments"), &json!("jwk_operator::operator::publication::targets")), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_keeps_nothing_from_being_done() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let mut playground = Playground::without_operator().await;
    playground.environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{nobody}")));
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
    playground.start_operator().await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    assert!(playground.stop_operator().await.success());
}
