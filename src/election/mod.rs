//! Which of several processes may write: the rules by which they compete for one Lease, without a clock or a client of their own.
//!
//! A remote admin API knows no fencing: whoever writes last wins. So the holder of the Lease stops by its own clock, before anybody else may
//! take over. Three things make that safe whatever is lost, late or paused:
//!
//! - every write of the Lease carries the version that was read, so that of two that take it one fails;
//! - the holder counts from the moment *before* it asked for the Lease, the others from the moment *after* they saw it;
//! - the holder stops after [`LeaseTiming::deadline`], the others wait for the whole [`LeaseTiming::lease`], which is longer.
//!
//! The clocks need not agree on the time, only roughly on the length of a second: with the default timing one may run half as fast again as
//! the other.

mod candidate;
#[cfg(test)]
mod model;

pub use candidate::{Action, Candidate, Lease, LeaseTiming, Moment};
