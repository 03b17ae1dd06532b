//! What verifiers read: what the record holds, in the objects that the spec names.
//!
//! Nothing here looks at the remote set. What is published follows from the record alone, so that lost targets, revoked keys and withdrawn
//! grants are dealt with while the admin API is down.

mod by_record;
mod document;
mod form;
mod local;
mod place;
mod render;
mod repair;
mod target;
mod target_id;
mod visible;
mod wanted;
mod without;

pub(super) use by_record::by_record;
pub use by_record::{LocalStep, next_by_record};
pub use document::{Document, SealedDocument, without_keys};
pub use local::Local;
pub(super) use place::{Published, Shown, Source, publish};
pub(super) use render::published;
pub use repair::{Repair, repair};
pub use target::{HeldTarget, TargetContent, TargetFailure, TargetState, TargetStep};
pub use target_id::TargetId;
pub(super) use visible::target_without;
pub use wanted::{Granting, PrivateKeys, Target, Wanted};
