//! The emulator answers like Hydra v26.2.0 where the recorded cases ask nothing: sets without keys, keys that are no keys, slashes at the end.
//!
//! With `JWK_OPERATOR_TEST_ADMIN_URL` the same cases are sent to a real one, under ids that no other run uses.

use serde_json::{Value, json};

use crate::recorded;

const MEASURED: &str = include_str!("../data/hydra/measured.json");

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_answered_as_measured() {
    let measured: Value = serde_json::from_str(MEASURED).expect("JSON");
    let cases = measured["cases"].as_array().expect("cases");
    assert!(cases.len() > 200);
    let answers = |case: &Value| -> Value {
        let steps: Vec<&Value> = case["steps"].as_array().expect("steps").iter().map(|step| &step["answer"]).collect();
        json!({ "case": case["case"], "steps": steps })
    };
    recorded::hold_to(cases, &cases.iter().map(answers).collect::<Vec<_>>()).await;
}
