//! What a deletion does to the remote set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to the remote set when the resource is deleted. `Delete`: the keys of the entries are deleted, and the set with them if it holds
/// no other keys. `Retain`: the remote set stays as it is. `spec.deletionPolicy` defaults to `Delete` if the operator created the set, and to
/// `Retain` if it found it; `status.onDelete` shows which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The keys of the entries are deleted, and the set with them if it holds no other keys.
    Delete,
    /// The remote set stays as it is.
    Retain,
}
