//! The phases that look at the remote set, each a function of what was seen and of what the phases before it found (`look.rs`, `due.rs`): whose keys
//! there are, which key serves which entry, who signs, who retires, vanished or was revoked. `plan/assess.rs` calls them in their order.

mod announce;
pub(super) mod due;
mod generated;
mod imported;
pub(in crate::lifecycle) mod invalid;
pub(in crate::lifecycle) mod lingering;
pub(super) mod look;
pub(super) mod recognise;
pub(super) mod recover;
pub(super) mod refusal;
pub(super) mod retire;
pub(super) mod revoke;
pub(super) mod room;
mod rotate;
pub(super) mod server;
pub(super) mod signer;
pub(super) mod staged;
pub(super) mod supply;
pub(super) mod vanished;
