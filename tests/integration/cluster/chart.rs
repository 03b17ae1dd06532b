//! The Helm chart: what it refuses, what it installs, and that the operator works with exactly that.

use std::{net::TcpListener, path::Path, process::Command};

use jwk_operator::api::{AdminApi, JsonWebKeySet};
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::Pod},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use serde_json::{Value, json};

use super::{
    control_plane::helm,
    operator::{Playground, generated},
    wait::eventually,
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/jwk-operator");

fn render(settings: &[&str]) -> Result<String, String> {
    // Helm from source does not know which Kubernetes is new.
    let fixed = ["template", "jwk-operator", CHART, "--namespace", "jwk-operator", "--kube-version", "1.36.0"];
    helm(None, &fixed.iter().chain(settings).map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
}

#[test]
fn values_that_cannot_work_are_refused_with_their_name() {
    for (setting, named) in [
        ("replicas=two", "replicas"),
        ("replicas=-1", "replicas"),
        ("image.digest=sha256:abc", "digest"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("logging.level=loud", "level"),
        ("metrics.port=70000", "port"),
        ("tracing.endpoint=collector:4317", "endpoint"),
        ("namespaces={Shop}", "namespaces"),
        ("leaderElection.leaseDurationSeconds=1", "leaseDurationSeconds"),
        ("crds.keep=perhaps", "keep"),
        ("leaderElection.enabled=false", "leaderElection.enabled"),
        ("adminApi.create=true", "url"),
        ("replica=3", "replica"),
        ("metrics.serviceMonitor.intervall=1m", "intervall"),
    ] {
        let refused = render(&["--set", setting]).expect_err(setting);
        assert!(refused.contains(named), "{setting}: {refused}");
    }
}

/// YAML takes such names for numbers and booleans unless they are quoted, and then nothing can be applied.
#[test]
fn every_name_and_label_stays_text() {
    let names =
        "fullnameOverride=1,nameOverride=2,serviceAccount.name=3,leaderElection.leaseName=4,namespaces={on,5},adminApi.name=7,image.tag=8";
    let switches = "adminApi.create=true,crds.enabled=false,metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true";
    let spec = r#"adminApi.spec={"url":"http://hydra:4445","access":[{"namespaces":{"all":true},"sets":["a"]}]}"#;
    let arguments = ["template", "1e3", CHART, "--namespace", "123", "--kube-version", "1.36.0", "--set-string", names, "--set", switches];
    let arguments: Vec<_> = arguments.into_iter().chain(["--set-json", spec]).map(str::to_owned).collect();
    let yaml = helm(None, &arguments).expect("rendered");
    let mut count = 0;
    for document in yaml.split("\n---\n").filter(|document| document.contains("kind:")) {
        let object: Value = serde_saphyr::from_str(document).expect("YAML");
        texts(&object, &mut |name, value| {
            count += 1;
            assert!(value.is_string(), "{name}: {value} in {document}");
        });
    }
    assert!(count > 100, "{count}");
}

/// Every value that is a name, a label, an annotation or an item of a list of names.
fn texts(value: &Value, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("labels" | "matchLabels" | "annotations", Value::Object(inner)) => {
                        inner.iter().for_each(|(name, value)| see(name, value))
                    }
                    ("args" | "resourceNames" | "verbs", Value::Array(items)) => items.iter().for_each(|item| see(name, item)),
                    ("name" | "namespace" | "serviceAccountName" | "image" | "kind" | "apiVersion", _) => see(name, member),
                    _ => texts(member, see),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, see)),
        _ => {}
    }
}

fn templates(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { templates(&path) } else { std::fs::read_to_string(path).expect("a template") }).collect()
}

/// The paths of all values, down to what has no members or no fixed ones.
fn paths(value: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
    match (value, schema.get("properties")) {
        (Value::Object(members), Some(properties)) => {
            for (name, member) in members {
                assert!(properties.get(name).is_some(), "{path}.{name} is not in the schema");
                paths(member, &properties[name], &format!("{path}.{name}"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn every_value_is_in_the_schema_and_used_by_a_template() {
    let read = |name: &str| std::fs::read_to_string(Path::new(CHART).join(name)).expect("a file");
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).expect("YAML");
    let schema: Value = serde_json::from_str(&read("values.schema.json")).expect("JSON");
    let templates = templates(&Path::new(CHART).join("templates"));
    let mut found = Vec::new();
    paths(&values, &schema, ".Values", &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for path in found {
        // A probe or a strategy is used as a whole.
        let (parent, _) = path.rsplit_once('.').expect("a path");
        let used = |path: &str| templates.contains(&format!("{path} ")) || templates.contains(&format!("{path})"));
        assert!(used(&path) || (parent.matches('.').count() > 1 && used(parent)), "{path} is used by no template");
    }
}

/// Installs the chart, runs the operator as it says, and does the main job in a namespace that it works on.
async fn installed_and_at_work(settings: &[&str]) -> Playground {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut playground = Playground::with_chart(|url| {
        let spec = json!({ "url": url, "resyncInterval": "2s", "timeout": "1s", "access": [{ "namespaces": { "all": true }, "sets": ["{namespace}.*"] }] });
        let mut arguments = vec!["--set".to_owned(), format!("metrics.port={port},adminApi.create=true")];
        arguments.extend(["--set-json".to_owned(), format!("adminApi.spec={spec}")]);
        arguments.extend(settings.iter().map(|setting| (*setting).to_owned()));
        arguments
    })
    .await;
    playground.start_deployed().await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;
    assert_eq!(playground.private_kids("shop.payments").len(), 1);
    assert!(playground.control_plane.forbidden_requests().is_empty(), "{:?}", playground.control_plane.forbidden_requests());
    playground
}

/// The chart, with a field more in the definition of a JsonWebKeySet.
fn later_version() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let copied = Command::new("cp").args(["-r", &format!("{CHART}/.")]).arg(folder.path()).status().expect("cp");
    assert!(copied.success());
    let file = folder.path().join("files/crds/jsonwebkeysets.yaml");
    let mut definition: Value = serde_saphyr::from_str(&std::fs::read_to_string(&file).expect("a definition")).expect("YAML");
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"]["properties"]["note"] = json!({ "type": "string", "maxLength": 100 });
    std::fs::write(file, definition.to_string()).expect("written");
    folder
}

async fn admin_api_uid(playground: &Playground) -> Option<String> {
    // The roles of people go with the release.
    Api::<AdminApi>::all(playground.control_plane.administrator.clone()).get("default").await.expect("an AdminApi").uid()
}

#[tokio::test(flavor = "multi_thread")]
async fn installed_for_the_cluster_it_does_its_work_survives_upgrades_and_leaves_no_harm() {
    let playground = installed_and_at_work(&[]).await;

    // Its Pods are such as a namespace accepts that enforces the profile restricted.
    let administrator = playground.control_plane.administrator.clone();
    let deployments = Api::<Deployment>::namespaced(administrator.clone(), "jwk-operator");
    let deployment = deployments.get("jwk-operator").await.expect("a Deployment");
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "strict", "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
    super::control_plane::apply_as(&administrator, namespace).await.expect("a namespace");
    let template = deployment.spec.expect("a spec").template;
    let pod = |spec| Pod { metadata: ObjectMeta { name: Some("pod".into()), ..Default::default() }, spec, status: None };
    let pods = Api::<Pod>::namespaced(administrator.clone(), "strict");
    let dry_run = PostParams { dry_run: true, ..Default::default() };
    pods.create(&dry_run, &pod(template.spec.clone())).await.expect("accepted");
    let mut loose = template.spec.expect("a spec");
    loose.containers[0].security_context = None;
    let refused = pods.create(&dry_run, &pod(Some(loose))).await.expect_err("the profile is enforced").to_string();
    assert!(refused.contains("violates PodSecurity"), "{refused}");

    // What is measured can be read.
    let metrics = playground.get("/metrics").await.expect("metrics");
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for line in [
        "jwk_operator_leader 1",
        "jwk_operator_json_web_key_sets{type=\"Ready\",status=\"True\",reason=\"AsPlanned\"} 1",
        "jwk_operator_keys{state=\"Active\"} 1",
        "jwk_operator_json_web_key_set_ready{namespace=\"shop\",name=\"payments\"} 1",
        "jwk_operator_admin_api_ready{admin_api=\"default\",reason=\"AsPlanned\"} 1",
        "jwk_operator_admin_api_breaker{admin_api=\"default\",state=\"closed\"} 1",
        "jwk_operator_actions_total{reason=\"KeyGenerated\"} 1",
        "jwk_operator_admin_api_calls_total{admin_api=\"default\",operation=\"create_json_web_key_set\",status=\"201\"} 1",
        "jwk_operator_overdue_rotations 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }

    // An upgrade keeps the resources, the keys, and the AdminApi that is held.
    let (uid, kids) = (admin_api_uid(&playground).await, playground.remote_kids("shop.payments"));
    let upgrade = |chart: &str, setting: &str| {
        let arguments = ["upgrade", "jwk-operator", chart, "--namespace", "jwk-operator", "--reuse-values", "--set", setting];
        playground.control_plane.helm(&arguments.map(str::to_owned)).unwrap_or_else(|error| panic!("{error}"));
    };
    upgrade(CHART, "commonLabels.team=platform");
    upgrade(CHART, "adminApi.spec.resyncInterval=3s");
    assert_eq!(admin_api_uid(&playground).await, uid);

    // So does one to a version whose resources have a field more.
    let noted = json!({ "keys": [generated("signing", "ES256")], "note": "kept for the auditors" });
    let refused = playground.try_apply("shop", "noted", noted.clone()).await.expect_err("not defined yet").to_string();
    assert!(refused.contains("spec.note"), "{refused}");
    let later = later_version();
    upgrade(&later.path().to_string_lossy(), "commonLabels.team=platform");
    eventually("the field is defined", async || playground.try_apply("shop", "noted", noted.clone()).await.ok()).await;
    playground.until_ready("shop", "noted").await;
    assert_eq!(playground.remote_kids("shop.payments"), kids);
    let definitions = Api::<CustomResourceDefinition>::all(administrator);
    let definition = definitions.get("jsonwebkeysets.jwk-operator.dev").await.expect("a definition");
    assert_eq!(definition.labels().get("team").map(String::as_str), Some("platform"), "definitions are upgraded");
    playground.until_ready("shop", "payments").await;

    // Uninstalled, it leaves definitions, resources and remote keys as they are.
    let uninstall = ["uninstall", "jwk-operator", "--namespace", "jwk-operator"].map(str::to_owned);
    playground.control_plane.helm(&uninstall).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(admin_api_uid(&playground).await, uid);
    let sets = Api::<JsonWebKeySet>::namespaced(playground.control_plane.administrator.clone(), "shop");
    assert!(sets.get_opt("payments").await.expect("still defined").is_some());
    assert_eq!(playground.remote_kids("shop.payments"), kids);
}

#[tokio::test(flavor = "multi_thread")]
async fn installed_for_two_namespaces_it_does_its_work_there_and_leaves_nothing_in_the_right_order() {
    let playground = installed_and_at_work(&["--set", "namespaces={shop,bank}"]).await;
    playground.sets("shop").delete("payments", &DeleteParams::default()).await.expect("deleted");
    playground.until_gone("shop", "payments").await;
    assert!(playground.remote("shop.payments").is_empty());
    let admin_apis = Api::<AdminApi>::all(playground.control_plane.platform());
    admin_apis.delete("default", &DeleteParams::default()).await.expect("deleted");
    eventually("the AdminApi is gone", async || admin_apis.get_opt("default").await.ok()?.is_none().then_some(())).await;
    let uninstall = ["uninstall", "jwk-operator", "--namespace", "jwk-operator"].map(str::to_owned);
    playground.control_plane.helm(&uninstall).unwrap_or_else(|error| panic!("{error}"));
    let definitions = Api::<CustomResourceDefinition>::all(playground.control_plane.administrator.clone());
    for name in ["jsonwebkeysets.jwk-operator.dev", "adminapis.jwk-operator.dev"] {
        definitions.delete(name, &DeleteParams::default()).await.expect("kept until now");
        eventually("the definition is gone", async || definitions.get_opt(name).await.ok()?.is_none().then_some(())).await;
    }
}
