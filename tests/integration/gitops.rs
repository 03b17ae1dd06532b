//! What GitOps tools make of our objects: Argo CD with `deploy/argocd`, Flux with `deploy/flux`, and whoever goes by kstatus. Asked are
//! their own libraries; here of objects that were recorded from a real control plane, in `cluster/gitops.rs` of live ones.

use std::{
    collections::BTreeSet,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::{Value, json};

use crate::cluster::tool;

/// What Argo CD, kstatus and Flux say of one object, in their words and in this order.
pub type Judgement = [String; 3];

/// It is as it should be: the next wave, or what depends on it, may come.
pub const READY: [&str; 3] = ["Healthy", "Current", "Current"];
/// It is waited for.
pub const WAITING: [&str; 3] = ["Progressing", "InProgress", "InProgress"];
/// Somebody has to act, and nobody waits.
pub const STALLED: [&str; 3] = ["Degraded", "Failed", "Failed"];
/// It is being deleted. Flux' expressions know nothing of deletions, and do not call it current.
pub const LEAVING: [&str; 3] = ["Progressing", "Terminating", "InProgress"];

const FLUX: &str = "deploy/flux/kustomizations.yaml";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn customization(kind: &str) -> PathBuf {
    repository("deploy/argocd/resource_customizations/jwk-operator.dev").join(kind)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a tool says of an object: status and message.
fn ask(command: &str, file: Option<&Path>, object: &Value) -> Result<(String, String), String> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut child = Command::new(PROGRAM.get_or_init(|| tool("gitops")))
        .arg(command)
        .args(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    child.stdin.take().expect("its input").write_all(object.to_string().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("an answer");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |name: &str| verdict[name].as_str().expect("text").to_owned();
    Ok((text("status"), text("message")))
}

fn argocd(object: &Value) -> (String, String) {
    let script = customization(object["kind"].as_str().expect("a kind")).join("health.lua");
    ask("argocd-health", Some(&script), object).unwrap_or_else(|error| panic!("{error}"))
}

/// What the three say of an object.
pub fn judge(object: &Value) -> Judgement {
    let kstatus = ask("kstatus", None, object).unwrap_or_else(|error| panic!("{error}"));
    let flux = ask("flux-health", Some(&repository(FLUX)), object).unwrap_or_else(|error| panic!("{error}"));
    [argocd(object).0, kstatus.0, flux.0]
}

/// A recorded object, and what Argo CD has to say of it.
struct Case {
    path: PathBuf,
    object: Value,
    status: String,
    message: String,
}

/// The cases of a kind, in the form in which Argo CD's own repository has them.
fn cases(kind: &str) -> Vec<Case> {
    let folder = customization(kind);
    let test = yaml(&folder.join("health_test.yaml"));
    let cases = test["tests"].as_array().expect("tests").iter().map(|test| {
        let path = folder.join(test["inputPath"].as_str().expect("inputPath"));
        let text = |name: &str| test["healthStatus"][name].as_str().expect("text").to_owned();
        Case { object: yaml(&path), path, status: text("status"), message: text("message") }
    });
    cases.collect()
}

#[test]
fn argo_cd_says_of_each_recorded_object_what_its_test_says() {
    for (kind, at_least) in [("JsonWebKeySet", 7), ("AdminApi", 4)] {
        let cases = cases(kind);
        for case in &cases {
            assert_eq!(argocd(&case.object), (case.status.clone(), case.message.clone()), "{}", case.path.display());
        }
        let tried: BTreeSet<_> = cases.iter().map(|case| case.path.clone()).collect();
        let files = std::fs::read_dir(customization(kind).join("testdata")).expect("a folder");
        let recorded: BTreeSet<_> = files.map(|entry| entry.expect("an entry").path()).collect();
        assert_eq!(tried, recorded, "each recorded object is a case");
        assert!(recorded.len() >= at_least, "{kind}");
        let said: BTreeSet<_> = cases.iter().map(|case| case.status.as_str()).collect();
        assert_eq!(said, BTreeSet::from(["Degraded", "Healthy", "Progressing"]), "{kind}");
    }
}

#[test]
fn argo_cd_kstatus_and_flux_agree_on_each_recorded_object() {
    for kind in ["JsonWebKeySet", "AdminApi"] {
        for case in cases(kind) {
            let judgement = judge(&case.object);
            let name = case.path.file_stem().expect("a name").to_string_lossy().into_owned();
            assert!([READY, WAITING, STALLED].iter().any(|agreed| judgement == *agreed), "{kind} {name}: {judgement:?}");
        }
    }
}

#[test]
fn what_is_pasted_into_argocd_cm_are_the_scripts() {
    let patch = yaml(&repository("deploy/argocd/argocd-cm.yaml"));
    let data = patch["data"].as_object().expect("data");
    assert_eq!(data.len(), 2, "{:?}", data.keys());
    for kind in ["JsonWebKeySet", "AdminApi"] {
        let script = read(&customization(kind).join("health.lua"));
        let pasted = data[&format!("resource.customizations.health.jwk-operator.dev_{kind}")].as_str().expect("a script");
        assert!(pasted == script, "deploy/argocd/argocd-cm.yaml has another script for {kind} than its health.lua: copy it");
    }
}

/// The members of all objects within a value.
fn members(value: &Value) -> Vec<(&String, &Value)> {
    match value {
        Value::Object(object) => object.iter().flat_map(|(name, member)| [vec![(name, member)], members(member)].concat()).collect(),
        Value::Array(items) => items.iter().flat_map(members).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_is_recorded_is_whole_and_holds_no_private_key() {
    for kind in ["JsonWebKeySet", "AdminApi"] {
        for Case { path, object, .. } in cases(kind) {
            let path = path.display();
            assert_eq!((&object["apiVersion"], &object["kind"]), (&json!("jwk-operator.dev/v1alpha1"), &json!(kind)), "{path}");
            for member in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
                assert!(!object["metadata"][member].is_null(), "{path}: metadata.{member} is missing: record a live object");
            }
            assert!(object["status"]["observedGeneration"].is_number(), "{path}");
            assert!(object["metadata"]["managedFields"].is_null(), "{path}: managedFields say nothing here");
            for (name, _) in members(&object) {
                assert!(!["d", "p", "q", "dp", "dq", "qi", "oth", "k"].contains(&name.as_str()), "{path}: {name} is private");
            }
        }
    }
}

fn recorded(kind: &str, name: &str) -> Value {
    yaml(&customization(kind).join("testdata").join(name).with_extension("yaml"))
}

fn set_condition(object: &mut Value, kind: &str, member: &str, value: Value) {
    let conditions = object["status"]["conditions"].as_array_mut().expect("conditions");
    let found = conditions.iter_mut().find(|condition| condition["type"] == kind).expect("the condition");
    found[member] = value;
}

#[test]
fn a_status_that_no_operator_of_today_writes_is_waited_for() {
    for kind in ["JsonWebKeySet", "AdminApi"] {
        let ready = recorded(kind, "ready");
        assert_eq!(judge(&ready), READY, "{kind}");

        let mut object = ready.clone();
        object.as_object_mut().expect("an object").remove("status");
        assert_eq!(argocd(&object).0, "Progressing", "{kind} without a status");

        let mut object = ready.clone();
        object["status"].as_object_mut().expect("an object").remove("conditions");
        assert_eq!(argocd(&object).0, "Progressing", "{kind} without conditions");

        // kstatus does not look at the generation of a condition.
        let mut object = ready.clone();
        set_condition(&mut object, "Ready", "observedGeneration", json!(0));
        assert_eq!(judge(&object), ["Progressing", "Current", "InProgress"], "{kind} with a condition that is too old");
    }
    let mut object = recorded("JsonWebKeySet", "ready");
    set_condition(&mut object, "Ready", "status", json!("Unknown"));
    assert_eq!(judge(&object), WAITING);
    set_condition(&mut object, "Ready", "status", json!("False"));
    assert_eq!(judge(&object), WAITING);
}

#[test]
fn a_script_gets_no_library_and_has_to_answer_as_argo_cd_expects() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("health.lua");
    let object = recorded("AdminApi", "ready");
    for (text, complaint) in [
        ("return { status = tostring(1) }", "attempt to call a non-function object"),
        ("return { status = string.upper('a') }", "attempt to index a non-table object"),
        ("return { status = 'Fine' }", "the status \"Fine\", which Argo CD does not know"),
        ("return { status = 'Healthy', message = {} }", "a message that is no string"),
        ("return 'Healthy'", "a health script returns a table"),
        ("local a = 1", "returns nothing"),
        ("while true do end", "deadline exceeded"),
        ("retrun", "parse error"),
    ] {
        std::fs::write(&script, text).expect("written");
        let error = ask("argocd-health", Some(&script), &object).expect_err(text);
        assert!(error.contains(complaint), "{text}: {error}");
    }
}
