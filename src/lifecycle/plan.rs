//! What is to be done: desired × observed × now → the next step.
//!
//! [`assess`] looks at everything at once and lists what is due, each concern in a file of its own; [`next`] takes the first of it and puts in
//! front what must come before it: a look at the set, a record that must be stored ahead, a pause.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    Desired, Observed,
    ahead::{holds_outdated_time, must_be_stored_ahead, shows_unstored},
    deletion,
    findings::{Severity, Trouble},
    kid::{self, Slot},
    late, limitation,
    publication::{self, Shown, Source},
    record::Record,
    step::{DeleteCause, Place, PutCause, Step},
};
use crate::api::{KeyState, Mode, Origin, Reason};
use crate::jwk::{Jwk, PublicJwk};

/// Two private keys on MySQL need different whole seconds in their `created_at`.
const PRIVATE_WRITE_PAUSE: SignedDuration = SignedDuration::from_millis(1100);

/// The order of steps; among equals their order of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Take revoked keys away, out of the set and out of targets.
    Revoke,
    /// Fill the gap in a set in which no private key may sign.
    Emergency,
    /// Put the signer back in front.
    Signer,
    /// Make what is missing.
    Create,
    /// Take away the revoked key in whose place another has just been put.
    RevokeReplaced,
    /// Store public keys.
    Store,
    /// Write targets.
    Publish,
    /// Let a key sign that was announced for long enough.
    Activate,
    /// Take private halves out of the set, put back what vanished.
    Retire,
    /// Empty the staged set of what waits for nothing.
    Clear,
    /// Remove what nobody needs any more.
    Remove,
}

/// The result of one look at everything.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// What must be remembered.
    pub record: Record,
    /// The public halves to publish, by kid.
    pub published: BTreeMap<String, PublicJwk>,
    /// What is due, first things first.
    pub steps: Vec<Step>,
    /// What blocks it.
    pub troubles: Vec<Trouble>,
    /// When the next thing falls due by itself.
    pub due: Option<Timestamp>,
    /// When the next key is due to sign.
    pub next_rotation: Option<Timestamp>,
    /// Where Hydra or verifiers are known to misbehave with what the spec asks for.
    pub limitations: Vec<String>,
}

/// A look in progress.
pub(super) struct Assessor<'world> {
    pub(super) desired: &'world Desired,
    pub(super) seen: &'world Observed,
    pub(super) now: Timestamp,
    pub(super) record: Record,
    /// What the operator's own targets publish and may be believed: whoever may change a target must not put a key into the set by it, so that
    /// nothing but what the status planned or recorded is read back, unless the status was lost.
    pub(super) remembered: BTreeMap<String, PublicJwk>,
    /// All kids that the operator's own targets hold, also those that could not be written in this pass.
    pub(super) held_kids: BTreeSet<String>,
    /// Own kids whose live material is not what was recorded: somebody else put it there.
    pub(super) replaced: BTreeSet<String>,
    /// Kids that an entry of the spec names, or that are to be made for one.
    pub(super) explained: BTreeSet<String>,
    /// Kids that leave the targets, and then the set.
    pub(super) expired: BTreeSet<String>,
    /// The private key that serves each entry, by entry name.
    pub(super) active: BTreeMap<String, String>,
    /// Kids of staged keys that wait for their time.
    pub(super) kept_staged: BTreeSet<String>,
    /// Whether no private key of the set may sign.
    pub(super) lacks_private_key: bool,
    /// The entry that can put a private key into the set now.
    pub(super) capable: Option<String>,
    pub(super) next_rotation: Option<Timestamp>,
    pub(super) steps: Vec<(Rank, Step)>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) due: Option<Timestamp>,
}

impl Assessor<'_> {
    /// The time, if it may be written down and acted on.
    pub(super) fn timed(&self) -> Option<Timestamp> {
        self.seen.trusts_clock().then_some(self.now)
    }

    pub(super) fn add(&mut self, rank: Rank, step: Step) {
        self.steps.push((rank, step));
    }

    pub(super) fn stalled(&mut self, reason: Reason, message: String) {
        self.troubles.push(Trouble { reason, message, severity: Severity::Stalled, publication: false });
    }

    pub(super) fn notice(&mut self, reason: Reason, message: String) {
        self.troubles.push(Trouble { reason, message, severity: Severity::Notice, publication: false });
    }

    /// Asks to be called again at `moment`. What is past and could not be done waits for something else.
    pub(super) fn wake_at(&mut self, moment: Timestamp) {
        if moment <= self.now {
            return;
        }
        self.due = Some(self.due.map_or(moment, |due| due.min(moment)));
    }
}

/// Whether the resource is in its very first pass, where kids follow from its creation and nothing needs to be stored ahead: it has no status,
/// and had no finalizer, without which nothing is ever written for it.
pub(super) fn is_first_pass(seen: &Observed) -> bool {
    seen.is_first_look && seen.local.record.is_empty()
}

/// Who made the set, as far as it can be known: from the record; else the set is the operator's if it is not there yet, or if every key in it
/// carries the slot that this resource's first pass gives.
pub(super) fn origin(desired: &Desired, seen: &Observed) -> Origin {
    let first_slot = Slot::at(desired.created);
    seen.local.record.origin.unwrap_or_else(|| {
        let is_ours =
            |kid: Option<&str>| kid.and_then(|kid| kid::parse_generated(&desired.set, kid)).is_some_and(|(_, slot)| slot == first_slot);
        if seen.live.keys.iter().all(|key| is_ours(key.kid())) { Origin::Created } else { Origin::Found }
    })
}

/// Looks at everything at once.
pub fn assess(desired: &Desired, seen: &Observed, now: Timestamp) -> Assessment {
    let held = seen.local.targets.keys().filter_map(|id| seen.local.held(id));
    let mut remembered: BTreeMap<String, PublicJwk> = held.flat_map(|held| held.content.published()).collect();
    let held_kids = remembered.keys().cloned().collect();
    remembered.retain(|kid, _| !desired.revoked.contains(kid));
    if !seen.local.record.is_empty() {
        remembered.retain(|kid, _| seen.local.record.keys.contains_key(kid));
    }
    let mut look = Assessor {
        desired,
        seen,
        now,
        record: seen.local.record.clone(),
        remembered,
        held_kids,
        replaced: BTreeSet::new(),
        explained: BTreeSet::new(),
        expired: BTreeSet::new(),
        active: BTreeMap::new(),
        kept_staged: BTreeSet::new(),
        lacks_private_key: false,
        capable: None,
        next_rotation: None,
        steps: Vec::new(),
        troubles: Vec::new(),
        due: None,
    };
    look.record.origin = Some(origin(desired, seen));
    look.recognise();
    let recognised = look.record.clone();
    look.mark_revoked();
    look.supply();
    look.restore_signer();
    look.retire();
    look.put_back_vanished();
    look.revoke();
    look.clear_staged();
    look.count_staged();
    look.report_refusals();
    look.refuse_opaque_keys();
    if desired.mode == Mode::Observe {
        look.only_observe(recognised);
    }
    if look.is_elsewhere() {
        return look.leave_alone();
    }
    look.record.server = Some(desired.server.clone());
    let published = look.publish();
    look.forget(&published);
    look.finish(published)
}

impl Assessor<'_> {
    /// Keeps of a full look only what an observer may do: report that the set differs, and publish what is there, together with what was the
    /// operator's own before it was made an observer. `recognised` is the record of what is there.
    fn only_observe(&mut self, recognised: Record) {
        let due = self.steps.len();
        self.steps.clear();
        let expired = std::mem::take(&mut self.expired);
        self.due = None;
        self.next_rotation = None;
        let looked = std::mem::replace(&mut self.record, self.seen.local.record.clone());
        // What vanished leaves: at once if the set was never this resource's to write, else as it would if it still were.
        let was_own = self.record.origin.is_some();
        self.record.keys.retain(|kid, key| was_own && key.state != KeyState::Unmanaged && !expired.contains(kid));
        for (kid, key) in looked.keys.into_iter().filter(|(_, key)| key.state == KeyState::Retired) {
            if let Some(known) = self.record.keys.get_mut(&kid) {
                *known = key;
            }
        }
        for (kid, mut key) in recognised.keys.into_iter().filter(|(kid, _)| self.seen.live.key(kid).is_some()) {
            if key.state == KeyState::Revoked {
                key.state = KeyState::Announced;
            }
            self.record.keys.insert(kid, key);
        }
        if due > 0 {
            let message =
                format!("set {} differs from the spec ({due} changes are due), and mode Observe changes nothing", self.desired.set);
            self.stalled(Reason::DriftObserved, message);
        }
    }

    /// Where private keys stay inside the server, as with an HSM, each new key replaces the set, and none can be moved: nothing is written.
    fn refuse_opaque_keys(&mut self) {
        if self.seen.is_opaque {
            self.steps.clear();
            self.due = None;
            self.next_rotation = None;
            self.record.keys.retain(|kid, _| self.seen.local.record.keys.contains_key(kid) || self.seen.live.key(kid).is_some());
            self.stalled(
                Reason::OpaqueKeys,
                format!(
                    "the server of set {} returns new keys without their private halves, as with an HSM: a new key would replace the whole set there, so nothing is written; use mode Observe, or an admin API that stores its keys",
                    self.desired.set
                ),
            );
        }
    }

    /// Decides what the targets hold. Answers what is published.
    fn publish(&mut self) -> BTreeMap<String, PublicJwk> {
        let public = publication::published(&self.record, &self.desired.revoked, &self.expired);
        let shown = Shown { public, source: Source::Set(self.exported()), withdrawal: self.withdrawal() };
        let published = publication::publish(&self.desired.publication, &shown, &self.record, &self.seen.local);
        let public = shown.public;
        self.steps.extend(published.steps.into_iter().map(|(rank, step)| (rank, Step::Target(step))));
        self.troubles.extend(published.troubles);
        self.record.targets = published.written;
        public
    }

    /// The private keys of the set that may be exported where it is granted, in the order of the set: the signer first. What somebody else put
    /// under an own kid is none of them.
    fn exported(&self) -> Vec<&Jwk> {
        let leaves = |kid: &str| self.replaced.contains(kid) || self.expired.contains(kid) || self.desired.revoked.contains(kid);
        self.seen.private_keys().filter(|key| key.kid().is_some_and(|kid| !leaves(kid))).collect()
    }

    pub(super) fn finish(mut self, published: BTreeMap<String, PublicJwk>) -> Assessment {
        if !self.seen.trusts_clock() {
            // Without the figure, which would make a new status of each look.
            let message = "the clocks of the operator and the admin API differ by more than a minute: steps that depend on time wait until they agree";
            self.notice(Reason::ClockSkew, message.to_owned());
        }
        self.steps.sort_by_key(|(rank, _)| *rank);
        let steps = self.steps.into_iter().map(|(_, step)| step).collect();
        Assessment {
            record: self.record,
            published,
            steps,
            troubles: self.troubles,
            due: self.due,
            next_rotation: self.next_rotation,
            limitations: limitation::limitations(self.desired),
        }
    }
}

/// The next step, or `None` when nothing is left to do now.
///
/// It is asked again after each step, with the step's answer folded into `seen`. It never fails: what blocks it is reported by
/// [`super::status`].
pub fn next(desired: &Desired, seen: &Observed, now: Timestamp) -> Option<Step> {
    if desired.deleting {
        return deletion::next(desired, seen, now);
    }
    if desired.mode == Mode::Enforce && !seen.finalizer {
        return Some(Step::AddFinalizer);
    }
    let assessment = assess(desired, seen, now);
    // A first pass that stages nothing need not ask.
    let goes_by_staged = !is_first_pass(seen) || assessment.steps.iter().any(Step::stages_key);
    if desired.mode == Mode::Enforce && seen.staged.is_none() && goes_by_staged {
        return Some(Step::ReadStaged);
    }
    let Some(step) = late::first_allowed(seen, assessment.steps, now) else {
        // What the server does with two private keys of one second is seen only by asking it.
        let is_order_open = seen.order_is_unread && seen.private_keys().nth(1).is_some();
        return is_order_open.then_some(Step::ReadLive);
    };
    if holds_outdated_time(&seen.local.record, &assessment.record)
        || must_be_stored_ahead(desired, seen, &assessment.record, &step)
        || shows_unstored(&seen.local.record, &assessment.record, &step)
    {
        return Some(Step::StoreRecord(Box::new(assessment.record)));
    }
    Some(guarded(seen, step, now))
}

/// The next write of a target, when a remote step has failed and the others must not wait for it.
pub fn next_publication(desired: &Desired, seen: &Observed, now: Timestamp) -> Option<Step> {
    if desired.deleting {
        return None;
    }
    let assessment = assess(desired, seen, now);
    let step = assessment.steps.into_iter().find(|step| matches!(step, Step::Target(_)))?;
    let is_ahead = shows_unstored(&seen.local.record, &assessment.record, &step);
    Some(if is_ahead { Step::StoreRecord(Box::new(assessment.record)) } else { step })
}

/// A step, or what must come right before it: a pause between two private keys, a reading of what the write goes by.
pub(super) fn guarded(seen: &Observed, step: Step, now: Timestamp) -> Step {
    if !step.writes_remote() {
        return step;
    }
    if step.writes_private_key()
        && let Some(written) = seen.private_written_at
        && let Ok(until) = written.saturating_add(PRIVATE_WRITE_PAUSE)
        && written <= now
        && now < until
    {
        return Step::Wait { until };
    }
    match &step {
        Step::PutKey { key, cause: PutCause::Activated } if key.is_private() && !seen.is_staged_fresh() => Step::ReadStaged,
        // Nobody signs with what is staged.
        Step::CreateKey { place: Place::Staged, .. }
        | Step::CreateSymmetricKey { place: Place::Staged, .. }
        | Step::DeleteKey { place: Place::Staged, cause: DeleteCause::Revoked | DeleteCause::ResourceDeleted, .. } => step,
        _ if seen.is_fresh(now) => step,
        _ => Step::ReadLive,
    }
}

/// When the resource must be looked at again by itself, besides the resync: something falls due, or late answers are over.
pub fn wake(desired: &Desired, seen: &Observed, now: Timestamp) -> Option<Timestamp> {
    if desired.deleting {
        return seen.late_answers_until(now);
    }
    let assessment = assess(desired, seen, now);
    let blocked = seen.late_answers_until(now).filter(|_| assessment.steps.iter().any(Step::writes_remote));
    assessment.due.into_iter().chain(blocked).min()
}
