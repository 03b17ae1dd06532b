//! Which object is meant.

use crate::api::{TargetKind, TargetStatus};

/// Names one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    /// Its kind.
    pub kind: TargetKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl TargetId {
    /// Whether it is the one that a status lists so.
    pub(in crate::lifecycle) fn is(&self, listed: &TargetStatus) -> bool {
        self.kind == listed.kind && self.namespace == listed.namespace && self.name == listed.name
    }
}

impl From<&TargetStatus> for TargetId {
    fn from(listed: &TargetStatus) -> Self {
        Self { kind: listed.kind, namespace: listed.namespace.clone(), name: listed.name.clone() }
    }
}

impl std::fmt::Display for TargetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}
