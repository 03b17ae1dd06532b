//! What is to be done now: of everything that is due the first, and in front of it what must come before: a look at the set, a record that must
//! be stored ahead, a pause.

use jiff::Timestamp;

use super::{
    ahead::{guarded, holds_outdated_time, must_be_stored_ahead, shows_unstored},
    assess::assess,
    late,
};
use crate::api::Mode;
use crate::lifecycle::{Desired, Observed, deletion, remote::look::is_first_pass, step::Step};

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

/// The next write of a target, when a remote step has failed and the others must not wait for it. What needs nothing of the status comes first:
/// storing it may be what fails.
pub fn next_publication(desired: &Desired, seen: &Observed, now: Timestamp) -> Option<Step> {
    if desired.deleting {
        return None;
    }
    let assessment = assess(desired, seen, now);
    let is_ahead = |step: &Step| shows_unstored(&seen.local.record, &assessment.record, step);
    let (ahead, possible): (Vec<_>, Vec<_>) =
        assessment.steps.into_iter().filter(|step| matches!(step, Step::Target(_))).partition(is_ahead);
    match possible.into_iter().next() {
        Some(step) => Some(step),
        None => ahead.first().map(|_| Step::StoreRecord(Box::new(assessment.record))),
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
