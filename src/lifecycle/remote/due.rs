//! What a phase of the plan finds due, and what it has to say.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::Reason;
use crate::lifecycle::{
    findings::{Severity, Trouble},
    rank::Rank,
    step::{RefusedWrite, Step},
};

/// What one phase finds due. Each phase has its own, and the plan puts them together.
#[derive(Default)]
pub(in crate::lifecycle) struct Due {
    pub(in crate::lifecycle) steps: Vec<(Rank, Step)>,
    pub(in crate::lifecycle) troubles: Vec<Trouble>,
    /// When something falls due by itself. What is past and could not be done waits for something else.
    pub(in crate::lifecycle) wakes: Vec<Timestamp>,
    /// When the next key is due to sign.
    pub(in crate::lifecycle) next_rotation: Option<Timestamp>,
}

impl Due {
    /// What all phases find due, in the order of the phases.
    pub(in crate::lifecycle) fn of(phases: impl IntoIterator<Item = Self>) -> Self {
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
    pub(in crate::lifecycle) fn without_refused(self, refused: &BTreeMap<RefusedWrite, String>) -> Self {
        let is_taken = |step: &Step| RefusedWrite::of(step).is_none_or(|write| !refused.contains_key(&write));
        Self { steps: self.steps.into_iter().filter(|(_, step)| is_taken(step)).collect(), ..self }
    }

    /// What it has to say, where nothing is done.
    pub(in crate::lifecycle) fn only_told(self) -> Self {
        Self { troubles: self.troubles, ..Self::default() }
    }

    pub(in crate::lifecycle) fn add(&mut self, rank: Rank, step: Step) {
        self.steps.push((rank, step));
    }

    /// Says what stays as it is until somebody acts.
    pub(in crate::lifecycle) fn stalled(&mut self, reason: Reason, message: String) {
        self.say(reason, message, Severity::Stalled);
    }

    /// Says what is waited for.
    pub(in crate::lifecycle) fn waiting(&mut self, reason: Reason, message: String) {
        self.say(reason, message, Severity::Waiting);
    }

    /// Says what somebody may want to know.
    pub(in crate::lifecycle) fn notice(&mut self, reason: Reason, message: String) {
        self.say(reason, message, Severity::Notice);
    }

    fn say(&mut self, reason: Reason, message: String, severity: Severity) {
        self.troubles.push(Trouble { reason, message, severity, publication: false });
    }

    /// Asks to be called again at `moment`.
    pub(in crate::lifecycle) fn wake_at(&mut self, moment: Timestamp) {
        self.wakes.push(moment);
    }

    /// Notes when a key is due to sign, for the status.
    pub(in crate::lifecycle) fn note_rotation(&mut self, moment: Option<Timestamp>) {
        self.next_rotation = self.next_rotation.into_iter().chain(moment).min();
    }
}
