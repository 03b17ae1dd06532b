//! What a resource asks for, parsed and checked once: nothing behind it checks a spec again.
//!
//! `desired.rs` with `entry.rs` is the result, `refusal.rs` why there is none. `access.rs` with `pattern.rs` says whether the set is granted, `claim.rs` whose it is.

pub mod access;
pub mod claim;
pub(super) mod desired;
pub(super) mod entry;
pub(super) mod names;
mod pattern;
pub(super) mod refusal;
pub mod settings;
pub(super) mod source;
pub(super) mod timing;
