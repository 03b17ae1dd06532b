//! Waiting for a turn, without holding what others need.

pub(super) mod admission;
pub(super) mod changes;
pub(super) mod locks;
mod queue;
pub(super) mod turns;
pub(super) mod waiting;
