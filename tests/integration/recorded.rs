//! Recorded cases: sends them to the emulator, or to a real Hydra, and says what is answered differently.

use std::{collections::HashMap, env};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{StreamExt as _, stream};
use jwk_operator::hydra::emulator::{Emulator, EmulatorOptions};
use serde_json::Value;

use crate::raw_http::{self, Answer};

/// Where the recorded Hydra's `Location` pointed.
const RECORDED_URL: &str = "http://127.0.0.1:14444";

/// Who answers.
struct Subject {
    url: String,
    /// A real one: its own base in `Location`, its own version, its own routing.
    is_real: bool,
    /// What stands for `RUN` in the ids.
    run: String,
}

impl Subject {
    /// The Hydra of `JWK_OPERATOR_TEST_ADMIN_URL`, or else `emulator`.
    fn new(emulator: &Emulator) -> Self {
        let real = env::var("JWK_OPERATOR_TEST_ADMIN_URL").ok();
        // Ten characters: the recorded ids of 244 characters stay below the 255 that every database takes.
        let run = format!("{:010x}", jiff::Timestamp::now().as_microsecond() & 0xff_ffff_ffff);
        Self { is_real: real.is_some(), url: real.unwrap_or_else(|| emulator.url().to_owned()), run }
    }
}

/// Sends the steps of all cases, those of each one after the other. Every step of `cases` is a request, every one of `recorded` its answer.
pub(crate) async fn hold_to(cases: &[Value], recorded: &[Value]) {
    let emulator = Emulator::start(EmulatorOptions::default()).await.expect("the emulator starts");
    let subject = Subject::new(&emulator);
    assert_eq!(cases.len(), recorded.len());
    let results = cases.iter().zip(recorded).map(|(case, recorded)| differences(&subject, case, recorded));
    // Several writers at once are a 400 or 409 with some databases.
    let at_once = if subject.is_real { 1 } else { 8 };
    let differences: Vec<String> = stream::iter(results).buffered(at_once).collect::<Vec<_>>().await.concat();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let steps: usize = cases.iter().filter_map(|case| case["steps"].as_array()).map(Vec::len).sum();
    assert_eq!(emulator.calls().all().len(), if subject.is_real { 0 } else { steps });
}

/// The steps of one case, one after the other.
async fn differences(subject: &Subject, case: &Value, recorded: &Value) -> Vec<String> {
    assert_eq!(case["case"], recorded["case"]);
    let mut captured: HashMap<String, Value> = HashMap::new();
    let mut differences = Vec::new();
    for (step, expected) in case["steps"].as_array().expect("steps").iter().zip(recorded["steps"].as_array().expect("steps")) {
        let (method, path) =
            (step["method"].as_str().expect("a method"), step["path"].as_str().expect("a path").replace("RUN", &subject.run));
        let body = match (step.get("body"), step.get("raw")) {
            (Some(body), _) => Some(with_captured(body, &captured).to_string().into_bytes()),
            (None, Some(raw)) => Some(raw.as_str().expect("text").as_bytes().to_vec()),
            (None, None) => None,
        };
        let Some(answer) = raw_http::send(&subject.url, method, &path, body.as_deref()).await else {
            differences.push(format!("{}: {method} {path}: no answer", case["case"]));
            continue;
        };
        for difference in compare(subject, method, &path, expected, &answer) {
            differences.push(format!("{}: {method} {path}: {difference}", case["case"]));
        }
        for (name, place) in step.get("capture").and_then(Value::as_object).into_iter().flatten() {
            assert_eq!(place, "keys.0");
            captured.insert(format!("${{{name}}}"), answer.json()["keys"][0].clone());
        }
    }
    differences
}

/// `"${a}"` becomes the key that was captured as `a`.
fn with_captured(body: &Value, captured: &HashMap<String, Value>) -> Value {
    match body {
        Value::String(text) => captured.get(text).unwrap_or(body).clone(),
        Value::Array(values) => values.iter().map(|value| with_captured(value, captured)).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), with_captured(value, captured))).collect(),
        _ => body.clone(),
    }
}

fn compare(subject: &Subject, method: &str, path: &str, expected: &Value, answer: &Answer) -> Vec<String> {
    if is_same_refusal(subject, expected, answer)
        || (subject.is_real && answer.status != expected["status"] && depends_on_the_server(method, path, answer.status))
    {
        return Vec::new();
    }
    let mut differences = Vec::new();
    if answer.status != expected["status"] {
        differences.push(format!("status {} instead of {}", answer.status, expected["status"]));
    }
    for name in ["content-type", "cache-control", "location"] {
        let wanted = expected.get(name).and_then(Value::as_str).map(|value| value.replace("RUN", &subject.run));
        let found = answer.header(name).map(str::to_owned);
        let is_same = match (name, &wanted, &found) {
            ("location", Some(wanted), Some(found)) if wanted.starts_with(RECORDED_URL) => {
                let path = &wanted[RECORDED_URL.len()..];
                if subject.is_real { found.ends_with(path) } else { *found == format!("{}{path}", subject.url) }
            }
            _ => wanted == found,
        };
        if !is_same {
            differences.push(format!("{name} {found:?} instead of {wanted:?}"));
        }
    }
    if answer.header("date").is_none_or(|date| !date.ends_with(" GMT")) {
        differences.push("no date".to_owned());
    }
    let wanted = &expected["body"];
    if let Some(text) = wanted.get("<text>") {
        if text.as_str().map(|text| text.replace("RUN", &subject.run)).as_deref() != std::str::from_utf8(&answer.body).ok() {
            differences.push(format!("body {:?}", String::from_utf8_lossy(&answer.body)));
        }
    } else if wanted.is_null() {
        if !answer.body.is_empty() {
            differences.push(format!("a body of {} bytes", answer.body.len()));
        }
    } else if !(subject.is_real && path == "/version") {
        compare_json("", wanted, &answer.json(), &mut differences);
    }
    differences
}

/// What the router itself says of a path or a method that it does not know is a text and 405 up to 26.2, and JSON later. A real Hydra may say
/// either; the emulator is held to the JSON wherever that was recorded.
fn is_same_refusal(subject: &Subject, expected: &Value, answer: &Answer) -> bool {
    const TEXT: &str = "text/plain; charset=utf-8";
    let is_text = |status: &Value, content_type: Option<&str>| (*status == 404 || *status == 405) && content_type == Some(TEXT);
    let is_json = |status: &Value, content_type: Option<&str>| *status == 404 && content_type == Some("application/json; charset=utf-8");
    let wanted = expected.get("content-type").and_then(Value::as_str);
    let (status, found) = (Value::from(answer.status), answer.header("content-type"));
    (is_text(&expected["status"], wanted) && (is_json(&status, found) || is_text(&status, found)))
        || (subject.is_real && is_json(&expected["status"], wanted) && is_text(&status, found))
}

/// Older versions answer 405 for methods that they do not know, have no path without /admin, redirect with 301 and do not route `%2F`. Other
/// databases than SQLite fail with ids over 255 characters.
fn depends_on_the_server(method: &str, path: &str, status: u16) -> bool {
    let is_unknown_method = method == "PATCH" || (method == "POST" && path.matches('/').count() == 4);
    let is_routing = is_unknown_method || path.starts_with("/keys/") || path.contains("/../") || path.contains("%2");
    (is_routing && (300..500).contains(&status)) || (status == 500 && path.split('/').any(|segment| segment.len() > 255))
}

/// Compares without ever writing a value that could be private.
fn compare_json(place: &str, wanted: &Value, found: &Value, differences: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            if wanted.keys().ne(found.keys()) {
                differences.push(format!("{place}: members {:?} instead of {:?}", found.keys(), wanted.keys()));
            }
            for (name, value) in wanted {
                compare_json(&format!("{place}.{name}"), value, found.get(name).unwrap_or(&Value::Null), differences);
            }
        }
        (Value::Array(wanted), Value::Array(found)) => {
            if wanted.len() != found.len() {
                differences.push(format!("{place}: {} elements instead of {}", found.len(), wanted.len()));
            }
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare_json(&format!("{place}[{index}]"), wanted, found, differences);
            }
        }
        (Value::String(wanted), Value::String(found)) if wanted.starts_with('<') => {
            if !fits(wanted, found) {
                differences.push(format!("{place}: {} characters instead of {wanted}", found.len()));
            }
        }
        (wanted, found) => {
            if wanted != found {
                differences.push(format!("{place}: instead of {wanted}"));
            }
        }
    }
}

/// Whether a text can stand for a placeholder.
fn fits(placeholder: &str, text: &str) -> bool {
    if placeholder == "<uuid>" {
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        return lengths == [8, 4, 4, 4, 12] && text.chars().all(|digit| digit == '-' || digit.is_ascii_hexdigit());
    }
    let Some(length) = placeholder.strip_prefix("<b64url ").and_then(|rest| rest.strip_suffix('>')) else { return false };
    let length: usize = length.parse().expect("a length");
    // The private integers of RSA lose leading zero bytes, so one in a hundred is a byte shorter.
    let shortest = if length > 88 { length - 4 } else { length };
    (shortest..=length).contains(&text.len()) && URL_SAFE_NO_PAD.decode(text).is_ok()
}
