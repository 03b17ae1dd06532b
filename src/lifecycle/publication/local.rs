//! What is known without the admin API.

use std::collections::BTreeMap;

use super::{
    target::{HeldTarget, TargetState},
    target_id::TargetId,
};
use crate::lifecycle::record::Record;

/// What is known without the admin API: what the status remembers, and what is where targets should be.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// What the status in the API server remembers.
    pub record: Record,
    /// The targets of the spec, and those that the status names.
    pub targets: BTreeMap<TargetId, TargetState>,
}

impl Local {
    /// The record as it is stored, and no target yet.
    pub fn new(record: Record) -> Self {
        Self { record, targets: BTreeMap::new() }
    }

    /// The object behind a target, if it is ours: as it is, or as it was before a write of it failed.
    pub fn held(&self, id: &TargetId) -> Option<&HeldTarget> {
        match self.targets.get(id)? {
            TargetState::Held(held) => Some(held),
            TargetState::Failed { last, .. } => last.as_deref(),
            TargetState::Absent | TargetState::Foreign => None,
        }
    }

    /// Whether a target could not be written in this pass.
    pub fn has_failures(&self) -> bool {
        self.targets.values().any(|state| matches!(state, TargetState::Failed { .. }))
    }

    /// Folds in that the status now holds `record`.
    pub fn record_was_stored(&mut self, record: Record) {
        self.record = record;
    }

    /// Folds in what is where a target was written or removed.
    pub fn target_was_written(&mut self, id: TargetId, state: TargetState) {
        self.targets.insert(id, state);
    }
}
