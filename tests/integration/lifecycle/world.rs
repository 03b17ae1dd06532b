//! A world in memory: the remote set, the resource with its stored status, the targets, the time. It carries out steps as the shell does,
//! and can crash, fail, lose an answer or deliver a write late at each of them.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{AccessRule, AdminApiSpec, JsonWebKeySet, JsonWebKeySetSpec, JsonWebKeySetStatus, Mode},
    hydra::emulator::{DerivedKeys, Refusal, Store},
    jwk::{Jwk, JwkSet, symmetric},
    lifecycle::{
        self, Desired, Failure, HeldTarget, Observed, Outcome, Place, Record, SecretContent, Source, SourceKey, SourceState, Step,
        TargetId, TargetState,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::oracle::{Oracle, RemoteWrite, TargetWrite};

pub const SET: &str = "shop.payments";
pub const STAGED: &str = "shop.payments~next";
/// Times in status are whole seconds, and a clock may be wrong by a minute before it is noticed.
const SLACK: SignedDuration = SignedDuration::from_secs(62);
/// How long a write without an answer may take to land.
pub const LATE: i64 = 120;

/// What happens at one step of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing unusual.
    None,
    /// The process dies before the step.
    CrashBefore,
    /// The process dies after the step, before it learns of it.
    CrashAfter,
    /// The step fails for sure.
    Refused,
    /// The step takes effect, its answer is lost.
    LostReply,
    /// No answer; the step takes effect this many seconds later.
    Late(i64),
}

/// A write that was sent and not answered.
#[derive(Clone, Debug)]
struct Unanswered {
    lands: Timestamp,
    step: Step,
    key: Option<Jwk>,
    /// What was asked for when it was sent.
    spec: JsonWebKeySetSpec,
    /// How often outsiders had changed the set by then.
    changes: usize,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Done(usize),
    Stopped,
    Crashed,
}

/// A line of a history. Steps are only written out when somebody reads it.
pub struct Logged {
    at: Timestamp,
    what: String,
    step: Option<Step>,
}

impl fmt::Debug for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} {}", self.at, self.what)?;
        self.step.as_ref().map_or(Ok(()), |step| write!(f, " {step:?}"))
    }
}

#[derive(Debug)]
pub struct World {
    pub now: Timestamp,
    pub store: Store,
    pub resource: JsonWebKeySet,
    pub objects: BTreeMap<TargetId, HeldTarget>,
    pub foreign_objects: Vec<TargetId>,
    /// Whether the server keeps private keys to itself: it answers public halves, and a generated key replaces the set.
    pub keeps_private_keys: bool,
    /// Whether the next private key that is stored does not come in front, as may happen on MySQL within one second.
    pub misorders_next: bool,
    /// Whether targets refuse to be written.
    pub targets_fail: bool,
    /// The Secrets of the namespace, by name: what their only data key holds, and whether they are labelled for import.
    pub secrets: BTreeMap<String, (Vec<u8>, bool)>,
    pub finalizer: bool,
    pub gone: bool,
    /// How far the operator's clock is ahead of the true time, which is the server's.
    pub clock: SignedDuration,
    pub oracle: Oracle,
    pub log: Vec<Logged>,
    started: Timestamp,
    unanswered: Option<Timestamp>,
    in_flight_until: Option<Timestamp>,
    private_written_at: Option<Timestamp>,
    staged_is_empty: bool,
    in_flight: Vec<Unanswered>,
    /// How often outsiders changed the set.
    changes: usize,
    version: u64,
}

impl World {
    pub fn new(spec: JsonWebKeySetSpec) -> Self {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let mut resource = JsonWebKeySet::new("payments", spec);
        resource.metadata.namespace = Some("shop".into());
        resource.metadata.uid = Some("uid-1".into());
        resource.metadata.generation = Some(1);
        resource.metadata.creation_timestamp = Some(Time(now));
        let mut oracle = Oracle::new(SET, SLACK);
        oracle.note_spec(&resource.spec);
        Self {
            now: now + SignedDuration::from_secs(2),
            store: Store::new(DerivedKeys::default()),
            resource,
            objects: BTreeMap::new(),
            foreign_objects: Vec::new(),
            keeps_private_keys: false,
            misorders_next: false,
            targets_fail: false,
            secrets: BTreeMap::new(),
            finalizer: false,
            gone: false,
            clock: SignedDuration::ZERO,
            oracle,
            log: Vec::new(),
            // Long before, so that nothing has to be waited for.
            started: now - SignedDuration::from_secs(10_000),
            unanswered: None,
            in_flight_until: None,
            private_written_at: None,
            staged_is_empty: false,
            in_flight: Vec::new(),
            changes: 0,
            version: 1,
        }
    }

    pub fn say(&mut self, what: impl Into<String>) {
        self.log.push(Logged { at: self.now, what: what.into(), step: None });
    }

    /// The history so far, a line each.
    pub fn history(&self) -> String {
        self.log.iter().map(|logged| format!("{logged:?}\n")).collect()
    }

    pub fn live(&self) -> Vec<Jwk> {
        self.store.get_set(SET).map(|set| set.keys).unwrap_or_default()
    }

    pub fn staged(&self) -> Vec<Jwk> {
        self.store.get_set(STAGED).map(|set| set.keys).unwrap_or_default()
    }

    /// The time as the operator reads it.
    pub fn operator_time(&self) -> Timestamp {
        self.now.saturating_add(self.clock).expect("a time")
    }

    /// A true moment as the operator reads it, which measures how long ago it was.
    fn as_read(&self, moment: Timestamp) -> Timestamp {
        moment.saturating_add(self.clock).expect("a time")
    }

    /// Puts a key into a Secret that may be imported from.
    pub fn store_secret(&mut self, name: &str, key: &Jwk) {
        self.secrets.insert(name.to_owned(), (serde_json::to_vec(key).expect("JSON"), true));
    }

    /// The private keys that the Secrets hold.
    pub fn secret_keys(&self) -> Vec<Jwk> {
        self.secrets.values().filter_map(|(document, _)| Jwk::parse(document).ok()).collect()
    }

    /// What the Secret of an entry holds, its kid decided.
    pub fn source(&self, desired: &Desired, name: &str) -> Result<Jwk, SourceState> {
        let entry = desired.entries.iter().find(|entry| entry.name == name).expect("an entry");
        let Source::Import(import) = &entry.source else { panic!("{name} is no import") };
        let Some((document, labelled)) = self.secrets.get(&import.secret_ref.name) else {
            return Err(SourceState::Missing { why: "it does not exist".into() });
        };
        let labels = BTreeMap::from([(jwk_operator::api::IMPORT_LABEL.to_owned(), labelled.to_string())]);
        let data = BTreeMap::from([("jwk".to_owned(), document.clone())]);
        lifecycle::read_source(SET, name, import, SecretContent { labels: &labels, secret_type: None, data: &data })
    }

    pub fn status(&self) -> JsonWebKeySetStatus {
        self.resource.status.clone().unwrap_or_default()
    }

    pub fn is_ready(&self) -> bool {
        self.status().conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    }

    pub fn reason(&self) -> String {
        self.status()
            .conditions
            .iter()
            .find(|condition| condition.type_ == "Ready")
            .map(|condition| condition.reason.clone())
            .unwrap_or_default()
    }

    pub fn edit(&mut self, edit: impl FnOnce(&mut JsonWebKeySetSpec)) {
        edit(&mut self.resource.spec);
        *self.resource.metadata.generation.get_or_insert(1) += 1;
        self.oracle.note_spec(&self.resource.spec);
    }

    /// How long until something falls due by itself.
    pub fn seconds_until_due(&self) -> Option<i64> {
        let desired = self.desired().ok()?;
        let mut seen = self.observe(&desired);
        seen.staged_was_read(self.store.get_set(STAGED).unwrap_or_default(), Some(self.now), self.operator_time());
        let due = lifecycle::wake(&desired, &seen, self.operator_time())?;
        Some(due.duration_since(self.operator_time()).as_secs() + 1)
    }

    pub fn delete_resource(&mut self) {
        if self.finalizer {
            self.resource.metadata.deletion_timestamp = Some(Time(self.now));
        } else {
            self.gone = true;
        }
    }

    /// Lets time pass; late writes land on the way.
    pub fn advance(&mut self, seconds: i64) {
        let end = self.now + SignedDuration::from_secs(seconds);
        self.in_flight.sort_by_key(|write| write.lands);
        while self.in_flight.first().is_some_and(|write| write.lands <= end) {
            let write = self.in_flight.remove(0);
            self.now = write.lands.max(self.now);
            self.log.push(Logged { at: self.now, what: "LATE".into(), step: Some(write.step.clone()) });
            self.perform(&write.step, write.key.clone(), Some(&write));
        }
        self.now = end;
    }

    /// A new process: it remembers nothing, and knows of no unanswered write.
    pub fn restart(&mut self) {
        self.started = self.now;
        self.in_flight_until = None;
        self.unanswered = None;
        self.private_written_at = None;
        self.staged_is_empty = false;
    }

    pub fn desired(&self) -> Result<Desired, lifecycle::Refusal> {
        let grants = AdminApiSpec {
            url: "http://127.0.0.1:4445".into(),
            access: vec![AccessRule { namespaces: None, sets: vec!["{namespace}.*".into()] }],
            ..Default::default()
        };
        lifecycle::validate(&self.resource, &grants)
    }

    fn observe(&self, desired: &Desired) -> Observed {
        let mut seen = Observed::new(self.resource.status.as_ref().map(Record::from_status).unwrap_or_default());
        seen.live_was_read(self.store.get_set(SET).unwrap_or_default(), Some(self.now), self.operator_time());
        seen.finalizer = self.finalizer;
        seen.is_first_look = !self.finalizer;
        seen.in_flight_until = self.in_flight_until.map(|moment| self.as_read(moment));
        seen.unknown_until = Some(self.as_read(self.started + SignedDuration::from_secs(LATE)));
        seen.answered_since = self.as_read(self.unanswered.unwrap_or(self.started));
        seen.private_written_at = self.private_written_at.map(|moment| self.as_read(moment));
        seen.staged = self.staged_is_empty.then(JwkSet::default);
        let imports = desired.entries.iter().filter(|entry| matches!(entry.source, Source::Import(_)));
        seen.sources = imports.map(|entry| (entry.name.clone(), self.source_state(desired, &entry.name))).collect();
        let known = seen
            .stored
            .targets
            .iter()
            .cloned()
            .chain(self.objects.keys().cloned())
            .chain(desired.targets.iter().map(|target| target.id.clone()));
        seen.targets = known.map(|id| (id.clone(), self.target(&id))).collect();
        seen
    }

    fn source_state(&self, desired: &Desired, name: &str) -> SourceState {
        match self.source(desired, name) {
            Ok(key) => SourceState::Held(SourceKey::of(&key).expect("a kid")),
            Err(state) => state,
        }
    }

    fn target(&self, id: &TargetId) -> TargetState {
        match self.objects.get(id) {
            _ if self.foreign_objects.contains(id) => TargetState::Foreign,
            Some(held) => TargetState::Held(held.clone()),
            None => TargetState::Absent,
        }
    }

    /// One pass. `faults` tells what happens at each step; behind its end nothing does.
    pub fn pass(&mut self, faults: &[Fault]) -> End {
        if self.gone {
            return End::Done(0);
        }
        let desired = match self.desired() {
            Ok(desired) => desired,
            Err(refusal) => {
                let generation = self.resource.metadata.generation.unwrap_or(1);
                let status = lifecycle::refused(&self.status(), generation, SET, &refusal, self.operator_time());
                self.resource.status = Some(status);
                return End::Done(0);
            }
        };
        let mut faults = faults.iter().copied();
        let mut seen = self.observe(&desired);
        let mut steps = 0;
        loop {
            let Some(step) = lifecycle::next(&desired, &seen, self.operator_time()) else {
                self.staged_is_empty = seen.leaves_nothing_staged(self.operator_time());
                self.report(&desired, &seen, &Outcome::Done);
                return End::Done(steps);
            };
            assert!(steps < 300, "no fixed point: {step:?}\n{}", self.history());
            if !matches!(step, Step::ReadLive | Step::ReadStaged | Step::Wait { .. }) {
                steps += 1;
            }
            let fault = if step.writes_remote() || matches!(step, Step::WriteTarget { .. } | Step::StoreRecord(_)) {
                faults.next().unwrap_or(Fault::None)
            } else {
                Fault::None
            };
            self.log.push(Logged { at: self.now, what: format!("{fault:?}"), step: Some(step.clone()) });
            match fault {
                Fault::CrashBefore => {
                    self.restart();
                    return End::Crashed;
                }
                Fault::CrashAfter => {
                    self.take(&step, &desired, &mut seen);
                    self.restart();
                    return End::Crashed;
                }
                _ if matches!(step, Step::WriteTarget { .. }) && (fault == Fault::Refused || self.targets_fail) => {
                    let Step::WriteTarget { id, .. } = step else { unreachable!("a write of a target") };
                    let last = self.objects.get(&id).cloned().map(Box::new);
                    seen.targets.insert(id, TargetState::Failed { why: "refused".into(), last });
                }
                Fault::Refused => {
                    self.staged_is_empty = false;
                    let failure = Failure {
                        reason: jwk_operator::api::Reason::AdminApiUnavailable,
                        message: "the admin API failed".into(),
                        stalled: false,
                        step_was_due: true,
                    };
                    self.report(&desired, &seen, &Outcome::Failed(failure));
                    return End::Stopped;
                }
                Fault::LostReply | Fault::Late(_) if step.writes_remote() => {
                    self.in_flight_until = Some(self.now + SignedDuration::from_secs(LATE));
                    self.unanswered = Some(self.now);
                    self.staged_is_empty = false;
                    match fault {
                        Fault::Late(delay) => {
                            let key = self.prepare(&step, &desired);
                            let lands = self.now + SignedDuration::from_secs(delay.clamp(1, LATE - 1));
                            let (spec, changes) = (self.resource.spec.clone(), self.changes);
                            self.in_flight.push(Unanswered { lands, step, key, spec, changes });
                        }
                        _ => {
                            self.take(&step, &desired, &mut seen.clone());
                            self.in_flight_until = Some(self.now + SignedDuration::from_secs(LATE));
                        }
                    }
                    seen.in_flight_until = self.in_flight_until.map(|moment| self.as_read(moment));
                    seen.answered_since = self.operator_time();
                    let failure = Failure {
                        reason: jwk_operator::api::Reason::AdminApiUnavailable,
                        message: "no answer".into(),
                        stalled: false,
                        step_was_due: true,
                    };
                    self.report(&desired, &seen, &Outcome::Failed(failure));
                    return End::Stopped;
                }
                Fault::None | Fault::LostReply | Fault::Late(_) => self.take(&step, &desired, &mut seen),
            }
        }
    }

    fn report(&mut self, desired: &Desired, seen: &Observed, outcome: &Outcome) {
        if self.gone {
            return;
        }
        let status = lifecycle::status(desired, Some(seen), &self.status(), outcome, self.operator_time());
        self.oracle.check_status(&status, &self.store, &self.secret_keys());
        self.resource.status = Some(status);
        self.oracle.note_published(&self.live(), &self.objects, self.resource.status.as_ref());
    }

    /// Takes a step and folds its answer in, as the shell does.
    fn take(&mut self, step: &Step, desired: &Desired, seen: &mut Observed) {
        match step {
            Step::AddFinalizer => {
                self.finalizer = true;
                seen.finalizer = true;
            }
            Step::RemoveFinalizer { .. } => {
                self.finalizer = false;
                seen.finalizer = false;
                self.gone = true;
            }
            Step::StoreRecord(record) => {
                seen.record_was_stored((**record).clone());
                self.report(desired, &seen.clone(), &Outcome::Underway);
            }
            Step::ReadLive => seen.live_was_read(self.store.get_set(SET).unwrap_or_default(), Some(self.now), self.operator_time()),
            Step::ReadStaged => seen.staged_was_read(self.store.get_set(STAGED).unwrap_or_default(), Some(self.now), self.operator_time()),
            Step::TellUnmanagedLeave { kids } => seen.told.extend(kids.iter().cloned()),
            Step::Wait { until } => self.now = self.now.max(until.saturating_sub(self.clock).expect("a time")),
            Step::WriteTarget { id, content, replaces } => {
                self.version += 1;
                let uid = replaces.as_ref().map_or_else(|| format!("target-{}", self.version), |held| held.uid.clone());
                let held = HeldTarget { uid, resource_version: self.version.to_string(), content: (**content).clone() };
                if self.foreign_objects.contains(id) {
                    seen.targets.insert(id.clone(), TargetState::Foreign);
                    return;
                }
                // An observer mirrors what is there, but for keys that were recorded before it was made one.
                let is_observer = self.resource.spec.mode == Some(Mode::Observe);
                let recorded = is_observer.then(|| self.status().keys.into_iter().map(|key| key.kid).collect());
                let look = TargetWrite {
                    id,
                    content,
                    before: self.objects.get(id),
                    recorded,
                    spec: &self.resource.spec,
                    status: self.resource.status.as_ref(),
                };
                if let Err(violation) = self.oracle.check_target(look, &self.store, &self.secret_keys(), &self.live(), self.now) {
                    panic!("{violation}\n{}", self.history());
                }
                self.objects.insert(id.clone(), held.clone());
                if is_observer {
                    let (live, status) = (self.live(), self.status());
                    self.oracle.forget_unrecorded(&live, &self.objects, &status);
                }
                seen.targets.insert(id.clone(), TargetState::Held(held));
                self.oracle.note_published(&self.live(), &self.objects, self.resource.status.as_ref());
            }
            Step::RemoveTarget { id, .. } => {
                self.objects.remove(id);
                seen.targets.insert(id.clone(), TargetState::Absent);
            }
            Step::CreateKey { .. } | Step::CreateSymmetricKey { .. } | Step::PutKey { .. } | Step::ImportKey { .. } => {
                if let Step::ImportKey { name, key, .. } = step
                    && self.source_state(desired, name) != SourceState::Held((**key).clone())
                {
                    seen.sources.insert(name.clone(), self.source_state(desired, name));
                    return;
                }
                let key = self.prepare(step, desired);
                let place = place_of(step);
                match self.perform(step, key, None) {
                    Some(key) if matches!(step, Step::CreateKey { .. }) => {
                        self.private_written_at = Some(self.now).filter(|_| place == Place::Live).or(self.private_written_at);
                        seen.key_was_created(place, key, Some(self.now), self.operator_time());
                    }
                    Some(key) if place == Place::Staged => seen.key_was_staged(key, Some(self.now), self.operator_time()),
                    Some(key) => {
                        if key.is_private() {
                            self.private_written_at = Some(self.now);
                        }
                        seen.key_was_written(key, Some(self.now), self.operator_time());
                    }
                    None => seen.is_stale(place),
                }
            }
            Step::DeleteKey { place, kid, .. } => {
                self.perform(step, None, None);
                seen.key_was_deleted(*place, kid);
            }
            Step::DeleteSet => {
                self.perform(step, None, None);
                seen.set_was_deleted();
            }
        }
    }

    /// What a request carries: a symmetric key is made when it is sent, not when it lands.
    fn prepare(&mut self, step: &Step, desired: &Desired) -> Option<Jwk> {
        match step {
            Step::CreateSymmetricKey { kid, alg, key_use, .. } => {
                self.version += 1;
                let mut bytes = [0; 64];
                bytes[..8].copy_from_slice(&self.version.to_be_bytes());
                Some(symmetric::from_bytes(kid, alg.as_str(), key_use.as_str(), &bytes[..32]).expect("a key"))
            }
            Step::PutKey { key, .. } => Some((**key).clone()),
            Step::ImportKey { name, .. } => self.source(desired, name).ok(),
            _ => None,
        }
    }

    /// Lets a write take effect, watched by the oracle. A late one is judged by what was asked for when it was sent; if an outsider changed
    /// the set since, nobody can answer for it.
    fn perform(&mut self, step: &Step, key: Option<Jwk>, late: Option<&Unanswered>) -> Option<Jwk> {
        let (before, staged_before) = (self.live(), self.staged());
        let set = if place_of(step) == Place::Staged { STAGED } else { SET };
        if self.keeps_private_keys && matches!(step, Step::CreateKey { .. }) {
            self.store.delete_set(set);
        }
        let written = match (step, key) {
            (Step::CreateKey { kid, alg, key_use, .. }, _) => match self.store.create(set, Some(kid), alg.as_str(), key_use.as_str()) {
                Ok(key) => Some(key),
                Err(Refusal::Conflict) => None,
                Err(refusal) => panic!("{refusal}"),
            },
            (_, Some(key)) => Some(self.store.put_key(set, &key).unwrap_or_else(|refusal| panic!("{refusal}: {key:?}"))),
            (Step::DeleteKey { kid, .. }, None) => {
                self.store.delete_key(set, kid);
                None
            }
            (Step::DeleteSet, None) => {
                self.store.delete_set(SET);
                None
            }
            (step, None) => panic!("no remote write: {step:?}"),
        };
        let written = match written.as_ref().and_then(Jwk::public_half).filter(|_| self.keeps_private_keys) {
            Some(public) => Some(self.store.put_key(set, public.as_jwk()).expect("stored")),
            None => written,
        };
        if self.misorders_next && step.writes_private_key() {
            self.misorders_next = false;
            let second = self.live().into_iter().filter(Jwk::is_private).nth(1).expect("another private key");
            self.store.put_key(SET, &second).expect("stored");
        }
        let after = self.live();
        self.oracle.note_live(&before, &after, self.now);
        if late.is_some_and(|write| write.changes != self.changes) {
            return written;
        }
        let deleting = self.resource.metadata.deletion_timestamp.is_some();
        let look = RemoteWrite {
            stored: match step {
                Step::PutKey { key, .. } => Some(key),
                _ => None,
            },
            before: &before,
            after: &after,
            staged_before: &staged_before,
            staged_after: &self.staged(),
            sent_for: late.map_or(&self.resource.spec, |write| &write.spec),
            status: self.resource.status.as_ref(),
            secrets: &self.secret_keys(),
            deleting,
            late: late.is_some(),
        };
        if let Err(violation) = self.oracle.check_write(&look, self.now) {
            panic!("{violation}\n{}", self.history());
        }
        written
    }

    /// An outsider changes the set.
    pub fn outsider(&mut self, what: &str, change: impl FnOnce(&mut Store)) {
        self.say(format!("OUTSIDER {what}"));
        self.changes += 1;
        let before = self.live();
        change(&mut self.store);
        let after = self.live();
        self.oracle.note_outsider(&before, &after);
        self.oracle.note_live(&before, &after, self.now);
        if self.resource.status.is_none() {
            self.oracle.forget_unremembered(&after, &self.objects);
        }
    }
}

/// In which set a step writes.
pub fn place_of(step: &Step) -> Place {
    match step {
        Step::CreateKey { place, .. } | Step::CreateSymmetricKey { place, .. } | Step::DeleteKey { place, .. } => *place,
        _ => Place::Live,
    }
}
