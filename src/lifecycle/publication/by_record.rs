//! Publication without the admin API: what the record and the targets alone are enough for.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Local, Published, Shown, TargetStep, Wanted,
    place::{Source, publish},
    render,
    visible::target_without,
};
use crate::{
    api::KeyState,
    lifecycle::{plan::ahead::holds_outdated_time, rank::Rank, record::Record, step::Step},
};

/// One effect that needs no admin API.
#[derive(Clone, Debug)]
pub enum LocalStep {
    /// Store what must not be forgotten before the next write.
    StoreRecord(Box<Record>),
    /// Write or remove one target.
    Target(TargetStep),
}

impl From<LocalStep> for Step {
    fn from(step: LocalStep) -> Self {
        match step {
            LocalStep::StoreRecord(record) => Self::StoreRecord(record),
            LocalStep::Target(step) => Self::Target(step),
        }
    }
}

/// The next step of publication while the remote set cannot be read; `None` when the targets hold what the record shows.
///
/// It makes nothing that the record does not hold. What is revoked leaves at once, whoever could sign in its place.
pub fn next_by_record(wanted: &Wanted, local: &Local, now: Timestamp) -> Option<LocalStep> {
    let published = by_record(wanted, local, now);
    let record = without_lost_announcements(wanted, local);
    if holds_outdated_time(&local.record, &record) {
        return Some(LocalStep::StoreRecord(Box::new(record)));
    }
    published.steps.into_iter().min_by_key(|(rank, _)| *rank).map(|(_, step)| LocalStep::Target(step))
}

/// What has to be done about the targets by the record alone.
pub(in crate::lifecycle) fn by_record(wanted: &Wanted, local: &Local, now: Timestamp) -> Published {
    let public = render::published(&local.record, &wanted.revoked, &BTreeSet::new());
    let is_over = |after: Timestamp| after <= now;
    let over = local.record.keys.iter().filter(|(_, key)| key.state == KeyState::Retired && key.remove_after().is_some_and(is_over));
    let over = over.map(|(kid, _)| kid.clone()).collect();
    publish(
        wanted,
        &Shown { public, signer: local.record.signer.clone(), source: Source::Record { over }, withdrawal: Rank::Revoke },
        &local.record,
        local,
    )
}

/// The record as it is true: a key that a target lost is announced no longer, and its time begins anew.
fn without_lost_announcements(wanted: &Wanted, local: &Local) -> Record {
    let mut record = local.record.clone();
    for (kid, key) in record.keys.iter_mut().filter(|(_, key)| key.state == KeyState::Announced) {
        let is_lost = key.thumbprint.as_ref().is_some_and(|thumbprint| target_without(wanted, local, kid, thumbprint).is_some());
        if is_lost {
            key.announced_at = None;
        }
    }
    record
}
