//! Random histories: any start, any drift, a crash or a fault at any step. After every step the oracle looks; at the end everything settles
//! into a fixed point without steps.

use jiff::SignedDuration;
use jwk_operator::{
    api::{DeletionPolicy, JsonWebKeySetSpec, KeyState, UnmanagedKeys},
    jwk::Jwk,
    lifecycle::kid,
};
use proptest::{prelude::*, test_runner::RngSeed};

use super::{
    entries::{ENTRIES, SECRETS, entry, private_target_id, set_entries},
    events::{Event, HOUR, events},
    world::{End, LATE, SET, World},
};

impl World {
    /// No more trouble: it must come to rest, and rest means no step until the next thing falls due.
    fn settle(&mut self) {
        self.say("SETTLE");
        self.clock = SignedDuration::ZERO;
        self.edit(|spec| spec.mode = None);
        self.foreign_objects.clear();
        self.is_claimed = false;
        self.is_elsewhere = false;
        self.targets_fail = false;
        self.refuses_one_of = None;
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
        let stalled =
            ["KidTaken", "SourceInvalid", "SourceMissing", "SourceNotLabelled", "PrivateExportDenied", "InvalidKey", "InvalidSpec"];
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
                    && key.kid().and_then(|kid| kid::parse_generated(&SET.into(), kid)).is_some_and(|(name, _)| name == entry.name)
            };
            let active: Vec<_> = live.iter().filter(serves).collect();
            assert_eq!(active.len(), 1, "entry {} has {active:?}\n{}", entry.name, log());
            let waiting = staged
                .iter()
                .filter(|key| key.kid().and_then(|kid| kid::parse_generated(&SET.into(), kid)).is_some_and(|(name, _)| name == entry.name))
                .count();
            assert!(waiting <= 1, "entry {} has {waiting} staged keys\n{}", entry.name, log());
            if self.resource.spec.signer.as_ref() == Some(&entry.name) || self.resource.spec.signer.is_none() {
                assert_eq!(status.signer.as_deref(), active[0].kid(), "{}", log());
                assert_eq!(live.iter().find(|key| key.is_private()).and_then(Jwk::kid), active[0].kid(), "{}", log());
            }
            if let Some(interval) = entry.rotation.as_ref().and_then(|rotation| rotation.interval) {
                let (_, slot) = kid::parse_generated(&SET.into(), active[0].kid().expect("a kid")).expect("a generated kid");
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
            // What nobody saw while it was there, or a lost status remembered, is not listed: it is told instead.
            let is_listed = status.keys.iter().any(|key| &key.kid == kid && key.state == KeyState::Revoked);
            assert!(is_listed || status.keys.iter().all(|key| &key.kid != kid), "{kid} is listed as something else\n{}", log());
        }
        let is_asked_for = self.resource.spec.publish.iter().flatten().any(|target| target.secret.is_some());
        let exported = self.objects.get(&private_target_id()).map(|held| held.content.is_private());
        // Rule 14: while what replaces it has no key to hold, an empty one stays.
        let is_replaced = self.named_targets().iter().all(|id| self.objects.contains_key(id));
        if !(is_asked_for && self.private_export) {
            assert_ne!(exported, Some(true), "private keys stay without a grant\n{}", log());
            assert!(exported.is_none() || !is_replaced, "a Secret stays that nobody requests\n{}", log());
        }
        for held in self.shown().values() {
            let published = held.content.published();
            assert!(
                self.resource.spec.revoke.iter().all(|kid| !published.contains_key(kid.as_str())),
                "a revoked key is published\n{}",
                log()
            );
            // Somebody else's key under the kid of a symmetric one has no place in a target.
            let is_intruder =
                |key: &&Jwk| self.oracle.is_foreign(key) && key.kid().is_some_and(|kid| kid::parse_generated(&SET.into(), kid).is_some());
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
            let own = live.iter().filter(|key| key.kid().is_some_and(|kid| kid::parse_generated(&SET.into(), kid).is_some())).count();
            assert_eq!(own + self.staged().len(), 0, "own keys are left\n{}", self.history());
        }
        let is_theirs =
            |key: &&Jwk| self.oracle.is_foreign(key) && key.kid().is_some_and(|kid| kid::parse_generated(&SET.into(), kid).is_none());
        for key in before.iter().filter(is_theirs).filter(|key| key.kid() != Some("legacy-1")) {
            assert!(live.contains(key), "rule 6: {key:?} of somebody else went with the resource\n{}", self.history());
        }
    }
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
        // What fails is tried again and again, until the history is short.
        world.is_quiet = true;
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
