//! The reconcile of an `AdminApi`: its credentials, the client that is made of them, its status.

pub(super) mod connections;
pub(super) mod credentials;
pub(super) mod reconcile;
