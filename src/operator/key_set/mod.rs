//! The reconcile of a `JsonWebKeySet`: `reconcile.rs` is its table of contents, `course.rs` says how far it may go, `converge.rs` takes the steps.

mod apply;
pub(super) mod claims;
pub(super) mod cleanup;
mod converge;
mod course;
pub(super) mod current;
pub(super) mod departed;
mod finalizer;
mod pass;
pub(super) mod reconcile;
mod remote;
pub(super) mod report;
mod sources;
pub(super) mod unparsable;
