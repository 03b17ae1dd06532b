//! What is to be done: desired × observed × now → the next step.
//!
//! [`assess`] looks at everything at once and lists what is due, each concern in a file of its own; [`next`] takes the first of it and puts in
//! front what must come before it: a look at the set, a record that must be stored ahead, a pause.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Desired, Observed,
    ahead::{guarded, holds_outdated_time, must_be_stored_ahead, shows_unstored},
    assessor::{Assessment, Assessor, is_first_pass, origin},
    deletion, late, limitation,
    publication::{self, Shown, Source},
    record::Record,
    step::Step,
};
use crate::api::{KeyState, Mode, Reason};
use crate::jwk::{Jwk, PublicJwk};

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
        // Somebody else may write the set meanwhile, and stage a key.
        self.record.staged_keys = None;
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
/// `status`.
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

/// When the resource must be looked at again by itself, besides the resync: something falls due, or late answers are over.
pub fn wake(desired: &Desired, seen: &Observed, now: Timestamp) -> Option<Timestamp> {
    if desired.deleting {
        return seen.late_answers_until(now);
    }
    let assessment = assess(desired, seen, now);
    let blocked = seen.late_answers_until(now).filter(|_| assessment.steps.iter().any(Step::writes_remote));
    assessment.due.into_iter().chain(blocked).min()
}
