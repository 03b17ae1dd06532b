//! What one process remembers of each resource. It may be lost with the process, which then asks and waits more: every decision is made on
//! what is stored and seen.
//!
//! Only [`Memory::see`] begins to remember a resource, and the watch calls it. Whatever else is noted of a resource that is not remembered is
//! dropped, since a pass may end after its resource is gone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::{
    publication::{edits::Edits, kept_target::KeptTarget},
    repeats::{Repeated, Repeats, Wrong},
};
use crate::{
    api::{Import, JsonWebKeySet},
    lifecycle::{EntryName, HeldTarget, SourceState, TargetId, Uid},
};

/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The memory of all resources, by UID.
#[derive(Default)]
pub(super) struct Memory {
    resources: Mutex<HashMap<Uid, Remembered>>,
}

/// What was read of one Secret, and from which version of it.
#[derive(Clone)]
pub(super) struct KnownSource {
    pub(super) version: String,
    pub(super) import: Import,
    pub(super) state: SourceState,
}

/// A resource that needs no pass for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// When it needs one by itself.
    pub(super) until: Instant,
    /// Whether everything was as planned when it came to rest, and not only could not be helped.
    pub(super) is_settled: bool,
}

#[derive(Default)]
struct Remembered {
    /// `None` if the watch shows it.
    latest: Option<Arc<JsonWebKeySet>>,
    /// A list, and no map: most have one, and a map of one takes the memory of four.
    targets: Vec<(TargetId, KeptTarget)>,
    looked: bool,
    sources: HashMap<EntryName, KnownSource>,
    is_new_here: bool,
    claim: Option<Arc<JsonWebKeySet>>,
    pauses: Option<Box<ExponentialBackoff>>,
    is_elsewhere: bool,
    waits_since: Option<Instant>,
    joined: Option<Instant>,
    wishes: u64,
    rest: Option<Rest>,
    edits: Edits,
    repeats: Option<Box<Repeats>>,
    waits_for_key: bool,
}

impl Memory {
    /// The resource is there: it is remembered from now on.
    pub(super) fn see(&self, uid: &Uid) {
        let mut resources = self.lock();
        if !resources.contains_key(uid) {
            resources.insert(uid.clone(), Remembered::default());
        }
    }

    /// The resource as this process last wrote or read it; `None` if that is what the watch shows.
    pub(super) fn latest(&self, uid: &Uid) -> Option<Arc<JsonWebKeySet>> {
        self.lock().get(uid).and_then(|remembered| remembered.latest.clone())
    }

    /// Remembers the resource as the API server answered it.
    pub(super) fn remember(&self, uid: &Uid, resource: Arc<JsonWebKeySet>) {
        self.update(uid, |remembered| remembered.latest = Some(resource));
    }

    /// The watch shows this version of the resource. A copy of it need not be kept.
    pub(super) fn is_shown(&self, uid: &Uid, version: Option<&str>) {
        self.update(uid, |remembered| {
            if remembered.latest.as_ref().is_some_and(|latest| latest.metadata.resource_version.as_deref() == version) {
                remembered.latest = None;
                remembered.claim = None;
            }
        });
    }

    /// A target as it was last read or written.
    pub(super) fn target(&self, uid: &Uid, id: &TargetId) -> Option<HeldTarget> {
        self.lock().get(uid).and_then(|remembered| remembered.targets.iter().find(|(known, _)| known == id).map(|(_, kept)| kept.into()))
    }

    /// Remembers a target as it was read or written; `None` forgets it.
    pub(super) fn remember_target(&self, uid: &Uid, id: &TargetId, held: Option<HeldTarget>) {
        self.update(uid, |remembered| {
            remembered.targets.retain(|(known, _)| known != id);
            if let Some(held) = held {
                remembered.targets.reserve_exact(1);
                remembered.targets.push((id.clone(), held.into()));
            }
        });
    }

    /// The targets that are remembered; `None` if this process has not looked at the resource's targets yet.
    pub(super) fn targets(&self, uid: &Uid) -> Option<Vec<TargetId>> {
        let resources = self.lock();
        resources
            .get(uid)
            .filter(|remembered| remembered.looked)
            .map(|remembered| remembered.targets.iter().map(|(id, _)| id.clone()).collect())
    }

    /// Every target of the resource was looked at.
    pub(super) fn note_looked(&self, uid: &Uid) {
        self.update(uid, |remembered| remembered.looked = true);
    }

    /// What a Secret held for an entry when it was last read.
    pub(super) fn source(&self, uid: &Uid, entry: &EntryName) -> Option<KnownSource> {
        self.lock().get(uid).and_then(|remembered| remembered.sources.get(entry).cloned())
    }

    /// Remembers what a Secret holds for an entry: no private half.
    pub(super) fn remember_source(&self, uid: &Uid, entry: &EntryName, known: KnownSource) {
        self.update(uid, |remembered| remembered.sources.insert(entry.clone(), known));
    }

    /// Whether this version of a target is the one that is remembered, so that its watch event is nothing new.
    pub(super) fn knows_target(&self, owner_uid: &Uid, target_uid: &Uid, resource_version: &str) -> bool {
        let resources = self.lock();
        let targets = resources.get(owner_uid).into_iter().flat_map(|remembered| &remembered.targets);
        targets.into_iter().any(|(_, kept)| kept.is(target_uid, resource_version))
    }

    /// This process saw the resource before anything was written for it.
    pub(super) fn note_new(&self, uid: &Uid) {
        self.update(uid, |remembered| remembered.is_new_here = true);
    }

    /// Whether it did, so that no earlier process can have left a write under way.
    pub(super) fn is_new_here(&self, uid: &Uid) -> bool {
        self.lock().get(uid).is_some_and(|remembered| remembered.is_new_here)
    }

    /// Remembers what a resource that cannot be read claims, as far as that part can be read.
    pub(super) fn remember_claim(&self, uid: &Uid, claim: JsonWebKeySet) {
        self.update(uid, |remembered| remembered.claim = Some(Arc::new(claim)));
    }

    /// What a resource that cannot be read claims: as it was when it could be, else as far as it can; `None` if nobody looked yet.
    pub(super) fn claim(&self, uid: &Uid) -> Option<Arc<JsonWebKeySet>> {
        let resources = self.lock();
        let remembered = resources.get(uid)?;
        remembered.latest.clone().or_else(|| remembered.claim.clone())
    }

    /// The resource changed, and waits for its reconcile.
    pub(super) fn note_waiting(&self, uid: &Uid) {
        self.update(uid, |remembered| {
            remembered.waits_since.get_or_insert_with(Instant::now);
        });
        self.disturb(uid);
    }

    /// Something happened that only a pass can answer: the resource is not at rest any more.
    pub(super) fn disturb(&self, uid: &Uid) {
        self.update(uid, |remembered| {
            remembered.wishes += 1;
            remembered.rest = None;
        });
    }

    /// A pass begins, and answers everything that happened before. Answers what [`comes_to_rest`](Self::comes_to_rest) needs.
    pub(super) fn begins(&self, uid: &Uid) -> u64 {
        let begun = self.update(uid, |remembered| {
            remembered.rest = None;
            remembered.wishes
        });
        begun.unwrap_or_default()
    }

    /// A pass that began with `wishes` is over: nothing is to be done before `rest` ends, unless something happened meanwhile.
    pub(super) fn comes_to_rest(&self, uid: &Uid, wishes: u64, rest: Rest) {
        self.update(uid, |remembered| {
            if remembered.wishes == wishes {
                remembered.rest = Some(rest);
            }
        });
    }

    /// The rest of a resource; `None` if it needs a pass.
    pub(super) fn rest(&self, uid: &Uid) -> Option<Rest> {
        self.lock().get(uid).and_then(|remembered| remembered.rest)
    }

    /// How long it waited.
    pub(super) fn take_waiting(&self, uid: &Uid) -> Option<Duration> {
        self.update(uid, |remembered| remembered.waits_since.take())?.map(|since| since.elapsed())
    }

    /// The resource is another operator's: what was remembered of it may be outdated when it comes back.
    pub(super) fn leave(&self, uid: &Uid) {
        self.update(uid, |remembered| *remembered = Remembered { is_elsewhere: true, ..Remembered::default() });
    }

    /// The resource is this operator's. If it was another's before, it has joined now.
    pub(super) fn join(&self, uid: &Uid) {
        self.update(uid, |remembered| {
            if std::mem::take(&mut remembered.is_elsewhere) {
                remembered.joined = Some(Instant::now());
            }
        });
    }

    /// When the resource was taken over from another operator.
    pub(super) fn joined(&self, uid: &Uid) -> Option<Instant> {
        self.lock().get(uid).and_then(|remembered| remembered.joined)
    }

    /// Reads or changes what is known of edits of its targets.
    pub(super) fn edits<T>(&self, uid: &Uid, change: impl FnOnce(&mut Edits) -> T) -> Option<T> {
        self.update(uid, |remembered| change(&mut remembered.edits))
    }

    /// Remembers whether a pass was given up since too many wait for a key.
    pub(super) fn note_waiting_for_key(&self, uid: &Uid, waits: bool) {
        self.update(uid, |remembered| remembered.waits_for_key = waits);
    }

    /// Whether the last pass was given up since too many wait for a key.
    pub(super) fn waits_for_key(&self, uid: &Uid) -> bool {
        self.lock().get(uid).is_some_and(|remembered| remembered.waits_for_key)
    }

    /// How long to pause after a failure: longer each time, with jitter.
    pub(super) fn pause(&self, uid: &Uid) -> Duration {
        let pause = self.update(uid, |remembered| remembered.pauses.get_or_insert_with(|| Box::new(pauses())).next());
        pause.map_or(FIRST_PAUSE, |pause| pause.unwrap_or(LONGEST_PAUSE))
    }

    /// A pass went well: the next failure pauses shortly again.
    pub(super) fn reset_pause(&self, uid: &Uid) {
        self.update(uid, |remembered| remembered.pauses = None);
    }

    /// Nothing is wrong with the resource any more: what goes wrong next is logged at once.
    pub(super) fn is_well(&self, uid: &Uid) {
        self.update(uid, |remembered| remembered.repeats = None);
    }

    /// Something goes wrong with the resource. Answers how often since it was logged last, if it should be logged now.
    pub(super) fn goes_wrong(&self, uid: &Uid, what: Wrong) -> Option<u32> {
        self.repeated(uid, what, |repeated| repeated.note(Instant::now())).flatten()
    }

    /// It was logged just now that something goes wrong with the resource.
    pub(super) fn was_logged(&self, uid: &Uid, what: Wrong) {
        self.repeated(uid, what, |repeated| repeated.was_logged(Instant::now()));
    }

    fn repeated<T>(&self, uid: &Uid, what: Wrong, change: impl FnOnce(&mut Repeated) -> T) -> Option<T> {
        self.update(uid, |remembered| change(remembered.repeats.get_or_insert_with(Box::default).of(what)))
    }

    /// The resource is gone.
    pub(super) fn forget(&self, uid: &Uid) {
        self.lock().remove(uid);
    }

    /// Changes what is remembered of a resource; `None` if nothing is.
    fn update<T>(&self, uid: &Uid, change: impl FnOnce(&mut Remembered) -> T) -> Option<T> {
        self.lock().get_mut(uid).map(change)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uid, Remembered>> {
        // A panic while the lock was held leaves nothing half done that matters.
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_delay(LONGEST_PAUSE).without_max_times().with_jitter().build()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::TargetKind;

    fn target() -> TargetId {
        TargetId { kind: TargetKind::ConfigMap, namespace: "shop".to_owned(), name: "payments-jwks".to_owned() }
    }

    /// Everything that a pass notes of its resource.
    fn end_of_a_pass(memory: &Memory, uid: &Uid) {
        let held = HeldTarget { uid: "map".into(), resource_version: "1".to_owned(), is_immutable: false, content: Default::default() };
        let import = serde_json::from_value(json!({ "secretRef": { "name": "key" } })).expect("an import");
        let known = KnownSource { version: "1".to_owned(), import, state: SourceState::NotLabelled };
        memory.remember(uid, Arc::new(JsonWebKeySet::new("payments", Default::default())));
        memory.remember_claim(uid, JsonWebKeySet::new("payments", Default::default()));
        memory.remember_target(uid, &target(), Some(held));
        memory.remember_source(uid, &"signing".into(), known);
        memory.note_looked(uid);
        memory.note_new(uid);
        memory.note_waiting_for_key(uid, true);
        memory.note_waiting(uid);
        memory.take_waiting(uid);
        let wishes = memory.begins(uid);
        memory.comes_to_rest(uid, wishes, Rest { until: Instant::now(), is_settled: true });
        memory.edits(uid, |edits| edits.note(target()));
        memory.pause(uid);
        memory.goes_wrong(uid, Wrong::Pass);
        memory.was_logged(uid, Wrong::Target);
        memory.reset_pause(uid);
        memory.is_well(uid);
        memory.leave(uid);
        memory.join(uid);
    }

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let memory = Memory::default();
        let uid = &Uid::from("uid");
        memory.see(uid);
        end_of_a_pass(&memory, uid);
        assert!(memory.joined(uid).is_some() && memory.lock().len() == 1);
        memory.forget(uid);
        assert!(memory.lock().is_empty());
        // The watch reports the deletion while the pass that led to it is still under way.
        end_of_a_pass(&memory, uid);
        assert!(memory.lock().is_empty(), "a pass that ends after its resource is gone");
    }

    #[test]
    fn a_copy_is_kept_until_the_watch_shows_it() {
        let memory = Memory::default();
        let uid = &Uid::from("uid");
        memory.see(uid);
        let mut written = JsonWebKeySet::new("payments", Default::default());
        written.metadata.resource_version = Some("2".to_owned());
        memory.remember(uid, Arc::new(written));
        memory.is_shown(uid, Some("1"));
        assert!(memory.latest(uid).is_some(), "the watch lags behind");
        memory.is_shown(uid, Some("2"));
        assert!(memory.latest(uid).is_none());
    }
}
