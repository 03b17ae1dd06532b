//! Whether an API server takes what chart and overlays give, as it is: each field known, each value allowed, each Pod as restricted as asked.

use std::{path::Path, process::Command};

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::api::ObjectMeta;
use serde_json::{Value, json};

use super::{
    control_plane::{ControlPlane, HOME, apply_as, helm, kubectl},
    wait::eventually,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Everything that can be turned on.
const EVERYTHING: [&str; 10] = [
    "metrics.serviceMonitor.enabled=true",
    "metrics.prometheusRule.enabled=true",
    "metrics.dashboard.enabled=true",
    "networkPolicy.enabled=true",
    "adminApi.create=true",
    "adminApi.spec.url=http://hydra-admin.ory:4445",
    "adminApi.spec.access[0].namespaces.all=true",
    "adminApi.spec.access[0].sets[0]=shop.payments",
    "tolerations[0].operator=Exists",
    "tracing.endpoint=http://collector.observability:4318",
];

fn rendered(settings: &[&str]) -> String {
    let chart = format!("{ROOT}/charts/jwk-operator");
    let fixed = ["template", "jwk-operator", &chart, "--namespace", HOME, "--kube-version", "1.36.0"];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    helm(None, &fixed.into_iter().chain(settings).map(str::to_owned).collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{error}"))
}

/// The definitions of the Prometheus operator.
async fn define_monitors(control_plane: &ControlPlane) {
    let module = Command::new("go")
        .args(["mod", "download", "-json", "github.com/prometheus-operator/prometheus-operator"])
        .current_dir(format!("{ROOT}/tests/control-plane/prometheus-operator"))
        .env("GOWORK", "off")
        .output()
        .expect("Go");
    assert!(module.status.success(), "{}", String::from_utf8_lossy(&module.stderr));
    let module: Value = serde_json::from_slice(&module.stdout).expect("JSON");
    let folder = Path::new(module["Dir"].as_str().expect("a folder")).join("example/prometheus-operator-crd");
    for name in ["prometheusrules", "servicemonitors"] {
        let file = folder.join(format!("monitoring.coreos.com_{name}.yaml"));
        let answer = kubectl(&control_plane.kubeconfig(), &["apply", "--server-side", "-f", &file.to_string_lossy()], "");
        answer.unwrap_or_else(|complaint| panic!("{complaint}"));
        let definition = format!("crd/{name}.monitoring.coreos.com");
        // kubectl ends with an error as long as there is no condition at all.
        let wait = || kubectl(&control_plane.kubeconfig(), &["wait", "--for=condition=Established", &definition], "");
        eventually("the definition is established", async || wait().ok()).await;
    }
}

/// Sends objects to be tried, but not kept. Answers what the API server complains of; a warning is a complaint.
fn complaint(control_plane: &ControlPlane, objects: &str) -> Option<String> {
    // What a hook or another manager owns is no reason to refuse.
    let tried = ["apply", "--dry-run=server", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-"];
    kubectl(&control_plane.kubeconfig(), &tried, objects).err()
}

/// A Pod as the first Deployment among the objects wants it.
fn pod(objects: &str) -> String {
    let objects: Vec<Value> = serde_saphyr::from_multiple(objects).expect("YAML");
    let deployment = objects.into_iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    let deployment: Deployment = serde_json::from_value(deployment).expect("a Deployment");
    let template = deployment.spec.expect("a spec").template;
    let metadata = ObjectMeta { name: Some("pod".into()), namespace: Some(HOME.into()), ..template.metadata.unwrap_or_default() };
    serde_json::to_string(&Pod { metadata, spec: template.spec, status: None }).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_chart_and_overlays_give_is_accepted_under_the_profile_restricted() {
    let control_plane = ControlPlane::start().await;
    let labels: Value =
        ["enforce", "warn"].map(|mode| (format!("pod-security.kubernetes.io/{mode}"), json!("restricted"))).into_iter().collect();
    let strict = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": HOME, "labels": labels } });
    apply_as(&control_plane.administrator, strict).await.expect("a strict namespace");
    define_monitors(&control_plane).await;

    let mut descriptions = vec![
        ("the chart's defaults", rendered(&[])),
        ("everything", rendered(&EVERYTHING)),
        ("two namespaces", rendered(&["namespaces={shop,bank}", "crds.enabled=false"])),
        ("one process", rendered(&["leaderElection.enabled=false", "replicas=1", "strategy.type=Recreate", "strategy.rollingUpdate=null"])),
    ];
    for folder in ["deploy/base", "deploy/overlays/ha", "deploy/overlays/single-namespace"] {
        let objects = kubectl(&control_plane.kubeconfig(), &["kustomize", &format!("{ROOT}/{folder}")], "");
        // A namespace that the overlay labels itself is strict here all the same.
        descriptions.push((folder, objects.unwrap_or_else(|complaint| panic!("{folder}: {complaint}"))));
    }
    for (what, objects) in &descriptions {
        for objects in [objects, &pod(objects)] {
            if let Some(complaint) = complaint(&control_plane, objects) {
                panic!("{what}: {complaint}");
            }
        }
    }

    // What is wrong is found by this.
    let (_, defaults) = &descriptions[0];
    let misspelt = defaults.replace("revisionHistoryLimit:", "revisionHistoryLimits:");
    assert!(complaint(&control_plane, &misspelt).is_some_and(|complaint| complaint.contains("revisionHistoryLimits")));
    let loose = defaults.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true");
    assert!(complaint(&control_plane, &loose).is_some_and(|complaint| complaint.contains("violate PodSecurity")));
    assert!(complaint(&control_plane, &pod(&loose)).is_some_and(|complaint| complaint.contains("violates PodSecurity")));
}
