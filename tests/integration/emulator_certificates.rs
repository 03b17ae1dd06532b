//! The emulator takes and refuses certificates and thumbprints of keys as Hydra v26.2.0 does, with the same words.
//!
//! With `JWK_OPERATOR_TEST_ADMIN_URL` the same cases are sent to a real one, under ids that no other run uses.

use serde_json::{Value, json};

use crate::recorded;

const MEASURED: &str = include_str!("../data/hydra/certificates.json");

#[tokio::test(flavor = "multi_thread")]
async fn every_key_with_certificates_is_answered_as_measured() {
    let measured: Value = serde_json::from_str(MEASURED).expect("JSON");
    let measured = measured["cases"].as_array().expect("cases");
    assert!(measured.len() > 300);
    let (cases, answers): (Vec<Value>, Vec<Value>) = measured.iter().enumerate().map(|(index, case)| steps(index, case)).unzip();
    recorded::hold_to(&cases, &answers).await;
}

/// A key is stored, the set read, and the set deleted.
fn steps(index: usize, case: &Value) -> (Value, Value) {
    let set = format!("/admin/keys/RUN-certificate-{index}");
    let requests = json!([
        { "method": "PUT", "path": format!("{set}/k"), "body": case["key"] },
        { "method": "GET", "path": set },
        { "method": "DELETE", "path": set },
    ]);
    let never_cached = "private, no-cache, no-store, must-revalidate";
    let (taken, refused) = ("application/json; charset=utf-8", "application/json");
    let body = case.get("answer").unwrap_or(&case["key"]);
    let answers = if case["status"] == 200 {
        json!([
            { "status": 200, "content-type": taken, "body": body },
            { "status": 200, "content-type": taken, "cache-control": never_cached, "body": { "keys": [body] } },
            { "status": 204, "body": null },
        ])
    } else {
        let missing = json!({ "error": "Not Found", "error_description": "Unable to locate the requested resource" });
        json!([
            { "status": case["status"], "content-type": refused, "body": body },
            { "status": 404, "content-type": refused, "cache-control": never_cached, "body": missing },
            { "status": 204, "body": null },
        ])
    };
    (json!({ "case": case["case"], "steps": requests }), json!({ "case": case["case"], "steps": answers }))
}
