//! Readings of the operator's process, of the API server's log and of the emulator's.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use jwk_operator::api::JsonWebKeySet;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    NAMESPACE,
    cluster::{control_plane::OPERATOR, operator::Playground, released},
};

/// How many objects are made or deleted at once.
const AT_ONCE: usize = 16;

/// A set with one key.
pub fn set(namespace: &str, number: usize) -> JsonWebKeySet {
    let object = json!({
        "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet",
        "metadata": { "name": format!("set-{number}"), "namespace": namespace },
        "spec": { "keys": [{ "name": "signing", "generate": { "alg": "ES256" } }] },
    });
    serde_json::from_value(object).expect("a resource")
}

pub async fn create(playground: &Playground, namespace: &str, sets: usize) {
    let api: Api<JsonWebKeySet> = playground.control_plane.api(namespace);
    let each = stream::iter(0..sets).for_each_concurrent(AT_ONCE, async |number| {
        api.create(&PostParams::default(), &set(namespace, number)).await.expect("created");
    });
    each.await;
}

pub async fn delete(playground: &Playground, sets: usize) {
    let api: Api<JsonWebKeySet> = playground.control_plane.api(NAMESPACE);
    let each = stream::iter(0..sets).for_each_concurrent(AT_ONCE, async |number| {
        api.delete(&format!("set-{number}"), &DeleteParams::default()).await.expect("deleted");
    });
    each.await;
}

/// Starts the program of the image, or the one that `JWK_OPERATOR_BENCH_PROGRAM` names, with the default limits.
pub async fn start(playground: &mut Playground) {
    let other = std::env::var_os("JWK_OPERATOR_BENCH_PROGRAM").map(PathBuf::from);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut program = Command::new(other.unwrap_or_else(released::program_as_released));
    program.args(["run", "--namespace", "jwk-operator", &format!("--serve=127.0.0.1:{port}")]);
    program.envs(image_environment());
    program.env("KUBECONFIG", playground.control_plane.operator_kubeconfig().await);
    playground.start_command(program, port).await;
}

/// The variables that the image sets.
fn image_environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("../../Dockerfile").lines().filter_map(|line| line.strip_prefix("ENV ")?.split_once('='))
}

/// How many sets are Ready, as the operator counts them. It must not have ended.
pub async fn ready(playground: &Playground) -> usize {
    let Some(answer) = playground.get("/metrics").await else {
        assert!(!playground.process("status").contains("State:\tZ"), "the operator has ended:\n{}", last_lines(&playground.logged()));
        return 0;
    };
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let lines = text.lines().filter(|line| line.contains(r#"type="Ready",status="True""#));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Waits until so many sets are Ready. Asking costs the operator a look at all sets, so that it is done for a twentieth of the time at most.
pub async fn until_ready(playground: &Playground, sets: usize) {
    loop {
        let asked = Instant::now();
        if ready(playground).await == sets {
            return;
        }
        tokio::time::sleep((asked.elapsed() * 20).max(Duration::from_millis(100))).await;
    }
}

/// Kibibytes of memory that the operator's process holds now (`VmRSS`), or held at most (`VmHWM`).
pub fn kibibytes(playground: &Playground, field: &str) -> u64 {
    let status = playground.process("status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("kibibytes")
}

/// Seconds of processor time that the operator's process used so far.
pub fn processor_seconds(playground: &Playground) -> f64 {
    /// The ticks of a second in which the system counts processor time.
    const TICKS: f64 = 100.0;
    let stat = playground.process("stat");
    let (_, fields) = stat.rsplit_once(") ").expect("fields");
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks")).sum::<f64>() / TICKS
}

/// What was asked of the emulator, by operation.
pub fn admin_calls(playground: &Playground) -> BTreeMap<String, usize> {
    let calls = playground.emulator.calls().all();
    count(calls.iter().filter_map(|call| call.operation).map(|operation| format!("{operation:?}")))
}

/// How many sets of the namespace were looked at.
pub fn sets_looked_at(playground: &Playground) -> usize {
    let sets = playground.emulator.calls().all().into_iter().filter_map(|call| call.set);
    sets.filter(|set| set.starts_with(NAMESPACE)).collect::<BTreeSet<_>>().len()
}

/// What the operator's account asked of the API server since `begin`, by verb and resource.
pub fn kubernetes_calls(playground: &Playground, begin: usize) -> BTreeMap<String, usize> {
    let log = audit_log(playground);
    let events = log[begin..].lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = events.filter(|event| event["user"]["username"] == OPERATOR);
    count(own.map(|event| {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let part = text("/objectRef/subresource");
        let slash = if part.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{part}", text("/verb"), text("/objectRef/resource"))
    }))
}

/// Where the log of the API server ends now.
pub fn audit_mark(playground: &Playground) -> usize {
    audit_log(playground).len()
}

fn audit_log(playground: &Playground) -> String {
    std::fs::read_to_string(playground.control_plane.folder().join("control-plane/audit.log")).expect("an audit log")
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    names.fold(BTreeMap::new(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}

pub fn print(title: &str, counts: &BTreeMap<String, usize>) {
    println!("{title}");
    for (name, count) in counts {
        println!("  {count:>8}  {name}");
    }
}
