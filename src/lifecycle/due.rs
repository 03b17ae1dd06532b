//! What a phase of the plan finds due, and what it has to say.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    findings::{Severity, Trouble},
    rank::Rank,
    step::{RefusedWrite, Step},
};
use crate::api::Reason;

/// What one phase finds due. Each phase has its own, and the plan puts them together.
#[derive(Default)]
pub(super) struct Due {
    pub(super) steps: Vec<(Rank, Step)>,
    pub(super) troubles: Vec<Trouble>,
    /// When something falls due by itself. What is past and could not be done waits for something else.
    pub(super) wakes: Vec<Timestamp>,
    /// When the next key is due to sign.
    pub(super) next_rotation: Option<Timestamp>,
}

impl Due {
    /// What all phases find due, in the order of the phases.
    pub(super) fn of(phases: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for phase in phases {
            all.steps.extend(phase.steps);
            all.troubles.extend(phase.troubles);
            all.wakes.extend(phase.wakes);
            all.next_rotation = all.next_rotation.into_iter().chain(phase.next_rotation).min();
        }
        all
    }

    /// The same without what the admin API refused in this pass.
    pub(super) fn without_refused(self, refused: &BTreeMap<RefusedWrite, String>) -> Self {
        let is_taken = |step: &Step| RefusedWrite::of(step).is_none_or(|write| !refused.contains_key(&write));
        Self { steps: self.steps.into_iter().filter(|(_, step)| is_taken(step)).collect(), ..self }
    }

    /// What it has to say, where nothing is done.
    pub(super) fn only_told(self) -> Self {
        Self { troubles: self.troubles, ..Self::default() }
    }

    pub(super) fn add(&mut self, rank: Rank, step: Step) {
        self.steps.push((rank, step));
    }

    /// Says what stays as it is until somebody acts.
    pub(super) fn stalled(&mut self, reason: Reason, message: String) {
        self.say(reason, message, Severity::Stalled);
    }

    /// Says what is waited for.
    pub(super) fn waiting(&mut self, reason: Reason, message: String) {
        self.say(reason, message, Severity::Waiting);
    }

    /// Says what somebody may want to know.
    pub(super) fn notice(&mut self, reason: Reason, message: String) {
        self.say(reason, message, Severity::Notice);
    }

    fn say(&mut self, reason: Reason, message: String, severity: Severity) {
        self.troubles.push(Trouble { reason, message, severity, publication: false });
    }

    /// Asks to be called again at `moment`.
    pub(super) fn wake_at(&mut self, moment: Timestamp) {
        self.wakes.push(moment);
    }

    /// Notes when a key is due to sign, for the status.
    pub(super) fn note_rotation(&mut self, moment: Option<Timestamp>) {
        self.next_rotation = self.next_rotation.into_iter().chain(moment).min();
    }
}
