//! A control plane of its own for each test: etcd, kube-apiserver and kube-controller-manager, with the definitions and permissions installed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use k8s_openapi::{
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{Namespace, ServiceAccount},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config, Resource,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, GroupVersionKind, TypeMeta},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::wait::eventually;

/// The user that the operator is.
pub const OPERATOR: &str = "system:serviceaccount:jwk-operator:jwk-operator";

/// A control plane that ends when it is dropped.
pub struct ControlPlane {
    folder: TempDir,
    kubeconfig: PathBuf,
    /// An administrator.
    pub client: Client,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane").join(name)
}

impl ControlPlane {
    /// Starts one, installs `crds/` and `deploy/rbac/`, and makes the namespace `shop`.
    pub async fn start() -> Self {
        // Each takes some hundred megabytes and a core while it starts.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        let started = tokio::task::spawn_blocking(move || {
            Command::new(script("start"))
                .arg(path.join("control-plane"))
                .args(["--audit", "--with-parent", &std::process::id().to_string()])
                .stderr(Stdio::inherit())
                .output()
                .expect("bash")
        });
        let output = started.await.expect("started");
        assert!(output.status.success(), "the control plane did not start");
        let kubeconfig = PathBuf::from(String::from_utf8_lossy(&output.stdout).lines().last().expect("a path"));
        let config = Kubeconfig::read_from(&kubeconfig).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.expect("a configuration");
        let control_plane = Self { folder, kubeconfig, client: Client::try_from(config).expect("a client") };
        control_plane.install().await;
        control_plane
    }

    async fn install(&self) {
        for crd in jwk_operator::api::crds().expect("definitions") {
            let name = crd.metadata.name.clone().expect("a name");
            self.apply(serde_json::to_value(&crd).expect("JSON")).await.expect("installed");
            let api = Api::<CustomResourceDefinition>::all(self.client.clone());
            eventually("a definition is established", async || {
                let crd = api.get(&name).await.ok()?;
                crd.status?.conditions?.iter().any(|condition| condition.type_ == "Established" && condition.status == "True").then_some(())
            })
            .await;
        }
        let rbac = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac/operator.yaml")).expect("deploy/rbac");
        for object in serde_saphyr::from_multiple::<Value>(&rbac).expect("YAML") {
            self.apply(object).await.expect("installed");
        }
        self.namespace("shop").await;
    }

    /// Makes a namespace.
    pub async fn namespace(&self, name: &str) {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        Api::<Namespace>::all(self.client.clone())
            .create(&PostParams::default(), &serde_json::from_value(namespace).expect("a namespace"))
            .await
            .expect("created");
    }

    /// Applies an object as a user does: strictly, so that an unknown field is refused.
    pub async fn apply(&self, object: Value) -> kube::Result<DynamicObject> {
        let types: TypeMeta = serde_json::from_value(object.clone()).expect("a type");
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types).expect("a kind"));
        let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        api.patch(&name, &PatchParams::apply("user").force().validation_strict(), &Patch::Apply(object)).await
    }

    /// The objects of a kind in a namespace.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A kubeconfig with the token of the operator's service account.
    pub async fn operator_kubeconfig(&self) -> PathBuf {
        let accounts: Api<ServiceAccount> = self.api("jwk-operator");
        let request =
            TokenRequest { spec: TokenRequestSpec { expiration_seconds: Some(3600), ..Default::default() }, ..Default::default() };
        let token = accounts
            .create_token_request("jwk-operator", &PostParams::default(), &request)
            .await
            .expect("a token")
            .status
            .expect("a status")
            .token;
        let mut config = serde_json::to_value(Kubeconfig::read_from(&self.kubeconfig).expect("a kubeconfig")).expect("JSON");
        for user in config["users"].as_array_mut().expect("users") {
            user["user"] = json!({ "token": token });
        }
        let path = self.folder.path().join("operator.kubeconfig");
        std::fs::write(&path, config.to_string()).expect("written");
        path
    }

    /// The folder of everything this control plane writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the operator asked of the API server so far, watches left out: verb and resource.
    pub fn operator_requests(&self) -> Vec<(String, String)> {
        let log = std::fs::read_to_string(self.folder.path().join("control-plane/audit.log")).expect("an audit log");
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = events.filter(|event| event["user"]["username"] == OPERATOR && event["verb"] != "watch" && event["verb"] != "list");
        own.map(|event| {
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("/verb"), format!("{}/{}", text("/objectRef/resource"), text("/objectRef/subresource")))
        })
        .collect()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let stopped =
            Command::new(script("stop")).arg(self.folder.path().join("control-plane")).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(stopped.is_ok_and(|status| status.success()) || std::thread::panicking(), "the control plane did not stop");
    }
}
