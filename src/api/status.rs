//! The status of a `JsonWebKeySet`: what was last seen of the remote set, and what the operator must remember.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::DeletionPolicy;
use crate::jwk::{PublicJwk, Thumbprint};

/// Last observed state of the remote set, and what the operator must remember about its keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonWebKeySetStatus {
    /// The generation of the spec that the conditions describe; -1 before the first report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The id of the remote set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The server at which the set was last seen: host, port and path prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The kid that the admin API signs with: its first private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Whether the operator created the remote set or found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What deleting this resource does to the remote set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<DeletionPolicy>,
    /// How many keys the remote set has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_count: Option<i64>,
    /// How many keys wait in the staged set, `{set}~next`, until they sign; absent while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged_key_count: Option<i64>,
    /// The kids of the remote set in its own order, newest first; the first 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub kids: Vec<String>,
    /// The keys that the operator keeps track of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kid"]))]
    pub keys: Vec<KeyStatus>,
    /// The newest slot ever used, by entry name. It is kept after the entry is gone, so that no kid is used twice.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, String>,
    /// When the next key is due to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation: Option<Time>,
    /// When the next step is due: a key is made, starts to sign or leaves. If the step cannot be taken then, `Ready` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<Time>,
    /// The value of the annotation `jwk-operator.dev/rotate-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_rotate_at: Option<String>,
    /// The objects that hold the public halves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub targets: Vec<TargetStatus>,
    /// `Ready`, `Synced` and `Published`. `Reconciling` or `Stalled` while something is wrong, `DeletionBlocked` while the resource cannot be
    /// deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// One key that the operator keeps track of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// The key ID.
    pub kid: String,
    /// The entry the key belongs or belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The stage of the key's life.
    pub state: KeyState,
    /// The RFC 7638 thumbprint; absent for a symmetric key, whose thumbprint is a hash of the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbprint: Option<Thumbprint>,
    /// The public half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwk: Option<PublicJwk>,
    /// How long the public half stays after the key stopped signing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<Duration>,
    /// When its kid was recorded, before the key was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_at: Option<Time>,
    /// Since when its public half is in the set and in all targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Time>,
    /// When it was first observed to be able to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Time>,
    /// When it was first observed to be unable to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Time>,
    /// After this time its public half leaves the targets and the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_after: Option<Time>,
}

/// The stage of a key's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, Serialize, Deserialize, JsonSchema)]
pub enum KeyState {
    /// Its kid is recorded; the key may not exist yet.
    Planned,
    /// It exists outside of the set: nobody signs with it or knows it.
    Staged,
    /// Its public half is in the set and in the targets; it cannot sign.
    Announced,
    /// Its private half is in the set.
    Active,
    /// It stopped signing; its public half stays until `removeAfter`.
    Retired,
    /// `spec.revoke` names it: it is in no set and no target.
    Revoked,
    /// It belongs to no entry.
    Unmanaged,
}

/// Whether the operator created the remote set or found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// It did not exist when the operator first looked.
    Created,
    /// It held keys when the operator first looked.
    Found,
}

/// One object that holds the public halves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct TargetStatus {
    /// The kind of the object.
    pub kind: TargetKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// A hash of the public content of the published document, 16 hexadecimal digits. Of private keys it covers the kids and the public halves
    /// only, so that it cannot be used to test a guess of a private value. It does not change when a symmetric key is replaced under its kid,
    /// but the resourceVersion of the Secret does.
    pub hash: String,
}

/// The kinds of objects that can be a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the kinds of Kubernetes")]
pub enum TargetKind {
    ConfigMap,
    Secret,
}
