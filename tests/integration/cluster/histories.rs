//! Two hundred histories at once over HTTP, with the operator killed again and again; every write is judged by the oracle of the model.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{JsonWebKeySet, JsonWebKeySetSpec, TargetKind},
    hydra::emulator::{Effect, Fault, Store},
    jwk::Jwk,
    lifecycle::{Document, HeldTarget, TargetContent, TargetId, kid},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use serde_json::{Value, json};

use super::{operator::Playground, wait::eventually};
use crate::lifecycle::oracle::{Oracle, RemoteWrite, TargetWrite};

const HISTORIES: usize = 200;
const NAMESPACES: usize = 10;
const ROUNDS: usize = 8;
/// Times in status are whole seconds, and a watch tells of a write after it.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// Something that happened to one set, and when.
#[derive(Clone)]
struct Happened {
    at: Timestamp,
    what: What,
}

#[derive(Clone)]
enum What {
    Write { before: Vec<Jwk>, after: Vec<Jwk> },
    Outsider { before: Vec<Jwk>, after: Vec<Jwk> },
    Target(Option<BTreeMap<String, String>>),
    Spec(Box<JsonWebKeySetSpec>),
    StatusLost,
}

/// What happened to each set.
type Diary = Arc<Mutex<BTreeMap<String, Vec<Happened>>>>;

fn note(diary: &Diary, set: &str, what: What) {
    let happened = Happened { at: Timestamp::now(), what };
    diary.lock().expect("no panic").entry(set.to_owned()).or_default().push(happened);
}

fn place(index: usize) -> (String, String) {
    (format!("team-{}", index % NAMESPACES), format!("h{index}"))
}

fn set_of(index: usize) -> String {
    let (namespace, name) = place(index);
    format!("{namespace}.{name}")
}

/// Four kinds: rotated, rotated beside a key that is not announced, and two that are only rotated when somebody asks.
fn spec(index: usize, revoke: &[String]) -> Value {
    let rotated = |name: &str| json!({ "name": name, "generate": { "alg": "ES256" }, "rotation": { "interval": "20s", "prepublish": "5s", "retain": "5s" } });
    let (keys, signer) = match index % 4 {
        0 => (json!([rotated("signing")]), None),
        1 => (
            json!([rotated("signing"), { "name": "other", "generate": { "alg": "EdDSA" }, "rotation": { "prepublish": "0s", "retain": "5s" } }]),
            Some("signing"),
        ),
        2 => (json!([{ "name": "signing", "generate": { "alg": "ES384" }, "rotation": { "prepublish": "6s", "retain": "20s" } }]), None),
        _ => (json!([{ "name": "signing", "generate": { "alg": "ES256" }, "rotation": { "prepublish": "5s", "retain": "5s" } }]), None),
    };
    let mut spec = json!({ "keys": keys });
    if let Some(signer) = signer {
        spec["signer"] = signer.into();
    }
    if !revoke.is_empty() {
        spec["revoke"] = json!(revoke);
    }
    spec
}

/// Changes a set behind the operator's back.
fn outsider(playground: &Playground, diary: &Diary, set: &str, change: impl FnOnce(&mut Store)) {
    let mut store = playground.emulator.store();
    let keys = |store: &Store| store.get_set(set).map(|set| set.keys).unwrap_or_default();
    let before = keys(&store);
    change(&mut store);
    let after = keys(&store);
    // Noted under the lock of the store, so that the order is that of the writes.
    note(diary, set, What::Outsider { before, after });
}

async fn apply(playground: &Playground, diary: &Diary, index: usize, revoke: &[String]) {
    let (namespace, name) = place(index);
    let spec = spec(index, revoke);
    // Before it is applied: the operator may act on it before the answer is here.
    note(diary, &set_of(index), What::Spec(Box::new(serde_json::from_value(spec.clone()).expect("a spec"))));
    playground.apply(&namespace, &name, spec).await;
}

/// One thing that somebody does to a set.
async fn disturb(playground: &Playground, diary: &Diary, index: usize, random: &mut fastrand::Rng) {
    let (set, (namespace, name)) = (set_of(index), place(index));
    let live = playground.remote_kids(&set);
    match random.u8(0..8) {
        0 if !live.is_empty() => {
            let kid = &live[random.usize(0..live.len())];
            outsider(playground, diary, &set, |store| store.delete_key(&set, kid));
        }
        1 => outsider(playground, diary, &set, |store| store.delete_set(&set)),
        2 => outsider(playground, diary, &set, |store| {
            store.create(&set, None, "ES256", "sig").expect("a key");
        }),
        3 => playground.emulator.store().delete_set(&format!("{set}~next")),
        4 => {
            let maps: Api<ConfigMap> = playground.control_plane.api(&namespace);
            let _ = maps.delete(&format!("{name}-jwks"), &DeleteParams::default()).await;
        }
        5 => {
            note(diary, &set, What::StatusLost);
            let lost = json!({ "status": { "origin": null, "keys": null, "slots": null, "targets": null } });
            // No developer may do this: it is a disaster.
            let sets = Api::<JsonWebKeySet>::namespaced(playground.control_plane.administrator.clone(), &namespace);
            let _ = sets.patch_status(&name, &PatchParams::default(), &Patch::Merge(lost)).await;
        }
        6 => {
            if let Some(signer) = playground.private_kids(&set).first() {
                apply(playground, diary, index, std::slice::from_ref(signer)).await;
            }
        }
        _ => {
            let asked = format!("{:.0}", Timestamp::now() + Duration::from_secs(2));
            let annotation = json!({ "metadata": { "annotations": { "jwk-operator.dev/rotate-at": asked } } });
            let _ = playground.sets(&namespace).patch(&name, &PatchParams::default(), &Patch::Merge(annotation)).await;
        }
    }
}

/// Writes down every change of every target.
fn watch_targets(playground: &Playground, diary: &Diary) {
    let maps: Api<ConfigMap> = Api::all(playground.control_plane.administrator.clone());
    let own = watcher::Config::default().labels("app.kubernetes.io/managed-by=jwk-operator");
    let diary = diary.clone();
    tokio::spawn(async move {
        let events = watcher(maps, own).default_backoff().for_each(async |event| {
            let (map, data) = match event {
                Ok(watcher::Event::Apply(map) | watcher::Event::InitApply(map)) => (map.clone(), map.data),
                Ok(watcher::Event::Delete(map)) => (map, None),
                // It ends with the control plane.
                Ok(watcher::Event::Init | watcher::Event::InitDone) | Err(_) => return,
            };
            let set = map.annotations().get("jwk-operator.dev/set").cloned().unwrap_or_default();
            note(&diary, &set, What::Target(data));
        });
        events.await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_histories_keep_the_rules_while_the_operator_is_killed() {
    let seed = std::env::var("HISTORIES_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_124);
    eprintln!("the seed of these histories: {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut playground = Playground::start().await;
    let limits = json!({ "requestsPerSecond": 1000, "burst": 1000, "minRotationInterval": "10s", "generations": 16 });
    playground.admin_api(json!({ "timeout": "2s", "resyncInterval": "5s", "limits": limits })).await;
    for index in 0..NAMESPACES {
        playground.control_plane.namespace(&format!("team-{index}")).await;
    }
    let diary = Diary::default();
    playground.emulator.journal().open();
    watch_targets(&playground, &diary);
    futures::stream::iter(0..HISTORIES).for_each_concurrent(8, |index| apply(&playground, &diary, index, &[])).await;

    for round in 0..ROUNDS {
        let faults = playground.emulator.faults().clone();
        for _ in 0..6 {
            let lost = Effect::status(StatusCode::INTERNAL_SERVER_ERROR);
            // What lands late is judged by what was asked for then: nobody disturbs the sets in such a round.
            let late = if round % 2 == 0 { Effect::LateEffect(Duration::from_millis(1500)) } else { Effect::LoseReply };
            for effect in [Effect::LoseReply, Effect::LoseRequest, Effect::DelayAfter(Duration::from_millis(2500)), lost, late] {
                faults.add(Fault::new(effect).writes());
            }
        }
        if round % 2 == 1 {
            for _ in 0..HISTORIES / 5 {
                let index = random.usize(0..HISTORIES);
                disturb(&playground, &diary, index, &mut random).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(random.u64(2500..6000))).await;
        playground.kill_operator();
        faults.clear();
        // What was sent before lands before the sets are disturbed again.
        tokio::time::sleep(Duration::from_millis(2600)).await;
        playground.start_operator().await;
    }
    for index in 0..HISTORIES {
        let (namespace, name) = place(index);
        eventually(&format!("{name} comes to rest"), async || at_rest(&playground, &namespace, &name, &set_of(index)).await).await;
    }
    playground.kill_operator();
    judge(&playground, &diary);
}

/// Whether a set is ready, with one private key for each entry, the signer in front.
async fn at_rest(playground: &Playground, namespace: &str, name: &str, set: &str) -> Option<()> {
    let resource: JsonWebKeySet = playground.sets(namespace).get(name).await.ok()?;
    let status = resource.status?;
    let is_ready = status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let own: Vec<String> =
        playground.private_kids(set).into_iter().filter(|kid| kid::parse_generated(&set.into(), kid).is_some()).collect();
    let signs = own.first().and_then(|kid| kid::parse_generated(&set.into(), kid)).is_some_and(|(entry, _)| entry == "signing");
    let revoked = resource.spec.revoke.iter().all(|kid| !playground.remote_kids(set).contains(kid));
    (is_ready && own.len() == resource.spec.keys.len() && signs && revoked).then_some(())
}

/// Looks at everything that happened to each set, in its order.
fn judge(playground: &Playground, diary: &Diary) {
    let mut diary = diary.lock().expect("no panic").clone();
    for change in playground.emulator.journal().all() {
        let happened = Happened { at: change.at, what: What::Write { before: change.before, after: change.after } };
        diary.entry(change.set).or_default().push(happened);
    }
    let mut writes = 0;
    for (set, mut happened) in diary.into_iter().filter(|(set, _)| !set.ends_with("~next")) {
        happened.sort_by_key(|happened| happened.at);
        writes += happened.iter().filter(|happened| matches!(happened.what, What::Write { .. })).count();
        if let Err(violation) = judge_set(&set, &happened) {
            panic!("{set}: {violation}\n{}", told(&happened));
        }
    }
    eprintln!("{writes} writes were judged");
    assert!(writes > 3 * HISTORIES, "the sets were rotated: {writes} writes");
}

fn judge_set(set: &str, happened: &[Happened]) -> Result<(), String> {
    let mut oracle = Oracle::new(set, SLACK);
    let id = TargetId { kind: TargetKind::ConfigMap, namespace: String::new(), name: String::new() };
    let (mut spec, mut objects, mut live) = (JsonWebKeySetSpec::default(), BTreeMap::<TargetId, HeldTarget>::new(), Vec::new());
    for Happened { at, what } in happened {
        match what {
            What::Spec(asked) => {
                spec = (**asked).clone();
                oracle.note_spec(&spec);
            }
            What::Write { before, after } => {
                oracle.note_live(before, after, *at);
                let write = RemoteWrite {
                    stored: None,
                    before,
                    after,
                    staged_before: &[],
                    staged_after: &[],
                    sent_for: &spec,
                    status: None,
                    secrets: &[],
                    deleting: false,
                    late: false,
                    revoked_since: None,
                    is_refusing: false,
                };
                oracle.check_write(&write, *at)?;
                live.clone_from(after);
            }
            What::Outsider { before, after } => {
                oracle.note_outsider(before, after);
                oracle.note_live(before, after, *at);
                live.clone_from(after);
            }
            What::Target(None) => {
                objects.clear();
            }
            What::Target(Some(data)) => {
                let content = content(data);
                let look = TargetWrite {
                    id: &id,
                    content: &content,
                    before: objects.get(&id),
                    recorded: None,
                    spec: &spec,
                    status: None,
                    may_be_private: false,
                };
                oracle.check_target(look, &Store::default(), &[], &live, *at)?;
                objects.insert(id.clone(), HeldTarget { uid: "".into(), resource_version: String::new(), is_immutable: false, content });
                oracle.note_published(&live, &objects, None);
            }
            What::StatusLost => oracle.forget_unremembered(&live, &objects),
        }
    }
    Ok(())
}

fn content(data: &BTreeMap<String, String>) -> TargetContent {
    let data = data.iter().map(|(key, text)| (key.clone(), Document::read(text))).collect();
    TargetContent { data, ..TargetContent::default() }
}

/// A history, a line each.
fn told(happened: &[Happened]) -> String {
    let keys = |keys: &[Jwk]| {
        let told = |key: &Jwk| {
            format!("{}{}", if key.is_private() { "*" } else { "" }, key.kid().unwrap_or_default().rsplit('.').next().unwrap_or_default())
        };
        keys.iter().map(told).collect::<Vec<_>>().join(" ")
    };
    let line = |Happened { at, what }: &Happened| match what {
        What::Write { before, after } => format!("{at} write    {} -> {}\n", keys(before), keys(after)),
        What::Outsider { before, after } => format!("{at} OUTSIDER {} -> {}\n", keys(before), keys(after)),
        What::Target(None) => format!("{at} target   gone\n"),
        What::Target(Some(data)) => {
            let content = content(data);
            let kids: Vec<_> =
                content.published().into_keys().map(|kid| kid.as_str().rsplit('.').next().unwrap_or_default().to_owned()).collect();
            format!("{at} target   {}\n", kids.join(" "))
        }
        What::Spec(spec) => format!("{at} spec     revoke {:?}\n", spec.revoke),
        What::StatusLost => format!("{at} STATUS LOST\n"),
    };
    happened.iter().map(line).collect()
}
