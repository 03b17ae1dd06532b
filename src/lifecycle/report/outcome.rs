//! How a pass ended.

use jiff::Timestamp;

use crate::api::Reason;

/// How a pass ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Every step that is due now was taken.
    Done,
    /// The pass continues: this status is stored ahead of a step.
    Underway,
    /// A look or a step failed.
    Failed(Failure),
}

/// Why a pass stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason of the condition.
    pub reason: Reason,
    /// What happened, in words that a tenant may read: no text of a server.
    pub message: String,
    /// Whether somebody has to act before a repetition can succeed.
    pub stalled: bool,
    /// Whether a step was due when it failed, and not only a look.
    pub step_was_due: bool,
}

impl Failure {
    /// The failure of a look, together with the step that waits for it.
    pub(in crate::lifecycle) fn since(&self, due: Option<Timestamp>) -> Self {
        let mut reported = self.clone();
        if let Some(due) = due.filter(|_| !self.step_was_due) {
            reported.message.push_str(&format!("; a step has been due since {due:.0}"));
        }
        reported
    }
}
