//! Targets in Kubernetes: how they are read and written, put back and withdrawn.

pub(super) mod edits;
pub(super) mod inventory;
pub(super) mod kept_target;
pub(super) mod local;
pub(super) mod repairs;
mod replacing;
mod target_object;
pub(super) mod targets;
mod withdrawal;
