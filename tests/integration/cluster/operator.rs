//! The playground of a test: a control plane, an emulator in this process, and the operator as a process of its own.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use jwk_operator::{
    api::{AdminApi, JsonWebKeySet, JsonWebKeySetStatus},
    hydra::emulator::{Emulator, EmulatorOptions},
    jwk::Jwk,
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::{control_plane::ControlPlane, wait::eventually};

/// How many playgrounds run at once: more than cores only makes all of them slow.
const AT_ONCE: usize = 2;

async fn place() -> OwnedSemaphorePermit {
    static PLACES: OnceCell<std::sync::Arc<Semaphore>> = OnceCell::const_new();
    let places = PLACES.get_or_init(async || std::sync::Arc::new(Semaphore::new(AT_ONCE))).await.clone();
    places.acquire_owned().await.expect("a place")
}

/// One process of the operator. It ends when it is dropped.
pub struct Operator {
    child: Child,
    port: u16,
}

impl Operator {
    /// Sends a signal, named as `kill` names it.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success(), "{name}");
    }

    /// What it answers to a GET of this path.
    pub async fn get(&self, path: &str) -> Option<crate::raw_http::Answer> {
        crate::raw_http::send(&format!("http://127.0.0.1:{}", self.port), "GET", path, None).await
    }

    pub async fn until_ready(&self) {
        eventually("the operator is ready", async || (self.get("/readyz").await?.status == 200).then_some(())).await;
    }

    pub async fn until_ended(&mut self) -> std::process::ExitStatus {
        eventually("the operator ends", async || self.child.try_wait().expect("a status")).await
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_some()
    }

    /// Ends it without a chance to do anything more.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Playground {
    operator: Option<Operator>,
    pub control_plane: ControlPlane,
    pub emulator: Emulator,
    logs: Vec<PathBuf>,
    /// What the operator is told besides.
    arguments: Vec<&'static str>,
    /// Environment variables that it gets besides.
    pub environment: Vec<(&'static str, String)>,
    _place: OwnedSemaphorePermit,
}

impl Playground {
    /// Everything but the operator and the AdminApi.
    pub async fn without_operator() -> Self {
        Self::with_roles("cluster.yaml", &[]).await
    }

    /// The same with these roles for the operator, and these arguments.
    pub async fn with_roles(roles: &str, arguments: &[&'static str]) -> Self {
        let place = place().await;
        let control_plane = ControlPlane::start_with(roles).await;
        let emulator = Emulator::start(EmulatorOptions::default()).await.expect("an emulator");
        Self {
            operator: None,
            control_plane,
            emulator,
            logs: Vec::new(),
            arguments: arguments.to_vec(),
            environment: Vec::new(),
            _place: place,
        }
    }

    /// A control plane with the chart, given the address of the emulator, and no operator yet.
    pub async fn with_chart(arguments: impl Fn(&str) -> Vec<String>) -> Self {
        let place = place().await;
        let emulator = Emulator::start(EmulatorOptions::default()).await.expect("an emulator");
        let control_plane = ControlPlane::start_with_chart(&arguments(emulator.url())).await;
        Self { operator: None, control_plane, emulator, logs: Vec::new(), arguments: Vec::new(), environment: Vec::new(), _place: place }
    }

    /// Starts the operator as the Deployment of the chart says: with its service account, its arguments, its environment.
    pub async fn start_deployed(&mut self) {
        let deployments = Api::<Deployment>::namespaced(self.control_plane.administrator.clone(), "jwk-operator");
        let pod = deployments.get("jwk-operator").await.expect("a Deployment").spec.expect("a spec").template.spec.expect("a Pod");
        let kubeconfig = self.control_plane.kubeconfig_of("jwk-operator", pod.service_account_name.as_deref().expect("an account")).await;
        let container = pod.containers.into_iter().next().expect("a container");
        let fields = container.env.unwrap_or_default().into_iter().map(|variable| {
            let field = variable.value_from.and_then(|source| source.field_ref).map(|field| field.field_path);
            let value = match field.as_deref() {
                Some("metadata.name") => "jwk-operator-0".to_owned(),
                Some("metadata.namespace") => "jwk-operator".to_owned(),
                _ => variable.value.unwrap_or_default(),
            };
            (variable.name, value)
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_jwk-operator"));
        command.args(container.args.unwrap_or_default()).env_clear().envs(fields).env("KUBECONFIG", kubeconfig);
        let port = container.ports.unwrap_or_default()[0].container_port;
        self.start_command(command, u16::try_from(port).expect("a port")).await;
    }

    /// Starts the operator by this command, which has it serve on this port, and waits until it watches.
    pub async fn start_command(&mut self, mut command: Command, port: u16) {
        let log = self.control_plane.folder().join(format!("operator-{}.log", self.logs.len()));
        let child = command.stderr(std::fs::File::create(&log).expect("a log")).stdin(Stdio::null()).spawn().expect("the operator");
        self.logs.push(log);
        let operator = Operator { child, port };
        operator.until_ready().await;
        self.operator = Some(operator);
    }

    /// What the operator answers to a GET of this path.
    pub async fn get(&self, path: &str) -> Option<crate::raw_http::Answer> {
        self.operator.as_ref()?.get(path).await
    }

    /// Everything, with an AdminApi that lets each namespace use the sets that begin with its name. Late answers count for 2 s.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with an operator that does not wait for the Lease of one that was killed.
    pub async fn start_alone() -> Self {
        Self::start_with(&["--leader-election=false"]).await
    }

    async fn start_with(arguments: &[&'static str]) -> Self {
        let mut playground = Self::with_roles("cluster.yaml", arguments).await;
        playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
        playground.start_operator().await;
        playground
    }

    /// Writes the AdminApi `default`: the emulator, with these settings besides.
    pub async fn admin_api(&self, settings: Value) {
        let mut spec = json!({ "url": self.emulator.url(), "access": [{ "namespaces": { "all": true }, "sets": ["{namespace}.*"] }] });
        for (name, value) in settings.as_object().expect("settings") {
            spec[name] = value.clone();
        }
        let object =
            json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": "default" }, "spec": spec });
        self.control_plane.apply(object).await.expect("an AdminApi");
    }

    pub async fn admin_api_reason(&self) -> Option<String> {
        let api = Api::<AdminApi>::all(self.control_plane.platform()).get("default").await.ok()?;
        api.status?.conditions.into_iter().find(|condition| condition.type_ == "Ready").map(|condition| condition.reason)
    }

    /// Starts the operator and waits until it watches.
    pub async fn start_operator(&mut self) {
        let operator = self.spawn_operator("operator", &[]).await;
        operator.until_ready().await;
        self.operator = Some(operator);
    }

    /// Starts an operator of this name, with these arguments besides.
    pub async fn spawn_operator(&mut self, name: &str, arguments: &[&str]) -> Operator {
        let kubeconfig = self.control_plane.operator_kubeconfig().await;
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let log = self.control_plane.folder().join(format!("operator-{}.log", self.logs.len()));
        let serve = format!("127.0.0.1:{port}");
        let child = Command::new(env!("CARGO_BIN_EXE_jwk-operator"))
            .args(["--log-level", "trace", "--log-format", "json", "run", "--namespace", "jwk-operator", "--serve", &serve])
            .args(&self.arguments)
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAME", name)
            // Must make no difference: nothing widens what is logged.
            .env("RUST_LOG", "trace")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stderr(std::fs::File::create(&log).expect("a log"))
            .stdin(Stdio::null())
            .spawn()
            .expect("the operator");
        self.logs.push(log);
        Operator { child, port }
    }

    /// What the system shows of the operator's process: `limits`, `environ`, `cmdline`.
    pub fn process(&self, file: &str) -> String {
        let id = self.operator.as_ref().expect("an operator").child.id();
        String::from_utf8_lossy(&std::fs::read(format!("/proc/{id}/{file}")).expect("a process")).into_owned()
    }

    /// How many times this text is in the memory that the operator's process may write.
    pub fn copies_in_memory(&self, text: &str) -> usize {
        use std::os::unix::fs::FileExt as _;
        let memory =
            std::fs::File::open(format!("/proc/{}/mem", self.operator.as_ref().expect("an operator").child.id())).expect("its memory");
        let maps = self.process("maps");
        let regions =
            maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))).filter_map(|line| {
                let (start, end) = line.split(' ').next()?.split_once('-')?;
                Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
            });
        let count = regions.map(|(start, end)| {
            let mut bytes = vec![0; usize::try_from(end - start).expect("a size")];
            // What is gone meanwhile holds nothing.
            let read = memory.read_at(&mut bytes, start).unwrap_or_default();
            bytes[..read].windows(text.len()).filter(|window| window[0] == text.as_bytes()[0] && *window == text.as_bytes()).count()
        });
        count.sum()
    }

    /// Ends the operator without a chance to do anything more.
    pub fn kill_operator(&mut self) {
        self.operator.take().expect("an operator").kill();
    }

    /// Asks the operator to end, and waits until it did.
    pub async fn stop_operator(&mut self) -> std::process::ExitStatus {
        let mut operator = self.operator.take().expect("an operator");
        operator.signal("TERM");
        operator.until_ended().await
    }

    /// Everything the operator logged.
    pub fn logged(&self) -> String {
        self.logs.iter().map(|log| std::fs::read_to_string(log).expect("a log")).collect()
    }

    pub fn sets(&self, namespace: &str) -> Api<JsonWebKeySet> {
        self.control_plane.api(namespace)
    }

    /// Applies a JsonWebKeySet.
    pub async fn apply(&self, namespace: &str, name: &str, spec: Value) {
        self.try_apply(namespace, name, spec).await.expect("applied");
    }

    pub async fn try_apply(&self, namespace: &str, name: &str, spec: Value) -> kube::Result<()> {
        let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet", "metadata": { "name": name, "namespace": namespace }, "spec": spec });
        self.control_plane.apply(object).await.map(|_| ())
    }

    /// The status once its condition of this type has this status.
    pub async fn until(&self, namespace: &str, name: &str, condition: &str, status: &str) -> JsonWebKeySetStatus {
        let api = self.sets(namespace);
        eventually(&format!("{namespace}/{name} is {condition}={status}"), async || {
            let found = api.get(name).await.ok()?;
            let generation = found.metadata.generation;
            let reported = found.status.filter(|reported| reported.observed_generation == generation)?;
            reported.conditions.iter().any(|found| found.type_ == condition && found.status == status).then_some(reported)
        })
        .await
    }

    pub async fn until_ready(&self, namespace: &str, name: &str) -> JsonWebKeySetStatus {
        self.until(namespace, name, "Ready", "True").await
    }

    /// The reason of `Ready`, once it is this one.
    pub async fn until_reason(&self, namespace: &str, name: &str, reason: &str) -> JsonWebKeySetStatus {
        let api = self.sets(namespace);
        eventually(&format!("{namespace}/{name} says {reason}"), async || {
            let reported = api.get(name).await.ok()?.status?;
            reported.conditions.iter().any(|found| found.type_ == "Ready" && found.reason == reason).then_some(reported)
        })
        .await
    }

    pub async fn until_gone(&self, namespace: &str, name: &str) {
        let api = self.sets(namespace);
        eventually(&format!("{namespace}/{name} is gone"), async || api.get_opt(name).await.ok()?.is_none().then_some(())).await;
    }

    /// The remote set, newest key first.
    pub fn remote(&self, set: &str) -> Vec<Jwk> {
        self.emulator.store().get_set(set).map(|set| set.keys).unwrap_or_default()
    }

    pub fn remote_kids(&self, set: &str) -> Vec<String> {
        self.remote(set).iter().filter_map(|key| key.kid().map(str::to_owned)).collect()
    }

    /// The kids of the private keys of the remote set.
    pub fn private_kids(&self, set: &str) -> Vec<String> {
        self.remote(set).iter().filter(|key| key.is_private()).filter_map(|key| key.kid().map(str::to_owned)).collect()
    }

    /// Waits until the operator looked at the set this many times more.
    pub async fn looks(&self, set: &str, times: usize) {
        let count = || self.emulator.calls().count(|call| call.set.as_deref() == Some(set) && call.method == http::Method::GET);
        let before = count();
        eventually("the operator looks again", async || (count() >= before + times).then_some(())).await;
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        drop(self.operator.take());
        if std::thread::panicking() {
            let log = self.logs.last().and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the last lines of the operator's log:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// One generated key. Where another one signs it is announced for a day before it is stored.
pub fn generated(name: &str, alg: &str) -> Value {
    json!({ "name": name, "generate": { "alg": alg } })
}

/// One generated key that is not announced.
pub fn unannounced(name: &str, alg: &str) -> Value {
    json!({ "name": name, "generate": { "alg": alg }, "rotation": { "prepublish": "0s" } })
}
