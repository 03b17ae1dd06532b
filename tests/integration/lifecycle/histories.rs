//! Random histories: any start, any drift, a crash or a fault at any step. After every step the oracle looks; at the end everything settles
//! into a fixed point without steps.

use jwk_operator::{
    api::{
        Algorithm, ConfigMapTarget, DeletionPolicy, Generate, JsonWebKeySetSpec, KeySource, Mode, PublicKey, PublishTarget, TargetKind,
        UnmanagedKeys,
    },
    hydra::emulator::{DerivedKeys, Generate as _},
    jwk::Jwk,
    lifecycle::{TargetId, kid},
};
use proptest::{prelude::*, test_runner::RngSeed};

use super::world::{End, Fault, LATE, SET, World};

/// What can happen between two passes.
#[derive(Clone, Debug)]
enum Event {
    Pass(Vec<Fault>),
    Advance(i64),
    DeleteKey(usize),
    DeleteSet,
    PostForeign,
    PutForeignPublic,
    ReplaceWithPrivate(usize),
    ReplaceWithPublic(usize),
    MoveToFront(usize),
    LoseStatus,
    DeleteTarget,
    AlterTarget,
    TakeTarget(bool),
    AddEntry(usize),
    DropEntry(usize),
    Sign(usize),
    Unmanaged(bool),
    Targets(usize),
    Observe(bool),
    Skew(i64),
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        12 => Just(Fault::None),
        1 => Just(Fault::CrashBefore),
        1 => Just(Fault::CrashAfter),
        1 => Just(Fault::Refused),
        1 => Just(Fault::LostReply),
        1 => (1..LATE).prop_map(Fault::Late),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => proptest::collection::vec(faults(), 0..8).prop_map(Event::Pass),
        4 => prop_oneof![Just(1), Just(30), Just(LATE + 1), Just(3600), Just(30 * 3600), Just(60 * 3600), Just(400 * 86_400)].prop_map(Event::Advance),
        2 => (0..6usize).prop_map(Event::DeleteKey),
        1 => Just(Event::DeleteSet),
        1 => Just(Event::PostForeign),
        1 => Just(Event::PutForeignPublic),
        1 => (0..6usize).prop_map(Event::ReplaceWithPrivate),
        1 => (0..6usize).prop_map(Event::ReplaceWithPublic),
        1 => (0..6usize).prop_map(Event::MoveToFront),
        1 => Just(Event::LoseStatus),
        1 => Just(Event::DeleteTarget),
        1 => Just(Event::AlterTarget),
        1 => any::<bool>().prop_map(Event::TakeTarget),
        2 => (0..5usize).prop_map(Event::AddEntry),
        1 => (0..5usize).prop_map(Event::DropEntry),
        1 => (0..5usize).prop_map(Event::Sign),
        1 => any::<bool>().prop_map(Event::Unmanaged),
        1 => (0..3usize).prop_map(Event::Targets),
        1 => any::<bool>().prop_map(Event::Observe),
        1 => prop_oneof![Just(0), Just(30), Just(-7200), Just(90_000)].prop_map(Event::Skew),
    ]
}

/// The entries that a spec can have. Two are symmetric or for encryption, one is a partner's key.
fn entry(index: usize) -> KeySource {
    let generate = |alg, key_use| Some(Generate { alg, key_use });
    let (name, generate, public) = match index {
        0 => ("signing", generate(Algorithm::ES256, None), None),
        1 => ("other", generate(Algorithm::EdDSA, None), None),
        2 => ("shared", generate(Algorithm::HS256, None), None),
        3 => ("sealing", generate(Algorithm::ES384, Some(jwk_operator::api::KeyUse::Enc)), None),
        _ => ("partner", None, Some(partner())),
    };
    KeySource { name: name.into(), generate, public }
}

fn partner() -> PublicKey {
    let keys = DerivedKeys::default();
    let key = keys.generate("ES512").expect("a key").public_half().expect("a public half");
    let mut members = serde_json::to_value(&key).expect("JSON");
    members["kid"] = "partner-1".into();
    serde_json::from_value(members).expect("a public key")
}

fn set_entries(spec: &mut JsonWebKeySetSpec, entries: Vec<KeySource>) {
    let signers: Vec<&KeySource> = entries.iter().filter(|entry| entry.generate.is_some()).collect();
    spec.signer = match signers.len() {
        0 | 1 => None,
        _ => Some(
            spec.signer.clone().filter(|name| signers.iter().any(|entry| &entry.name == name)).unwrap_or_else(|| signers[0].name.clone()),
        ),
    };
    spec.keys = entries;
}

fn target(name: &str) -> PublishTarget {
    PublishTarget { config_map: Some(ConfigMapTarget { name: name.into(), key: None }), ..PublishTarget::default() }
}

fn id(name: &str) -> TargetId {
    TargetId { kind: TargetKind::ConfigMap, namespace: "shop".into(), name: name.into() }
}

impl World {
    fn happen(&mut self, event: &Event) {
        match event {
            Event::Pass(faults) => {
                self.pass(faults);
            }
            Event::Advance(seconds) => self.advance(*seconds),
            Event::DeleteKey(index) => {
                if let Some(kid) = self.any_kid(*index) {
                    self.outsider(&format!("deletes {kid}"), |store| store.delete_key(SET, &kid));
                }
            }
            Event::DeleteSet => self.outsider("deletes the set", |store| store.delete_set(SET)),
            Event::PostForeign => self.outsider("posts a key", |store| {
                store.create(SET, None, "ES256", "").expect("a key");
            }),
            Event::PutForeignPublic => self.outsider("puts a public key", |store| {
                let key = store.generator().generate("ES256").expect("a key").with("kid", "theirs");
                let public = key.public_half().expect("a public half").as_jwk().clone();
                if store.get_key(SET, "theirs").is_err() {
                    store.put_key(SET, &public).expect("stored");
                }
            }),
            Event::ReplaceWithPrivate(index) => self.replace(*index, |key| key),
            Event::ReplaceWithPublic(index) => self.replace(*index, |key| key.public_half().map_or(key, |public| public.as_jwk().clone())),
            Event::MoveToFront(index) => {
                if let Some(key) = self.any_kid(*index).and_then(|kid| self.store.get_key(SET, &kid).ok()) {
                    self.outsider(&format!("moves {key:?} to the front"), |store| {
                        store.put_key(SET, &key).expect("stored");
                    });
                }
            }
            Event::LoseStatus => {
                // Nothing can be known of what only a lost status remembered.
                self.say("STATUS LOST");
                self.resource.status = None;
                let (live, objects) = (self.live(), self.objects.clone());
                self.oracle.forget_unremembered(&live, &objects);
            }
            Event::DeleteTarget => {
                self.say("TARGETS DELETED");
                self.objects.clear();
                if self.resource.status.is_none() {
                    let live = self.live();
                    self.oracle.forget_unremembered(&live, &Default::default());
                }
            }
            Event::AlterTarget => {
                self.say("TARGET ALTERED");
                for held in self.objects.values_mut() {
                    held.content.data.insert("other".into(), "x".into());
                    held.resource_version.push('0');
                }
            }
            Event::TakeTarget(taken) => {
                self.say(format!("TARGET FOREIGN {taken}"));
                self.foreign_objects.clear();
                if *taken && !self.objects.contains_key(&id("second")) {
                    self.foreign_objects.push(id("second"));
                }
            }
            Event::AddEntry(index) => {
                let new = entry(*index);
                let mut entries = self.resource.spec.keys.clone();
                if entries.iter().all(|entry| entry.name != new.name) {
                    self.say(format!("ADD {}", new.name));
                    entries.push(new);
                    self.edit(|spec| set_entries(spec, entries));
                }
            }
            Event::DropEntry(index) => {
                let name = entry(*index).name;
                let entries: Vec<_> = self.resource.spec.keys.iter().filter(|entry| entry.name != name).cloned().collect();
                self.say(format!("DROP {name}"));
                self.edit(|spec| set_entries(spec, entries));
            }
            Event::Sign(index) => {
                let name = entry(*index).name;
                if self.resource.spec.signer.is_some()
                    && self.resource.spec.keys.iter().any(|entry| entry.name == name && entry.generate.is_some())
                {
                    self.say(format!("SIGNER {name}"));
                    self.edit(|spec| spec.signer = Some(name));
                }
            }
            Event::Unmanaged(delete) => {
                self.say(format!("UNMANAGED delete={delete}"));
                self.edit(|spec| spec.unmanaged_keys = Some(if *delete { UnmanagedKeys::Delete } else { UnmanagedKeys::Keep }));
            }
            Event::Targets(count) => {
                self.say(format!("TARGETS {count}"));
                let targets = ["payments-jwks", "second"].iter().take(*count).map(|name| target(name)).collect();
                self.edit(|spec| spec.publish = Some(targets));
            }
            Event::Observe(observe) => {
                self.say(format!("OBSERVE {observe}"));
                self.edit(|spec| spec.mode = Some(if *observe { Mode::Observe } else { Mode::Enforce }));
            }
            Event::Skew(seconds) => self.skew = jiff::SignedDuration::from_secs(*seconds),
        }
    }

    fn any_kid(&self, index: usize) -> Option<String> {
        let live = self.live();
        if live.is_empty() { None } else { live[index % live.len()].kid().map(str::to_owned) }
    }

    /// Somebody stores another key under an existing kid.
    fn replace(&mut self, index: usize, shape: impl FnOnce(Jwk) -> Jwk) {
        let Some(kid) = self.any_kid(index) else { return };
        self.outsider(&format!("replaces {kid}"), |store| {
            let key = store.generator().generate("ES256").expect("a key").with("kid", kid.as_str()).with("use", "sig");
            store.put_key(SET, &shape(key)).expect("stored");
        });
    }

    /// No more trouble: it must come to rest, and rest means no step.
    fn settle(&mut self) {
        self.say("SETTLE");
        self.skew = jiff::SignedDuration::ZERO;
        self.edit(|spec| spec.mode = None);
        self.foreign_objects.clear();
        self.advance(LATE + 1);
        for _ in 0..4 {
            self.pass(&[]);
            self.advance(LATE + 1);
        }
        let end = self.pass(&[]);
        assert_eq!(end, End::Done(0), "a pass at rest has steps\n{}", self.history());
        self.check_rest();
    }

    fn check_rest(&self) {
        let log = || self.history();
        let (status, live) = (self.status(), self.live());
        if status.conditions.iter().any(|condition| condition.reason == "KidTaken") {
            return;
        }
        assert!(self.is_ready(), "not ready: {:?}\n{}", status.conditions, log());
        for entry in &self.resource.spec.keys {
            let Some(generate) = entry.generate else { continue };
            let active: Vec<_> = live
                .iter()
                .filter(|key| {
                    key.is_private()
                        && key.alg() == Some(generate.alg.as_str())
                        && status
                            .keys
                            .iter()
                            .any(|record| Some(record.kid.as_str()) == key.kid() && record.state == jwk_operator::api::KeyState::Active)
                })
                .filter(|key| key.kid().and_then(|kid| kid::parse_generated(SET, kid)).is_some_and(|(name, _)| name == entry.name))
                .collect();
            assert_eq!(active.len(), 1, "entry {} has {active:?}\n{}", entry.name, log());
            if self.resource.spec.signer.as_ref() == Some(&entry.name) || self.resource.spec.signer.is_none() {
                assert_eq!(status.signer.as_deref(), active[0].kid(), "{}", log());
                assert_eq!(live.iter().find(|key| key.is_private()).and_then(Jwk::kid), active[0].kid(), "{}", log());
            }
        }
        for held in self.objects.values() {
            let published = held.content.published();
            // Somebody else's key under the kid of a symmetric one has no place in a target.
            let is_intruder =
                |key: &&Jwk| self.oracle.is_foreign(key) && key.kid().is_some_and(|kid| kid::parse_generated(SET, kid).is_some());
            for key in live.iter().filter(|key| !is_intruder(key)).filter_map(Jwk::public_half) {
                let is_kept_private = key.as_jwk().key_use() == Some("enc");
                assert!(is_kept_private || published.contains_key(key.kid().unwrap_or_default()), "{key:?} is not published\n{}", log());
            }
        }
    }

    fn delete_and_settle(&mut self) {
        self.say("DELETE");
        self.delete_resource();
        let policy = self.resource.spec.deletion_policy;
        let before = self.live();
        for _ in 0..3 {
            self.pass(&[]);
            self.advance(LATE + 1);
        }
        assert!(self.gone, "the resource does not go\n{}", self.history());
        let live = self.live();
        if policy == Some(DeletionPolicy::Retain) {
            assert_eq!(before, live);
        } else if policy == Some(DeletionPolicy::Delete) {
            let own = live.iter().filter(|key| key.kid().is_some_and(|kid| kid::parse_generated(SET, kid).is_some())).count();
            assert_eq!(own, 0, "own keys are left\n{}", self.history());
        }
        for key in
            before.iter().filter(|key| self.oracle.is_foreign(key) && key.kid().is_some_and(|kid| kid::parse_generated(SET, kid).is_none()))
        {
            assert!(live.contains(key), "rule 6: {key:?} of somebody else went with the resource\n{}", self.history());
        }
    }
}

fn first_spec() -> impl Strategy<Value = JsonWebKeySetSpec> {
    let policy = prop_oneof![Just(None), Just(Some(DeletionPolicy::Delete)), Just(Some(DeletionPolicy::Retain))];
    (proptest::sample::subsequence(vec![0usize, 1, 2, 3, 4], 0..=5), policy).prop_map(|(indices, policy)| {
        let mut spec = JsonWebKeySetSpec { deletion_policy: policy, ..JsonWebKeySetSpec::default() };
        set_entries(&mut spec, indices.into_iter().map(entry).collect());
        spec
    })
}

/// The same histories in every run, so that a change is judged by itself. `HISTORIES` asks for more of them, `HISTORIES_SEED` for others.
fn config() -> ProptestConfig {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    ProptestConfig {
        cases: u32::try_from(number("HISTORIES", 2000)).unwrap_or(u32::MAX),
        rng_seed: RngSeed::Fixed(number("HISTORIES_SEED", 20_261_123)),
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_history_keeps_the_rules_and_comes_to_rest(
        spec in first_spec(),
        found in 0..3usize,
        history in proptest::collection::vec(events(), 0..24),
        delete in any::<bool>(),
    ) {
        let mut world = World::new(spec);
        for _ in 0..found {
            world.happen(&Event::PostForeign);
        }
        for event in &history {
            world.happen(event);
        }
        world.settle();
        if delete {
            world.delete_and_settle();
        }
    }
}
