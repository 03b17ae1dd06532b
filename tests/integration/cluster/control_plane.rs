//! A control plane of its own for each test: etcd, kube-apiserver and kube-controller-manager, with the definitions and permissions installed.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jwk_operator::api::{JsonWebKeySet, JsonWebKeySetStatus};
use k8s_openapi::{
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::ServiceAccount,
        rbac::v1::ClusterRole,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionCondition},
};
use kube::{
    Api, Client, Config, Resource,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, GroupVersionKind, TypeMeta},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::wait::eventually;

/// The user that the operator is.
pub const OPERATOR: &str = "system:serviceaccount:jwk-operator:jwk-operator";

/// The namespace of the operator and of the platform team.
pub const HOME: &str = "jwk-operator";

/// A control plane that ends when it is dropped.
pub struct ControlPlane {
    folder: TempDir,
    kubeconfig: PathBuf,
    /// An administrator: installs, labels namespaces, and plays disasters. Nothing that a test shows is done with it.
    pub administrator: Client,
    /// Who works in each namespace: a developer with the role edit, in the operator's the platform team.
    people: Mutex<HashMap<String, Client>>,
    /// The API server, if it was restarted.
    api_server: Mutex<Option<Child>>,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane").join(name)
}

impl ControlPlane {
    /// Starts one, installs `crds/` and `deploy/rbac/`, and makes the namespace `shop`.
    pub async fn start() -> Self {
        Self::start_with("cluster.yaml").await
    }

    /// The same with these roles for the operator.
    pub async fn start_with(roles: &str) -> Self {
        let control_plane = Self::start_empty().await;
        for name in ["shop", "bank"] {
            control_plane.make_namespace(name).await;
        }
        control_plane.install(roles).await;
        control_plane.populate().await;
        control_plane
    }

    /// One with the namespaces `shop` and `bank`, and the chart as a release `jwk-operator`, with these arguments.
    pub async fn start_with_chart(arguments: &[String]) -> Self {
        let control_plane = Self::start_empty().await;
        for name in ["shop", "bank"] {
            control_plane.make_namespace(name).await;
        }
        let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/jwk-operator");
        let fixed = ["install", "jwk-operator", chart, "--namespace", HOME, "--create-namespace", "--skip-schema-validation=false"];
        let installed = control_plane.helm(&fixed.map(str::to_owned).into_iter().chain(arguments.iter().cloned()).collect::<Vec<_>>());
        installed.unwrap_or_else(|error| panic!("{error}"));
        control_plane.populate().await;
        control_plane
    }

    /// The kubeconfig of an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// Runs Helm as an administrator. Answers what it prints, or what it complains of.
    pub fn helm(&self, arguments: &[String]) -> Result<String, String> {
        helm(Some(&self.kubeconfig), arguments)
    }

    async fn start_empty() -> Self {
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
        let administrator = Client::try_from(config).expect("a client");
        Self { folder, kubeconfig, administrator, people: Mutex::default(), api_server: Mutex::default() }
    }

    async fn make_namespace(&self, name: &str) {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        self.install_object(namespace).await.expect("created");
    }

    /// Installs these CustomResourceDefinitions, over others of their names if there are some.
    pub async fn define(&self, definitions: impl IntoIterator<Item = Value>) {
        for definition in definitions {
            let name = definition["metadata"]["name"].as_str().expect("a name").to_owned();
            let generation = self.install_object(definition).await.expect("installed").metadata.generation;
            let api = Api::<CustomResourceDefinition>::all(self.administrator.clone());
            eventually("a definition is established", async || {
                let crd = api.get(&name).await.ok()?;
                let is_established =
                    |condition: &&CustomResourceDefinitionCondition| condition.type_ == "Established" && condition.status == "True";
                (crd.metadata.generation >= generation && crd.status?.conditions?.iter().any(|condition| is_established(&condition)))
                    .then_some(())
            })
            .await;
        }
    }

    async fn install(&self, roles: &str) {
        let definitions = jwk_operator::api::crds().expect("definitions");
        self.define(definitions.iter().map(|crd| serde_json::to_value(crd).expect("JSON"))).await;
        for file in [roles, "users.yaml"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac").join(file);
            let roles = std::fs::read_to_string(path).expect("deploy/rbac");
            for object in serde_saphyr::from_multiple::<Value>(&roles).expect("YAML") {
                self.install_object(object).await.expect("installed");
            }
        }
    }

    /// Lets people in, once the roles are part of Kubernetes' own.
    async fn populate(&self) {
        let roles = Api::<ClusterRole>::all(self.administrator.clone());
        eventually("the roles of people are part of Kubernetes' own", async || {
            let edit = roles.get("edit").await.ok()?;
            let rules = edit.rules.unwrap_or_default();
            rules.iter().any(|rule| rule.resources.iter().flatten().any(|resource| resource == "jsonwebkeysets")).then_some(())
        })
        .await;
        self.settle(HOME, Some("jwk-operator-platform")).await;
        self.namespace("shop").await;
    }

    /// Makes a namespace, and somebody who may work in it.
    pub async fn namespace(&self, name: &str) {
        self.make_namespace(name).await;
        self.settle(name, None).await;
    }

    /// Makes a service account with a role of Kubernetes in its namespace.
    pub async fn bind(&self, namespace: &str, account: &str, role: &str) {
        let metadata = json!({ "name": account, "namespace": namespace });
        self.install_object(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata })).await.expect("created");
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": namespace }]
        });
        self.install_object(binding).await.expect("bound");
    }

    /// Gives a namespace somebody who may work in it, and have a role of the cluster besides.
    async fn settle(&self, namespace: &str, cluster_role: Option<&str>) {
        self.bind(namespace, "developer", "edit").await;
        if let Some(role) = cluster_role {
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": role },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
                "subjects": [{ "kind": "ServiceAccount", "name": "developer", "namespace": namespace }]
            });
            self.install_object(binding).await.expect("bound");
        }
        let client = self.client_of(namespace, "developer").await;
        // Roles take a moment until they count.
        eventually("the roles count", async || {
            let api = Api::<JsonWebKeySet>::namespaced(client.clone(), namespace);
            api.list(&ListParams::default().limit(1)).await.is_ok().then_some(())
        })
        .await;
        self.people.lock().expect("a lock").insert(namespace.to_owned(), client);
    }

    /// Whoever works in a namespace.
    pub fn developer(&self, namespace: &str) -> Client {
        self.people.lock().expect("a lock").get(namespace).unwrap_or_else(|| panic!("nobody works in {namespace}")).clone()
    }

    /// The platform team.
    pub fn platform(&self) -> Client {
        self.developer(HOME)
    }

    /// A client with the token of a service account.
    pub async fn client_of(&self, namespace: &str, account: &str) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig_of(namespace, account).await).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a configuration");
        Client::try_from(config).expect("a client")
    }

    async fn install_object(&self, object: Value) -> kube::Result<DynamicObject> {
        apply_as(&self.administrator, object).await
    }

    /// Applies an object as its user does: strictly, so that an unknown field is refused.
    pub async fn apply(&self, object: Value) -> kube::Result<DynamicObject> {
        let user = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => self.developer(namespace),
            None => self.platform(),
        };
        apply_as(&user, object).await
    }

    /// Stores a resource with its status as the definition of now reads it. Answers the status that is stored.
    pub async fn store_again(&self, namespace: &str, name: &str) -> JsonWebKeySetStatus {
        let api = Api::<JsonWebKeySet>::namespaced(self.administrator.clone(), namespace);
        let resource = api.get(name).await.expect("a resource");
        let stored = api.replace_status(name, &PostParams::default(), &resource).await.expect("stored");
        stored.status.expect("a status")
    }

    /// The objects of a kind in a namespace, as whoever works there may see and change them.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
    {
        Api::namespaced(self.developer(namespace), namespace)
    }

    /// A kubeconfig with the token of the operator's service account.
    pub async fn operator_kubeconfig(&self) -> PathBuf {
        self.kubeconfig_of(HOME, "jwk-operator").await
    }

    /// A kubeconfig with the token of a service account.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str) -> PathBuf {
        let accounts = Api::<ServiceAccount>::namespaced(self.administrator.clone(), namespace);
        let request =
            TokenRequest { spec: TokenRequestSpec { expiration_seconds: Some(3600), ..Default::default() }, ..Default::default() };
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await.expect("a token");
        let token = answer.status.expect("a status").token;
        let mut config = serde_json::to_value(Kubeconfig::read_from(&self.kubeconfig).expect("a kubeconfig")).expect("JSON");
        for user in config["users"].as_array_mut().expect("users") {
            user["user"] = json!({ "token": token });
        }
        let path = self.folder.path().join(format!("{namespace}-{account}.kubeconfig"));
        std::fs::write(&path, config.to_string()).expect("written");
        path
    }

    /// Ends the API server and starts it again as it was, after `pause` has passed.
    pub async fn restart_api_server(&self, pause: Duration) {
        self.take_api_server_down("TERM", tokio::time::sleep(pause)).await;
    }

    /// Kills the API server, so that its watches end too, waits for `meanwhile`, and starts it again as it was.
    pub async fn while_the_api_server_is_down(&self, meanwhile: impl Future<Output = ()>) {
        self.take_api_server_down("KILL", meanwhile).await;
    }

    async fn take_api_server_down(&self, signal: &str, meanwhile: impl Future<Output = ()>) {
        let file = self.folder.path().join("control-plane/pids/kube-apiserver");
        let id = std::fs::read_to_string(&file).expect("a process").trim().to_owned();
        let command = std::fs::read_to_string(format!("/proc/{id}/cmdline")).expect("a command line");
        let command: Vec<&str> = command.trim_end_matches('\0').split('\0').collect();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().expect("kill").success());
        let mut before = self.api_server.lock().expect("a lock").take();
        eventually("the API server ends", async || match &mut before {
            Some(child) => child.try_wait().expect("a status").map(drop),
            None => (!Path::new(&format!("/proc/{id}")).exists()).then_some(()),
        })
        .await;
        meanwhile.await;
        let log = std::fs::File::create(self.folder.path().join("control-plane/logs/kube-apiserver-again.log")).expect("a log");
        let child =
            Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("started");
        std::fs::write(file, child.id().to_string()).expect("written");
        *self.api_server.lock().expect("a lock") = Some(child);
        eventually("the API server answers", async || {
            let ready = http::Request::get("/readyz").body(Vec::new()).expect("a request");
            self.administrator.request_text(ready).await.ok().map(drop)
        })
        .await;
    }

    /// Removes an object behind the API server's back, finalizers or not.
    pub async fn remove_from_store(&self, path: &str) {
        let process = std::fs::read_to_string(self.folder.path().join("control-plane/pids/etcd")).expect("a process");
        let command = std::fs::read_to_string(format!("/proc/{}/cmdline", process.trim())).expect("a command line");
        let url = command.split('\0').find_map(|argument| argument.strip_prefix("--listen-client-urls=")).expect("an address");
        let body = json!({ "key": BASE64_STANDARD.encode(format!("/registry/{path}")) }).to_string();
        let answer = crate::raw_http::send(url, "POST", "/v3/kv/deleterange", Some(body.as_bytes())).await.expect("an answer");
        assert_eq!((answer.status, answer.json()["deleted"].as_str()), (200, Some("1")), "{path} is not there");
    }

    /// The folder of everything this control plane writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The requests of the operator that the API server refused for want of a permission.
    pub fn forbidden_requests(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("control-plane/audit.log")).expect("an audit log");
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let refused = events.filter(|event| event["user"]["username"] == OPERATOR && event["responseStatus"]["code"] == 403);
        refused.map(|event| format!("{} {}", event["verb"], event["requestURI"])).collect()
    }

    /// The resources that the operator wrote so far, in the order of its writes, its Lease among them.
    pub fn operator_writes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("control-plane/audit.log")).expect("an audit log");
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = events.filter(|event| event["user"]["username"] == OPERATOR);
        let writes = own.filter(|event| !matches!(event["verb"].as_str(), Some("get" | "list" | "watch")));
        writes.map(|event| event["objectRef"]["resource"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What the operator asked of the API server so far, watches and its Lease left out: verb and resource.
    pub fn operator_requests(&self) -> Vec<(String, String)> {
        let log = std::fs::read_to_string(self.folder.path().join("control-plane/audit.log")).expect("an audit log");
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = events.filter(|event| event["user"]["username"] == OPERATOR && event["verb"] != "watch" && event["verb"] != "list");
        let own = own.filter(|event| event["objectRef"]["resource"] != "leases");
        own.map(|event| {
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("/verb"), format!("{}/{}", text("/objectRef/resource"), text("/objectRef/subresource")))
        })
        .collect()
    }
}

/// A program of the tests that is written in Go, built if it is not there.
pub fn tool(name: &str) -> PathBuf {
    let built = Command::new(script("build-tool")).arg(name).stderr(Stdio::inherit()).output().expect("bash");
    PathBuf::from(String::from_utf8_lossy(&built.stdout).lines().last().unwrap_or_else(|| panic!("{name} is not built")))
}

/// Runs kubectl as an administrator, with this on its standard input. Answers what it prints, or what it complains or warns of.
pub fn kubectl(kubeconfig: &Path, arguments: &[&str], input: &str) -> Result<String, String> {
    let found = Command::new(script("build")).arg("kubectl").stderr(Stdio::inherit()).output().expect("bash");
    let folder = PathBuf::from(String::from_utf8_lossy(&found.stdout).lines().last().expect("a folder"));
    let mut command = Command::new(folder.join("kubectl"));
    // Nothing of the person who runs the tests, and nothing that was discovered of another control plane.
    let folder = kubeconfig.parent().expect("a folder");
    command.env_clear().env("HOME", folder).env("KUBECACHEDIR", folder.join("kubectl")).arg("--kubeconfig").arg(kubeconfig).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl");
    std::io::Write::write_all(&mut child.stdin.take().expect("an input"), input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("kubectl");
    let (printed, complaint) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    if output.status.success() && complaint.is_empty() { Ok(printed) } else { Err(complaint) }
}

/// Runs Helm: the one that `JWK_OPERATOR_TEST_HELM` names, so that another version can be tried, or the one that the tests build.
pub fn helm(kubeconfig: Option<&Path>, arguments: &[String]) -> Result<String, String> {
    let mut command = Command::new(std::env::var_os("JWK_OPERATOR_TEST_HELM").map_or_else(|| tool("helm"), PathBuf::from));
    // Nothing of the person who runs the tests.
    command.env_clear().env("HOME", std::env::temp_dir()).args(arguments);
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = command.output().expect("Helm");
    let (printed, complaint) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    if output.status.success() { Ok(printed) } else { Err(complaint) }
}

/// Applies an object strictly.
pub async fn apply_as(user: &Client, object: Value) -> kube::Result<DynamicObject> {
    let types: TypeMeta = serde_json::from_value(object.clone()).expect("a type");
    let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types).expect("a kind"));
    let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(user.clone(), namespace, &resource),
        None => Api::all_with(user.clone(), &resource),
    };
    api.patch(&name, &PatchParams::apply("user").force().validation_strict(), &Patch::Apply(object)).await
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Some(mut api_server) = self.api_server.lock().expect("a lock").take() {
            let _ = api_server.kill();
            let _ = api_server.wait();
        }
        let stopped =
            Command::new(script("stop")).arg(self.folder.path().join("control-plane")).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(stopped.is_ok_and(|status| status.success()) || std::thread::panicking(), "the control plane did not stop");
    }
}
