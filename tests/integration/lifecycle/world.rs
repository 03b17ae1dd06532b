//! A world in memory: the remote set, the resource with its stored status, the targets, the time.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{AccessRule, AdminApiSpec, JsonWebKeySet, JsonWebKeySetSpec, JsonWebKeySetStatus, Namespaces, Reason},
    hydra::emulator::{DerivedKeys, Store},
    jwk::Jwk,
    lifecycle::{
        self, Desired, EntryName, HeldTarget, Local, Observed, Record, SecretContent, Source, SourceKey, SourceState, Step, TargetId,
        TargetState, Wanted,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{oracle::Oracle, shown::Kids};

pub const SET: &str = "shop.payments";
pub const STAGED: &str = "shop.payments~next";
/// Times in status are whole seconds, and a clock may be wrong by a minute before it is noticed.
const SLACK: SignedDuration = SignedDuration::from_secs(62);
/// Another admin API, which holds nothing.
const ELSEWHERE: &str = "http://127.0.0.1:9999";
/// How long a write without an answer may take to land.
pub const LATE: i64 = 120;
/// The same of every write that generates no key.
pub const LATE_WRITE: i64 = 30;

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
    /// The server refuses the key that is written, if it is a write of one key.
    RefusedKey,
    /// The step is taken, and right after it an outsider changes the set.
    Disturbed(usize),
}

/// A write that was sent and not answered.
#[derive(Clone, Debug)]
pub struct Unanswered {
    pub lands: Timestamp,
    pub step: Step,
    pub key: Option<Jwk>,
    /// What was asked for when it was sent.
    pub spec: JsonWebKeySetSpec,
    /// How often outsiders had changed the set by then.
    pub changes: usize,
    /// Whether the server had refused a key in that pass.
    pub is_refusing: bool,
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
    pub at: Timestamp,
    pub what: String,
    pub step: Option<Step>,
}

impl Logged {
    pub fn step(&self) -> Option<&Step> {
        self.step.as_ref()
    }
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
    /// The kids of the keys that were published.
    pub known: Kids,
    /// What was written into them, which of a Secret only the API server knows.
    pub texts: BTreeMap<TargetId, BTreeMap<String, String>>,
    pub foreign_objects: Vec<TargetId>,
    /// Whether the server keeps private keys to itself: it answers public halves, and a generated key replaces the set.
    pub keeps_private_keys: bool,
    /// Whether the next private key that is stored does not come in front, as may happen on MySQL within one second.
    pub misorders_next: bool,
    /// Where the AdminApi leads.
    pub url: String,
    /// Whether it leads to another server, which is empty.
    pub is_elsewhere: bool,
    /// Whether an older resource claims the same set.
    pub is_claimed: bool,
    /// Keys that somebody put into targets, and that nobody may put into a set.
    pub forged: Vec<Jwk>,
    /// What its sets begin with.
    pub set_prefix: Option<String>,
    /// Whether the AdminApi lets the namespace have private keys in Secrets.
    pub private_export: bool,
    /// The server refuses to store or remove about one key of so many, always the same ones; `None`: none.
    pub refuses_one_of: Option<usize>,
    /// Whether a key was refused in this pass.
    pub is_refusing: bool,
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
    /// Whether somebody else shows the history of a failure.
    pub is_quiet: bool,
    /// What happens once, between the first step of the next pass and its second.
    pub meanwhile: Option<fn(&mut World)>,
    pub started: Timestamp,
    pub unanswered: Option<Timestamp>,
    pub in_flight_until: Option<Timestamp>,
    pub generating_until: Option<Timestamp>,
    pub private_written_at: Option<Timestamp>,
    pub in_flight: Vec<Unanswered>,
    /// How often outsiders changed the set.
    pub changes: usize,
    pub version: u64,
}

/// A test that fails shows what happened before.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.is_quiet {
            eprintln!("{}", self.history());
        }
    }
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
            known: Kids::new(),
            texts: BTreeMap::new(),
            foreign_objects: Vec::new(),
            keeps_private_keys: false,
            misorders_next: false,
            url: "http://127.0.0.1:4445".into(),
            is_elsewhere: false,
            is_claimed: false,
            forged: Vec::new(),
            set_prefix: None,
            private_export: false,
            refuses_one_of: None,
            is_refusing: false,
            targets_fail: false,
            secrets: BTreeMap::new(),
            finalizer: false,
            gone: false,
            clock: SignedDuration::ZERO,
            oracle,
            log: Vec::new(),
            is_quiet: false,
            meanwhile: None,
            // Long before, so that nothing has to be waited for.
            started: now - SignedDuration::from_secs(10_000),
            unanswered: None,
            in_flight_until: None,
            generating_until: None,
            private_written_at: None,
            in_flight: Vec::new(),
            changes: 0,
            version: 1,
        }
    }

    pub fn say(&mut self, what: impl Into<String>) {
        self.log.push(Logged { at: self.now, what: what.into(), step: None });
    }

    pub fn say_step(&mut self, step: Step) {
        self.log.push(Logged { at: self.now, what: "ALONE".into(), step: Some(step) });
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
    pub fn as_read(&self, moment: Timestamp) -> Timestamp {
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
    pub fn source(&self, desired: &Desired, name: &EntryName) -> Result<Jwk, SourceState> {
        let entry = desired.entries.iter().find(|entry| entry.name == *name).expect("an entry");
        let Source::Import(import) = &entry.source else { panic!("{name} is no import") };
        let Some((document, labelled)) = self.secrets.get(&import.secret_ref.name) else {
            return Err(SourceState::Missing { why: "it does not exist".into() });
        };
        let labels = BTreeMap::from([(jwk_operator::api::IMPORT_LABEL.to_owned(), labelled.to_string())]);
        let data = BTreeMap::from([("jwk".to_owned(), document.clone())]);
        let content = SecretContent { labels: &labels, secret_type: None, data: &data };
        lifecycle::read_source(&SET.into(), name, import, content).map(|imported| imported.key)
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
        seen.fold(&Step::ReadStaged, self.read(STAGED), self.operator_time());
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

    pub fn grants(&self) -> AdminApiSpec {
        AdminApiSpec {
            url: if self.is_elsewhere { ELSEWHERE.into() } else { self.url.clone() },
            set_prefix: self.set_prefix.clone(),
            access: vec![AccessRule {
                namespaces: Namespaces { all: Some(true), ..Namespaces::default() },
                sets: vec!["{namespace}.*".into()],
                private_export: Some(self.private_export),
                ..AccessRule::default()
            }],
            ..Default::default()
        }
    }

    pub fn desired(&self) -> Result<Desired, lifecycle::SpecRefusal> {
        lifecycle::validate(&self.resource, &self.grants(), None)
    }

    /// The same, if no other resource owns the set.
    pub fn acted_on(&self) -> Result<Desired, lifecycle::SpecRefusal> {
        match self.desired() {
            Ok(_) if self.is_claimed => {
                Err(lifecycle::SpecRefusal { reason: Reason::SetConflict, message: "an older resource owns the set".into() })
            }
            desired => desired,
        }
    }

    /// What is known without the admin API.
    pub fn local(&self, wanted: &Wanted) -> Local {
        let mut local = Local::new(self.resource.status.as_ref().map(Record::from_status).unwrap_or_default());
        let named = wanted.targets.iter().map(|target| target.id.clone());
        let known = local.record.targets.iter().cloned().chain(self.objects.keys().cloned()).chain(named);
        local.targets = known.map(|id| (id.clone(), self.target(&id))).collect();
        local
    }

    /// What a pass sees first.
    pub fn observe(&self, desired: &Desired) -> Observed {
        let mut seen = Observed::new(self.local(&desired.publication));
        seen.fold(&Step::ReadLive, self.read(SET), self.operator_time());
        seen.note_finalizer(self.finalizer);
        seen.in_flight_until = self.in_flight_until.map(|moment| self.as_read(moment));
        seen.generating_until = self.generating_until.map(|moment| self.as_read(moment));
        seen.unknown_until = Some(self.as_read(self.started + SignedDuration::from_secs(LATE_WRITE)));
        seen.unknown_generation_until = Some(self.as_read(self.started + SignedDuration::from_secs(LATE)));
        seen.answered_since = self.as_read(self.unanswered.unwrap_or(self.started));
        seen.private_written_at = self.private_written_at.map(|moment| self.as_read(moment));
        let imports = desired.entries.iter().filter(|entry| matches!(entry.source, Source::Import(_)));
        seen.sources = imports.map(|entry| (entry.name.clone(), self.source_state(desired, &entry.name))).collect();
        seen
    }

    pub fn source_state(&self, desired: &Desired, name: &EntryName) -> SourceState {
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

    /// Whether the status was lost, or one was written since that only says why nothing is done.
    pub fn remembers_nothing(&self) -> bool {
        self.resource.status.as_ref().is_none_or(|status| Record::from_status(status).is_empty())
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
        self.note_kids();
        if self.remembers_nothing() {
            self.oracle.forget_unremembered(&after, &self.shown());
        }
    }
}

/// The kids of the live set, in its order.
pub fn kids(world: &World) -> Vec<String> {
    world.live().iter().filter_map(|key| key.kid().map(str::to_owned)).collect()
}
