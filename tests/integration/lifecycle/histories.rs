//! Random histories: any start, any drift, a crash or a fault at any step. After every step the oracle looks; at the end everything settles
//! into a fixed point without steps.

use jiff::SignedDuration;
use jwk_operator::{
    api::{DeletionPolicy, JsonWebKeySetSpec, KeySource, KeyState, Mode, ROTATE_AT_ANNOTATION, UnmanagedKeys},
    jwk::Jwk,
    lifecycle::kid,
};
use kube::ResourceExt as _;
use proptest::{prelude::*, test_runner::RngSeed};

use super::{
    entries::{ENTRIES, SECRETS, can_sign, entry, retime, set_entries, target, target_id},
    world::{End, Fault, LATE, SET, STAGED, World},
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// What can happen between two passes.
#[derive(Clone, Debug)]
enum Event {
    Pass(Vec<Fault>),
    Advance(i64),
    DeleteKey(usize),
    DeleteSet,
    DeleteStagedSet,
    DeleteStagedKey(usize),
    ReplaceStaged(usize),
    PostForeign,
    PutForeignPublic,
    PutUnderImportedKid,
    ReplaceWithPrivate(usize),
    ReplaceWithPublic(usize),
    MakePublic(usize),
    MoveToFront(usize),
    LoseStatus,
    DeleteTarget,
    AlterTarget,
    TakeTarget(bool),
    FailTargets(bool),
    AddEntry(usize, usize),
    DropEntry(usize),
    Retime(usize, usize),
    Sign(usize),
    Revoke(usize),
    RevokeNone,
    RotateAt(i64),
    ChangeSecret(usize),
    RemoveSecret(usize),
    LabelSecret(usize, bool),
    Unmanaged(bool),
    Targets(usize),
    Observe(bool),
    Clock(i64),
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        14 => Just(Fault::None),
        1 => Just(Fault::CrashBefore),
        1 => Just(Fault::CrashAfter),
        1 => Just(Fault::Refused),
        1 => Just(Fault::LostReply),
        1 => (1..LATE).prop_map(Fault::Late),
    ]
}

fn durations() -> impl Strategy<Value = i64> {
    let late = LATE + 1;
    proptest::sample::select(vec![
        1,
        30,
        late,
        late,
        HOUR + 5,
        HOUR + 5,
        4 * HOUR + 5,
        4 * HOUR + 5,
        9 * HOUR,
        30 * HOUR,
        30 * HOUR,
        60 * HOUR,
        10 * DAY,
        400 * DAY,
    ])
}

fn events() -> impl Strategy<Value = Event> {
    let passes = prop_oneof![
        14 => proptest::collection::vec(faults(), 0..8).prop_map(Event::Pass),
        10 => durations().prop_map(Event::Advance),
        1 => prop_oneof![4 => Just(0), 1 => Just(30), 1 => Just(-30), 1 => Just(-HOUR), 1 => Just(7200), 1 => Just(400 * DAY)].prop_map(Event::Clock),
    ];
    let drift = prop_oneof![
        2 => (0..6usize).prop_map(Event::DeleteKey),
        1 => Just(Event::DeleteSet),
        1 => Just(Event::DeleteStagedSet),
        1 => (0..3usize).prop_map(Event::DeleteStagedKey),
        1 => (0..3usize).prop_map(Event::ReplaceStaged),
        1 => Just(Event::PostForeign),
        1 => Just(Event::PutForeignPublic),
        1 => Just(Event::PutUnderImportedKid),
        1 => (0..6usize).prop_map(Event::ReplaceWithPrivate),
        1 => (0..6usize).prop_map(Event::ReplaceWithPublic),
        1 => (0..6usize).prop_map(Event::MakePublic),
        1 => (0..6usize).prop_map(Event::MoveToFront),
        1 => Just(Event::LoseStatus),
        1 => Just(Event::DeleteTarget),
        1 => Just(Event::AlterTarget),
        1 => any::<bool>().prop_map(Event::TakeTarget),
        1 => any::<bool>().prop_map(Event::FailTargets),
    ];
    let edits = prop_oneof![
        3 => (0..ENTRIES, 0..9usize).prop_map(|(index, timing)| Event::AddEntry(index, timing)),
        1 => (0..ENTRIES).prop_map(Event::DropEntry),
        2 => (0..ENTRIES, 0..9usize).prop_map(|(index, timing)| Event::Retime(index, timing)),
        1 => (0..ENTRIES).prop_map(Event::Sign),
        2 => (0..8usize).prop_map(Event::Revoke),
        1 => Just(Event::RevokeNone),
        2 => prop_oneof![Just(-HOUR), Just(0), Just(5 * HOUR)].prop_map(Event::RotateAt),
        2 => (0..SECRETS.len()).prop_map(Event::ChangeSecret),
        1 => (0..SECRETS.len()).prop_map(Event::RemoveSecret),
        1 => (0..SECRETS.len(), any::<bool>()).prop_map(|(index, labelled)| Event::LabelSecret(index, labelled)),
        1 => any::<bool>().prop_map(Event::Unmanaged),
        1 => (0..3usize).prop_map(Event::Targets),
        1 => any::<bool>().prop_map(Event::Observe),
    ];
    prop_oneof![5 => passes, 2 => drift, 2 => edits]
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
            Event::DeleteStagedSet => self.outsider("deletes what is staged", |store| store.delete_set(STAGED)),
            Event::DeleteStagedKey(index) => {
                if let Some(kid) = self.any_staged_kid(*index) {
                    self.outsider(&format!("deletes the staged {kid}"), |store| store.delete_key(STAGED, &kid));
                }
            }
            Event::ReplaceStaged(index) => {
                if let Some(kid) = self.any_staged_kid(*index) {
                    self.outsider(&format!("replaces the staged {kid}"), |store| {
                        let key = store.generator().generate("ES256").expect("a key").with("kid", kid.as_str()).with("use", "sig");
                        store.put_key(STAGED, &key).expect("stored");
                    });
                    let staged = self.staged();
                    self.oracle.note_outsider(&[], &staged[..1]);
                }
            }
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
            Event::PutUnderImportedKid => self.outsider("puts a key under an imported kid", |store| {
                let key = store.generator().generate("ES256").expect("a key").with("kid", "legacy-1").with("use", "sig");
                if store.get_key(SET, "legacy-1").is_err() {
                    store.put_key(SET, &key).expect("stored");
                }
            }),
            Event::ReplaceWithPrivate(index) => self.replace(*index, |key| key),
            Event::ReplaceWithPublic(index) => self.replace(*index, |key| key.public_half().map_or(key, |public| public.as_jwk().clone())),
            Event::MakePublic(index) => {
                let key = self.any_kid(*index).and_then(|kid| self.store.get_key(SET, &kid).ok());
                if let Some(public) = key.and_then(|key| key.public_half()) {
                    self.outsider(&format!("takes the private half of {public:?}"), |store| {
                        store.put_key(SET, public.as_jwk()).expect("stored");
                    });
                }
            }
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
                let written: Vec<_> = self.status().targets.iter().map(|target| target_id(&target.name)).collect();
                for id in self.objects.keys().filter(|id| !written.contains(id)) {
                    self.oracle.forget_target(id);
                }
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
                if *taken && !self.objects.contains_key(&target_id("second")) {
                    self.foreign_objects.push(target_id("second"));
                }
            }
            Event::FailTargets(fail) => {
                self.say(format!("TARGETS FAIL {fail}"));
                self.targets_fail = *fail;
            }
            Event::AddEntry(index, timing) => {
                let new = entry(*index, *timing);
                let mut entries = self.resource.spec.keys.clone();
                if entries.iter().all(|entry| entry.name != new.name) && entries.len() < 5 {
                    self.say(format!("ADD {} {:?}", new.name, new.rotation));
                    entries.push(new);
                    self.edit(|spec| set_entries(spec, entries));
                    self.keep_revocable();
                }
            }
            Event::DropEntry(index) => {
                let name = entry(*index, 0).name;
                let entries: Vec<_> = self.resource.spec.keys.iter().filter(|entry| entry.name != name).cloned().collect();
                self.say(format!("DROP {name}"));
                self.edit(|spec| set_entries(spec, entries));
            }
            Event::Retime(index, timing) => {
                let name = entry(*index, 0).name;
                self.say(format!("RETIME {name} {timing}"));
                self.edit(|spec| {
                    if let Some(entry) = spec.keys.iter_mut().find(|entry| entry.name == name) {
                        retime(entry, *timing);
                    }
                });
            }
            Event::Sign(index) => {
                let name = entry(*index, 0).name;
                if self.resource.spec.signer.is_some() && self.resource.spec.keys.iter().any(|entry| entry.name == name && can_sign(entry))
                {
                    self.say(format!("SIGNER {name}"));
                    self.edit(|spec| spec.signer = Some(name));
                }
            }
            Event::Revoke(index) => {
                let kids: Vec<_> = self.live().iter().chain(&self.staged()).filter_map(|key| key.kid().map(str::to_owned)).collect();
                if !kids.is_empty() {
                    let kid = kids[index % kids.len()].clone();
                    self.say(format!("REVOKE {kid}"));
                    self.edit(|spec| {
                        if !spec.revoke.contains(&kid) {
                            spec.revoke.push(kid);
                        }
                    });
                    self.keep_revocable();
                }
            }
            Event::RevokeNone => {
                self.say("REVOKE NONE");
                self.edit(|spec| spec.revoke.clear());
            }
            Event::RotateAt(offset) => {
                let at = self.now + SignedDuration::from_secs(*offset);
                self.say(format!("ROTATE AT {at:.0}"));
                self.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), format!("{at:.0}"));
            }
            Event::ChangeSecret(index) => {
                let key = self.store.generator().generate("ES256").expect("a key").with("alg", "ES256");
                self.say(format!("SECRET {} {key:?}", SECRETS[*index]));
                self.store_secret(SECRETS[*index], &key);
            }
            Event::RemoveSecret(index) => {
                self.say(format!("SECRET {} REMOVED", SECRETS[*index]));
                self.secrets.remove(SECRETS[*index]);
            }
            Event::LabelSecret(index, labelled) => {
                self.say(format!("SECRET {} LABELLED {labelled}", SECRETS[*index]));
                if let Some(secret) = self.secrets.get_mut(SECRETS[*index]) {
                    secret.1 = *labelled;
                }
            }
            Event::Unmanaged(delete) => {
                self.say(format!("UNMANAGED delete={delete}"));
                self.edit(|spec| spec.unmanaged_keys = Some(if *delete { UnmanagedKeys::Delete } else { UnmanagedKeys::Keep }));
            }
            Event::Targets(count) => {
                self.say(format!("TARGETS {count}"));
                let names = ["payments-jwks", "second"];
                names.iter().skip(*count).for_each(|name| self.oracle.forget_target(&target_id(name)));
                let targets = names.iter().take(*count).map(|name| target(name)).collect();
                self.edit(|spec| spec.publish = Some(targets));
            }
            Event::Observe(observe) => {
                self.say(format!("OBSERVE {observe}"));
                self.edit(|spec| spec.mode = Some(if *observe { Mode::Observe } else { Mode::Enforce }));
            }
            Event::Clock(seconds) => {
                self.say(format!("CLOCK {seconds}"));
                self.clock = SignedDuration::from_secs(*seconds);
            }
        }
    }

    /// The API server refuses a kid that stands both in `keys` and in `revoke`.
    fn keep_revocable(&mut self) {
        let named: Vec<_> = self.resource.spec.keys.iter().filter_map(explicit_kid).collect();
        self.edit(|spec| spec.revoke.retain(|kid| !named.contains(kid)));
    }

    fn any_kid(&self, index: usize) -> Option<String> {
        let live = self.live();
        if live.is_empty() { None } else { live[index % live.len()].kid().map(str::to_owned) }
    }

    fn any_staged_kid(&self, index: usize) -> Option<String> {
        let staged = self.staged();
        if staged.is_empty() { None } else { staged[index % staged.len()].kid().map(str::to_owned) }
    }

    /// Somebody stores another key under an existing kid.
    fn replace(&mut self, index: usize, shape: impl FnOnce(Jwk) -> Jwk) {
        let Some(kid) = self.any_kid(index) else { return };
        self.outsider(&format!("replaces {kid}"), |store| {
            let key = store.generator().generate("ES256").expect("a key").with("kid", kid.as_str()).with("use", "sig");
            store.put_key(SET, &shape(key)).expect("stored");
        });
    }

    /// No more trouble: it must come to rest, and rest means no step until the next thing falls due.
    fn settle(&mut self) {
        self.say("SETTLE");
        self.clock = SignedDuration::ZERO;
        self.edit(|spec| spec.mode = None);
        self.foreign_objects.clear();
        self.targets_fail = false;
        self.advance(LATE + 1);
        let end = self.now + SignedDuration::from_hours(30);
        for _ in 0..60 {
            if self.pass(&[]) != End::Done(0) {
                assert_eq!(self.pass(&[]), End::Done(0), "a second pass has steps\n{}", self.history());
            }
            if self.now > end {
                break;
            }
            self.advance(self.seconds_until_due().unwrap_or(30 * HOUR).clamp(60, 30 * HOUR));
        }
        self.pass(&[]);
        self.check_rest();
    }

    fn check_rest(&self) {
        let log = || self.history();
        let (status, live, staged) = (self.status(), self.live(), self.staged());
        let stalled = ["KidTaken", "SourceInvalid", "SourceMissing", "SourceNotLabelled"];
        let reason = self.reason();
        if !stalled.contains(&reason.as_str()) {
            assert!(self.is_ready(), "not ready: {:?}\n{}", status.conditions, log());
        }
        let is_active =
            |kid: Option<&str>| status.keys.iter().any(|record| Some(record.kid.as_str()) == kid && record.state == KeyState::Active);
        for entry in &self.resource.spec.keys {
            let Some(generate) = entry.generate else { continue };
            let serves = |key: &&Jwk| {
                key.is_private()
                    && key.alg() == Some(generate.alg.as_str())
                    && is_active(key.kid())
                    && key.kid().and_then(|kid| kid::parse_generated(SET, kid)).is_some_and(|(name, _)| name == entry.name)
            };
            let active: Vec<_> = live.iter().filter(serves).collect();
            assert_eq!(active.len(), 1, "entry {} has {active:?}\n{}", entry.name, log());
            let waiting = staged
                .iter()
                .filter(|key| key.kid().and_then(|kid| kid::parse_generated(SET, kid)).is_some_and(|(name, _)| name == entry.name))
                .count();
            assert!(waiting <= 1, "entry {} has {waiting} staged keys\n{}", entry.name, log());
            if self.resource.spec.signer.as_ref() == Some(&entry.name) || self.resource.spec.signer.is_none() {
                assert_eq!(status.signer.as_deref(), active[0].kid(), "{}", log());
                assert_eq!(live.iter().find(|key| key.is_private()).and_then(Jwk::kid), active[0].kid(), "{}", log());
            }
            if let Some(interval) = entry.rotation.as_ref().and_then(|rotation| rotation.interval) {
                let (_, slot) = kid::parse_generated(SET, active[0].kid().expect("a kid")).expect("a generated kid");
                let age = self.now.duration_since(slot.time()).as_secs();
                let interval = std::time::Duration::from(interval).as_secs();
                assert!(
                    age < i64::try_from(interval).expect("seconds") + 31 * HOUR,
                    "the rotation of {} is overdue: {age}\n{}",
                    entry.name,
                    log()
                );
            }
        }
        for kid in &self.resource.spec.revoke {
            assert!(live.iter().chain(&staged).all(|key| key.kid() != Some(kid)), "{kid} is revoked and there\n{}", log());
            assert!(status.keys.iter().any(|key| &key.kid == kid && key.state == KeyState::Revoked), "{kid} is not listed\n{}", log());
        }
        for held in self.objects.values() {
            let published = held.content.published();
            assert!(self.resource.spec.revoke.iter().all(|kid| !published.contains_key(kid)), "a revoked key is published\n{}", log());
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
        let (before, staged) = (self.live(), self.staged());
        for _ in 0..3 {
            self.pass(&[]);
            self.advance(LATE + 1);
        }
        assert!(self.gone, "the resource does not go\n{}", self.history());
        let live = self.live();
        if policy == Some(DeletionPolicy::Retain) {
            assert_eq!((before.clone(), staged), (live.clone(), self.staged()));
        } else if policy == Some(DeletionPolicy::Delete) {
            let own = live.iter().filter(|key| key.kid().is_some_and(|kid| kid::parse_generated(SET, kid).is_some())).count();
            assert_eq!(own + self.staged().len(), 0, "own keys are left\n{}", self.history());
        }
        let is_theirs = |key: &&Jwk| self.oracle.is_foreign(key) && key.kid().is_some_and(|kid| kid::parse_generated(SET, kid).is_none());
        for key in before.iter().filter(is_theirs).filter(|key| key.kid() != Some("legacy-1")) {
            assert!(live.contains(key), "rule 6: {key:?} of somebody else went with the resource\n{}", self.history());
        }
    }
}

/// The kid that an entry writes out.
fn explicit_kid(entry: &KeySource) -> Option<String> {
    let public = entry.public.as_ref().map(|public| public.kid.clone());
    public.or_else(|| entry.import.as_ref().and_then(|import| import.kid.clone()))
}

fn first_spec() -> impl Strategy<Value = JsonWebKeySetSpec> {
    let policy = prop_oneof![Just(None), Just(Some(DeletionPolicy::Delete)), Just(Some(DeletionPolicy::Retain))];
    let all: Vec<usize> = (0..ENTRIES).collect();
    let indices = prop_oneof![2 => proptest::sample::subsequence(all.clone(), 1..=2), 1 => proptest::sample::subsequence(all, 0..=5)];
    (indices, proptest::collection::vec(0..9usize, ENTRIES), policy, any::<bool>()).prop_map(|(indices, timings, policy, delete)| {
        let mut spec = JsonWebKeySetSpec { deletion_policy: policy, ..JsonWebKeySetSpec::default() };
        spec.unmanaged_keys = delete.then_some(UnmanagedKeys::Delete);
        set_entries(&mut spec, indices.into_iter().map(|index| entry(index, timings[index])).collect());
        spec
    })
}

/// The same histories in every run, so that a change is judged by itself. `HISTORIES` asks for more of them, `HISTORIES_SEED` for others.
fn config(shard: u64) -> ProptestConfig {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    ProptestConfig {
        cases: u32::try_from(number("HISTORIES", 10_000) / SHARDS).unwrap_or(u32::MAX),
        rng_seed: RngSeed::Fixed(number("HISTORIES_SEED", 20_261_123) + shard),
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    }
}

/// How many tests share the histories, to run beside each other.
const SHARDS: u64 = 4;

fn run(shard: u64) {
    let config = config(shard);
    let seed = config.rng_seed;
    let histories = (
        first_spec(),
        0..3usize,
        proptest::collection::vec(any::<bool>(), SECRETS.len()),
        proptest::collection::vec(events(), 0..30),
        any::<bool>(),
    );
    let result = proptest::test_runner::TestRunner::new(config).run(&histories, |(spec, found, secrets, history, delete)| {
        let mut world = World::new(spec);
        for (index, _) in secrets.iter().enumerate().filter(|(_, exists)| **exists) {
            world.happen(&Event::ChangeSecret(index));
        }
        for _ in 0..found / 2 {
            world.happen(&Event::PostForeign);
        }
        for event in &history {
            world.happen(event);
        }
        world.settle();
        if delete {
            world.delete_and_settle();
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}\nthe seed of these histories: {seed:?}, shard {shard}");
    }
}

#[test]
fn every_history_keeps_the_rules_and_comes_to_rest_first_quarter() {
    run(0);
}

#[test]
fn every_history_keeps_the_rules_and_comes_to_rest_second_quarter() {
    run(1);
}

#[test]
fn every_history_keeps_the_rules_and_comes_to_rest_third_quarter() {
    run(2);
}

#[test]
fn every_history_keeps_the_rules_and_comes_to_rest_last_quarter() {
    run(3);
}
