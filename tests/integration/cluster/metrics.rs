//! What the operator exports is what alerts and dashboard ask for.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    alerts::{monitoring, rules},
    control_plane::tool,
    operator::{Playground, generated, unannounced},
    wait::eventually,
};

const PREFIX: &str = "jwk_operator_";

/// The samples of a text: the name, and what stands in braces.
fn samples(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a sample");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        found.entry(name.to_owned()).or_default().push(labels.trim_end_matches('}').to_owned());
    }
    found
}

/// The names under which Prometheus finds the samples of a text, those of families without a sample included.
fn exported(text: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = samples(text).into_keys().collect();
    for (name, kind) in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')) {
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_count", "_sum"],
            "info" => &["_info"],
            _ => &[""],
        };
        found.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    found
}

/// The metrics that an expression uses, with the matchers in braces.
fn used(expression: &str) -> Vec<(String, String)> {
    let starts = expression.match_indices(PREFIX).map(|(start, _)| &expression[start..]);
    let selector = starts.map(|rest| {
        let end = rest.find(|character: char| !character.is_ascii_lowercase() && character != '_').unwrap_or(rest.len());
        let matchers = rest[end..].strip_prefix('{').and_then(|matchers| matchers.split_once('}')).map_or("", |(matchers, _)| matchers);
        (rest[..end].to_owned(), matchers.to_owned())
    });
    selector.collect()
}

/// The values of all members of this name.
fn members(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(name).and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|member| members(member, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, name, found)),
        _ => (),
    }
}

fn expressions() -> Vec<String> {
    let (mut found, mut shown) = (Vec::new(), Vec::new());
    members(&rules("jwk-operator", "jwk-operator"), "expr", &mut found);
    let rendered = monitoring("jwk-operator", "jwk-operator", &["--set", "metrics.dashboard.enabled=true"]).expect("rendered");
    let dashboard = rendered.iter().find_map(|object| object["data"]["jwk-operator.json"].as_str()).expect("a dashboard");
    members(&serde_json::from_str(dashboard).expect("JSON"), "expr", &mut shown);
    assert!(found.len() > 5 && shown.len() > 10, "{} alerts, {} queries", found.len(), shown.len());
    found.append(&mut shown);
    found
}

async fn metrics(playground: &Playground) -> String {
    let answer = playground.get("/metrics").await.expect("an answer");
    String::from_utf8(answer.body).expect("UTF-8")
}

/// The value of a series that is written exactly so.
fn value(text: &str, series: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_use_only_what_the_operator_exports() {
    const RESTORED: &str = "jwk_operator_actions_total{reason=\"SignerRestored\"}";
    const UNMANAGED: &str = "jwk_operator_keys{state=\"Unmanaged\"}";
    let playground = Playground::start().await;

    // A key of another entry comes in front of the signer, which is put back: nobody else did anything.
    let mut signing = generated("signing", "ES256");
    signing["rotation"] = json!({ "interval": "720h" });
    playground.apply("shop", "payments", json!({ "keys": [signing, unannounced("other", "ES384")], "signer": "signing" })).await;
    playground.until_ready("shop", "payments").await;
    let before = metrics(&playground).await;
    let routine = value(&before, RESTORED).expect("a count");
    assert!(routine > 0 && value(&before, UNMANAGED).is_none(), "{before}");

    // Somebody else puts a key in front of it: it is put back, and the key is told.
    playground.emulator.store().create("shop.payments", Some("theirs"), "ES256", "").expect("a key");
    let text = eventually("the signer is put back in front of a key of somebody else", async || {
        let text = metrics(&playground).await;
        (value(&text, RESTORED)? > routine && value(&text, UNMANAGED)? == 1).then_some(text)
    })
    .await;

    let (exported, samples) = (exported(&text), samples(&text));
    for expression in expressions() {
        let used = used(&expression);
        assert!(!used.is_empty(), "{expression} asks for nothing of the operator");
        for (name, matchers) in used {
            assert!(exported.contains(&name), "{expression}: {name} is not in\n{text}");
            let Some(series) = samples.get(&name) else { continue };
            for matcher in matchers.split(',').filter(|matcher| !matcher.is_empty()) {
                let label = matcher.split(['=', '!']).next().expect("a label");
                // Those of the target.
                let is_known =
                    ["namespace", "service"].contains(&label) || series.iter().all(|labels| labels.contains(&format!("{label}=\"")));
                assert!(is_known, "{expression}: {name} has no label {label}");
            }
        }
    }
    lint(&text);
}

/// The same in the older text format, which knows no `info`, and where a counter has the name of its sample. promtool reads no other.
fn as_text_format(text: &str) -> String {
    let kinds: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let lines = text.lines().filter_map(|line| {
        let Some((word, rest)) = line.strip_prefix("# ").and_then(|comment| comment.split_once(' ')) else { return Some(line.to_owned()) };
        let (name, said) = rest.split_once(' ')?;
        match (word, kinds.get(name)?) {
            ("UNIT", _) => None,
            (_, &"counter") => Some(format!("# {word} {name}_total {said}")),
            (_, &"info") => Some(format!("# {word} {name}_info {}", said.replace("info", "gauge"))),
            _ => Some(line.to_owned()),
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// What Prometheus' own tool says of names and help.
fn lint(text: &str) {
    let mut promtool = Command::new(tool("promtool"));
    let promtool = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().expect("promtool");
    child.stdin.take().expect("an input").write_all(as_text_format(text).as_bytes()).expect("written");
    let output = child.wait_with_output().expect("promtool");
    let (printed, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool check metrics:\n{printed}{complaint}\n{text}");
}
