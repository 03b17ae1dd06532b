//! Condition types and reasons: each written once, bounded, used in conditions, events and logs alike.

use strum::IntoStaticStr;

/// The condition types of both resources. `Reconciling` and `Stalled` are kstatus' words: present only while true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
pub enum ConditionType {
    /// The remote set is as planned and every target is written.
    Ready,
    /// The remote set is as planned.
    Synced,
    /// Every target holds the public halves.
    Published,
    /// The operator continues by itself.
    Reconciling,
    /// Nothing changes until somebody acts.
    Stalled,
    /// Hydra or common verifiers are known to misbehave with what the spec asks for. Present only while true, and no trouble by itself.
    KnownLimitation,
    /// The resource is being deleted and the remote set cannot be cleaned up yet.
    DeletionBlocked,
    /// The access rules of an AdminApi let different namespaces reach one set. Present only while true, and no trouble by itself.
    AccessOverlaps,
}

impl ConditionType {
    /// The condition's `type`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a condition has its status, or why an event was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr)]
pub enum Reason {
    /// Everything is as the spec says.
    AsPlanned,
    /// The next step is taken without help.
    Progressing,
    /// The admin API cannot be reached, or answers with a failure.
    AdminApiUnavailable,
    /// The admin API rejected the credentials.
    AdminApiUnauthorized,
    /// The admin API refused a request that the operator cannot change by itself.
    AdminApiRefused,
    /// There is no AdminApi of that name.
    AdminApiNotFound,
    /// The AdminApi exists, but it cannot be used as it is written.
    AdminApiInvalid,
    /// A Secret or ConfigMap that the AdminApi names is missing or not labelled for it.
    CredentialsMissing,
    /// The AdminApi does not grant this set to this namespace.
    AccessDenied,
    /// An older resource owns the set.
    SetConflict,
    /// The id of the set would be another one than before.
    SetChanged,
    /// The AdminApi leads to another server than before, which does not hold the set.
    ServerChanged,
    /// The AdminApi does not grant to publish private keys.
    PrivateExportDenied,
    /// Private keys are in a Secret from now on.
    PrivateKeysExported,
    /// Resources use the AdminApi, so that it cannot go yet.
    InUse,
    /// The access rules let different namespaces reach one set.
    AccessOverlaps,
    /// The resource cannot be read as what its schema says.
    InvalidSpec,
    /// A public key of the spec is not a valid one.
    InvalidKey,
    /// A key of the spec has a rotation that the AdminApi does not allow or that cannot be kept.
    InvalidRotation,
    /// A Secret that a key is imported from does not exist yet.
    SourceMissing,
    /// A Secret that a key is imported from does not carry the label that lets the operator read it.
    SourceNotLabelled,
    /// What a Secret holds cannot be imported.
    SourceInvalid,
    /// The entry that `spec.signer` names supplies a public key only.
    SignerCannotSign,
    /// A target lost an announced key, which is announced anew before it signs.
    RotationBlocked,
    /// The annotation that asks for a rotation cannot be understood, or asks too early.
    RotationNotDue,
    /// The server keeps private keys to itself, as with an HSM: a new key would replace the set.
    OpaqueKeys,
    /// Hydra is known to misbehave with what the spec asks for.
    KnownLimitation,
    /// A kid of the spec has the form that is reserved for generated keys.
    KidReserved,
    /// A kid of the spec belongs to another key.
    KidTaken,
    /// The spec revokes a kid that is and was no key of the set.
    RevokedKidUnknown,
    /// The algorithm cannot be used in this set.
    UnsupportedAlgorithm,
    /// The remote set differs, and the mode is Observe.
    DriftObserved,
    /// A write was not answered and may still take effect.
    WaitingForLateAnswer,
    /// No entry can supply a private key, so the last one stays.
    LastPrivateKey,
    /// The clocks of the operator and the admin API are more than a minute apart.
    ClockSkew,
    /// An object of the target's name exists and is not the operator's.
    TargetNotOwned,
    /// A target cannot be written.
    TargetFailed,
    /// The Kubernetes API refuses or fails.
    KubernetesUnavailable,
    /// The steps did not come to an end: a defect of the operator.
    NoFixedPoint,
    /// The operator met a defect of its own while it worked on this resource.
    InternalError,
    /// A key was generated.
    KeyGenerated,
    /// A key was made, to sign later.
    KeyStaged,
    /// The public half of a key is in the set, before it signs.
    KeyAnnounced,
    /// A key signs from now on.
    KeyActivated,
    /// A key was taken out of the set and all targets because the spec revokes it.
    KeyRevoked,
    /// A key of somebody else will be retired and removed.
    UnmanagedKeysLeave,
    /// A key was stored.
    KeyStored,
    /// A key stopped signing and stays as its public half.
    KeyRetired,
    /// A key left the set.
    KeyRemoved,
    /// Somebody else changed the remote set, and the operator repaired it.
    DriftRepaired,
    /// Another private key came first, and the signer was put back.
    SignerRestored,
    /// The remote set was deleted with the resource.
    SetDeleted,
    /// The resource was deleted and the remote set stays.
    SetRetained,
    /// The resource vanished while nobody watched, and the remote set stays.
    SetOrphaned,
}

impl Reason {
    /// The reason as it is written in conditions and events.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
