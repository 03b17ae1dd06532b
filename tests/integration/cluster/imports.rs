//! What people keep in Secrets: every case of `tests/data/import/cases.json` ends as one of its outcomes.
//!
//! With `JWK_OPERATOR_TEST_ADMIN_URL` the sets are made in a real Hydra, under ids that no other run uses.

use std::{env, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jwk_operator::{api::JsonWebKeySet, jwk::Jwk};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{ResourceExt as _, api::ListParams};
use regex::RegexBuilder;
use serde_json::{Value, json};

use super::{operator::Playground, wait::eventually};
use crate::{import_cases, raw_http};

/// The members that no published key may have.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What became of a case.
#[derive(Debug)]
struct Ended {
    /// What kubectl would say to a spec that is refused.
    refusal: Option<String>,
    ready: Option<Condition>,
    limitation: String,
    /// The keys of the ConfigMap; `None`: there is none.
    published: Option<Vec<Value>>,
    remote: Vec<Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_ends_as_one_of_its_outcomes() {
    let playground = Playground::without_operator().await;
    let admin = env::var("JWK_OPERATOR_TEST_ADMIN_URL").unwrap_or_else(|_| playground.emulator.url().to_owned());
    playground.admin_api(json!({ "url": admin, "resyncInterval": "1h" })).await;
    let namespace = format!("imports-{:x}", jiff::Timestamp::now().as_millisecond());
    playground.control_plane.namespace(&namespace).await;
    let mut playground = playground;
    playground.start_operator().await;
    let cases = import_cases::all();
    let mut refusals = Vec::new();
    for case in &cases {
        refusals.push(apply(&playground, &namespace, case).await);
    }
    let sets = playground.sets(&namespace);
    eventually("every set says how it is", async || {
        let sets = sets.list(&ListParams::default()).await.ok()?;
        sets.items.iter().all(is_settled).then_some(())
    })
    .await;
    let mut failures = String::new();
    for (case, refusal) in cases.iter().zip(refusals) {
        let ended = ended(&playground, &admin, &namespace, case, refusal).await;
        if let Err(why) = judge(case, &ended) {
            writeln!(failures, "{} {}: {why}\n  {ended:?}", case["id"], case["title"]).expect("text");
        }
    }
    for set in sets.list(&ListParams::default()).await.expect("listed") {
        sets.delete(&set.name_any(), &Default::default()).await.expect("deleted");
    }
    eventually("every set is gone", async || sets.list(&ListParams::default()).await.ok()?.items.is_empty().then_some(())).await;
    assert!(failures.is_empty(), "{failures}");
}

/// Makes the Secret and the set of a case. Answers why the API server refuses the set.
async fn apply(playground: &Playground, namespace: &str, case: &Value) -> Option<String> {
    let name = import_cases::name(case);
    if !case["secret"].is_null() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": case["secret"]["type"], "data": case["secret"]["data"],
            "metadata": { "name": name, "namespace": namespace, "labels": { "jwk-operator.dev/import": "true" } }
        });
        let secret: Secret = serde_json::from_value(secret).expect("a Secret");
        playground.control_plane.api::<Secret>(namespace).create(&Default::default(), &secret).await.expect("created");
    }
    playground.try_apply(namespace, &name, case["spec"].clone()).await.err().map(|refusal| refusal.to_string())
}

fn is_settled(set: &JsonWebKeySet) -> bool {
    let ready = set.status.iter().flat_map(|status| &status.conditions).find(|condition| condition.type_ == "Ready");
    ready.is_some_and(|ready| ready.status == "True" || ready.reason != "Reconciling")
}

async fn ended(playground: &Playground, admin: &str, namespace: &str, case: &Value, refusal: Option<String>) -> Ended {
    let name = import_cases::name(case);
    let set = playground.sets(namespace).get_opt(&name).await.expect("read");
    let conditions = set.and_then(|set| set.status).map(|status| status.conditions).unwrap_or_default();
    let of_type = |wanted: &str| conditions.iter().find(|condition| condition.type_ == wanted).cloned();
    let map = playground.control_plane.api::<ConfigMap>(namespace).get_opt(&format!("{name}-jwks")).await.expect("read");
    let keys = |document: Value| document["keys"].as_array().cloned().unwrap_or_default();
    let published = map.map(|map| map.data.unwrap_or_default().into_values().next().unwrap_or_default());
    let remote = raw_http::send(admin, "GET", &format!("/admin/keys/{namespace}.{name}"), None).await.expect("an answer");
    Ended {
        refusal,
        ready: of_type("Ready"),
        limitation: of_type("KnownLimitation").map(|condition| condition.message).unwrap_or_default(),
        published: published.map(|text| keys(serde_json::from_str(&text).unwrap_or_default())),
        remote: keys(remote.json()),
    }
}

/// Whether any of the outcomes of the case holds, and what holds for all.
fn judge(case: &Value, ended: &Ended) -> Result<(), String> {
    let outcomes = case["want"].as_array().expect("outcomes").iter().map(|want| outcome(want, ended));
    let missed: Vec<String> = outcomes.map_while(Result::err).collect();
    if missed.len() == case["want"].as_array().map_or(0, Vec::len) {
        return Err(missed.join("; or "));
    }
    for key in ended.published.iter().flatten() {
        published(key)?;
    }
    Ok(())
}

fn outcome(want: &Value, ended: &Ended) -> Result<(), String> {
    for (member, wanted) in want.as_object().expect("an outcome") {
        if !holds(member, wanted, ended) {
            return Err(format!("{member} is not {wanted}"));
        }
    }
    match (&ended.refusal, want.get("applyRefused")) {
        (Some(refusal), None) => Err(format!("the spec is refused: {refusal}")),
        _ => Ok(()),
    }
}

fn holds(member: &str, wanted: &Value, ended: &Ended) -> bool {
    let ready = ended.ready.as_ref();
    let message = ended.refusal.as_deref().or(ready.map(|ready| ready.message.as_str())).unwrap_or_default();
    let only = ended.published.as_ref().filter(|keys| keys.len() == 1).map(|keys| &keys[0]);
    match member {
        "ready" => ready.is_some_and(|ready| (ready.status == "True") == wanted.as_bool().expect("a bool")),
        "reason" => ready.is_some_and(|ready| texts(wanted).contains(&ready.reason.as_str())),
        "message" => ready.is_some_and(|ready| texts(wanted).iter().all(|regex| matches(regex, &ready.message))),
        "notMessage" => !matches(wanted.as_str().expect("a regex"), message),
        "limitation" => matches(wanted.as_str().expect("a regex"), &ended.limitation),
        "applyRefused" => ended.refusal.as_ref().is_some_and(|refusal| texts(wanted).iter().all(|regex| matches(regex, refusal))),
        "kid" => only
            .is_some_and(|key| matches(&format!("^(?:{})$", wanted.as_str().expect("a regex")), key["kid"].as_str().unwrap_or_default())),
        "alg" | "use" => only.is_some_and(|key| {
            let remote = ended.remote.iter().find(|remote| remote["kid"] == key["kid"]);
            &key[member] == wanted && remote.is_some_and(|remote| &remote[member] == wanted)
        }),
        "x5c" => only.is_some_and(|key| key["x5c"].as_array().map_or(0, Vec::len) as u64 == wanted.as_u64().expect("a number")),
        "members" => only.is_some_and(|key| texts(wanted).iter().all(|name| key.get(name).is_some())),
        "remotePrivate" => {
            ended.remote.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) == wanted.as_bool().expect("a bool")
        }
        "notPublished" => ended.published.is_none(),
        other => panic!("unknown member {other}"),
    }
}

fn texts(wanted: &Value) -> Vec<&str> {
    match wanted {
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        text => text.as_str().into_iter().collect(),
    }
}

fn matches(regex: &str, text: &str) -> bool {
    RegexBuilder::new(regex).case_insensitive(true).build().expect("a regex").is_match(text)
}

/// What holds for every published key, whatever was asked for.
fn published(key: &Value) -> Result<(), String> {
    let kid = &key["kid"];
    if let Some(member) = PRIVATE.iter().find(|member| key.get(member).is_some()) {
        return Err(format!("{kid} is published with {member}"));
    }
    let jwk = Jwk::parse(key.to_string().as_bytes()).map_err(|error| format!("{kid}: {error}"))?;
    jwk.validate().map_err(|error| format!("{kid}: {error}"))?;
    let is_for_encryption = ["RSA-OAEP", "RSA1_5", "ECDH-ES", "A128", "A192", "A256", "dir"]
        .iter()
        .any(|form| jwk.alg().is_some_and(|alg| alg.starts_with(form)));
    if jwk.key_use() != Some(if is_for_encryption { "enc" } else { "sig" }) {
        return Err(format!("{kid}: alg {:?} with use {:?}", jwk.alg(), jwk.key_use()));
    }
    let chain = key["x5c"].as_array().cloned().unwrap_or_default();
    let certificates: Vec<Vec<u8>> = chain
        .iter()
        .map(|value| STANDARD.decode(value.as_str().unwrap_or("!")).map_err(|_| format!("{kid}: x5c holds {value}")))
        .collect::<Result<_, _>>()?;
    import_cases::check_chain(&jwk, &certificates).map_err(|why| format!("{kid}: {why}"))
}
