//! The alerts of the chart, as it renders them: Prometheus' own tool reads them, and they fire as the cases in tests/data/alerts say.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::control_plane::{helm, tool};

/// The releases that the cases name: the file of its rules, its name, its namespace.
const RELEASES: [(&str, &str, &str); 3] = [
    ("release.yaml", "jwk-operator", "jwk-operator"),
    ("neighbour.yaml", "east", "jwk-operator"),
    ("namesake.yaml", "jwk-operator", "bank"),
];

/// What the chart makes for Prometheus, and for Grafana.
pub fn monitoring(release: &str, namespace: &str, settings: &[&str]) -> Result<Vec<Value>, String> {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/jwk-operator");
    let fixed = ["template", release, chart, "--namespace", namespace, "--show-only", "templates/monitoring.yaml"];
    let arguments: Vec<String> = fixed.iter().chain(settings).map(|argument| (*argument).to_owned()).collect();
    helm(None, &arguments).map(|rendered| serde_saphyr::from_multiple(&rendered).expect("YAML"))
}

/// The rules of a release, as Prometheus gets them.
pub fn rules(release: &str, namespace: &str) -> Value {
    let rendered =
        monitoring(release, namespace, &["--set", "metrics.prometheusRule.enabled=true"]).unwrap_or_else(|error| panic!("{error}"));
    let mut objects = rendered.into_iter().filter(|object| object["kind"] == "PrometheusRule");
    let (rule, none) = (objects.next().expect("a PrometheusRule"), objects.next());
    assert_eq!(none, None);
    rule["spec"].clone()
}

/// Its alerts, by name.
fn alerts() -> BTreeMap<String, Value> {
    let rules = rules("jwk-operator", "jwk-operator");
    let rules = rules["groups"].as_array().expect("groups").iter().flat_map(|group| group["rules"].as_array().expect("rules"));
    rules.map(|rule| (rule["alert"].as_str().expect("a name").to_owned(), rule.clone())).collect()
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/alerts");
    std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

fn assert_success(what: &str, output: &Output) {
    let (printed, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {what}:\n{printed}{complaint}");
}

#[test]
fn the_alerts_are_valid_and_fire_as_the_cases_say() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, release, namespace) in RELEASES {
        // JSON is YAML.
        std::fs::write(folder.path().join(file), rules(release, namespace).to_string()).expect("written");
    }
    let mut names = Vec::new();
    for case in cases() {
        let name = case.file_name().expect("a name").to_owned();
        std::fs::copy(&case, folder.path().join(&name)).expect("copied");
        names.push(name);
    }
    let promtool = tool("promtool");
    let run = |what: [&str; 2]| {
        let mut command = Command::new(&promtool);
        command.current_dir(folder.path()).args(what);
        command
    };
    let checked = run(["check", "rules"]).args(["--lint=all", "--lint-fatal"]).args(RELEASES.map(|(file, ..)| file)).output();
    assert_success("check rules", &checked.expect("promtool"));
    assert_success("test rules", &run(["test", "rules"]).args(names).output().expect("promtool"));
}

/// The cases of all files: the alert, and what shall fire.
fn expectations() -> Vec<(String, Vec<Value>)> {
    let mut found = Vec::new();
    for path in cases() {
        let file: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("YAML");
        for case in file["tests"].as_array().expect("tests").iter().flat_map(|test| test["alert_rule_test"].as_array().expect("cases")) {
            let fires = case["exp_alerts"].as_array().unwrap_or_else(|| panic!("{case} of {} says nothing", path.display()));
            found.push((case["alertname"].as_str().expect("a name").to_owned(), fires.clone()));
        }
    }
    found
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let expectations = expectations();
    let of = |fires: bool| -> BTreeSet<String> {
        expectations.iter().filter(|(_, expected)| expected.is_empty() != fires).map(|(name, _)| name.clone()).collect()
    };
    let alerts: BTreeSet<String> = alerts().into_keys().collect();
    // Nothing fires of an alert that does not exist, and promtool does not mind.
    assert_eq!((of(true), of(false)), (alerts.clone(), alerts));
    for (name, expected) in expectations.iter().flat_map(|(name, expected)| expected.iter().map(move |alert| (name, alert))) {
        assert!(expected["exp_labels"].is_object() && expected["exp_annotations"].is_object(), "{name}: {expected}");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_what_happened_and_what_to_do() {
    for (name, alert) in alerts() {
        assert!(["critical", "warning"].iter().any(|severity| alert["labels"]["severity"] == *severity), "{name}: {}", alert["labels"]);
        let text = |annotation: &str| alert["annotations"][annotation].as_str().unwrap_or_else(|| panic!("{name}: {annotation}"));
        assert!(!text("summary").ends_with('.'), "{name}");
        assert!(text("description").ends_with('.') && text("description").len() > 100, "{name}");
        assert!(!alert.to_string().contains("RELEASE"), "{name} is not told its release: {alert}");
    }
}

#[test]
fn the_metrics_of_a_resource_keep_its_namespace() {
    let rendered = monitoring("jwk-operator", "jwk-operator", &["--set", "metrics.serviceMonitor.enabled=true"]).expect("rendered");
    let monitor = rendered.iter().find(|object| object["kind"] == "ServiceMonitor").expect("a ServiceMonitor");
    let endpoints = monitor["spec"]["endpoints"].as_array().expect("endpoints");
    assert!(!endpoints.is_empty() && endpoints.iter().all(|endpoint| endpoint["honorLabels"] == true), "{monitor}");
}

#[test]
fn alerts_that_could_not_know_their_release_are_refused() {
    let settings = ["--set", "metrics.prometheusRule.enabled=true,metrics.service.enabled=false"];
    let refused = monitoring("jwk-operator", "jwk-operator", &settings).expect_err("refused");
    assert!(refused.contains("metrics.service.enabled"), "{refused}");
}
