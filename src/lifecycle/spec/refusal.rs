//! Why a resource is not acted on.

use crate::api::Reason;

/// Why a resource is not acted on. Nothing changes, remotely or in targets, until the resource or the AdminApi does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecRefusal {
    /// The reason of the condition.
    pub reason: Reason,
    /// What is wrong and what to do.
    pub message: String,
}

impl SpecRefusal {
    pub(in crate::lifecycle) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}
