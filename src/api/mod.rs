//! The custom resources as users write and read them, and one place for each name that leaves this program: conditions, reasons, labels,
//! annotations, finalizer.

mod access;
mod admin_api;
mod authentication;
mod conditions;
mod crd;
mod deletion_policy;
mod durations;
mod import;
mod json_web_key_set;
mod key_use;
mod names;
mod public_key;
mod publish;
mod rotation;
mod status;

pub use access::{AccessRule, LabelExpression, LabelOperator, NamespaceSelector, Namespaces};
pub use admin_api::{AdminApi, AdminApiSpec, AdminApiStatus, ForwardedProto, Limits};
pub use authentication::{Authentication, Basic, BearerToken, CaRef, CaRefKind, ClientCredentials, Header, SecretKeyRef, SecretRef, Tls};
pub use conditions::{ConditionType, Reason};
pub use crd::{crds, crds_yaml};
pub use deletion_policy::DeletionPolicy;
pub use import::{Import, ImportSecretRef};
pub use json_web_key_set::{AdminApiRef, Algorithm, Generate, JsonWebKeySet, JsonWebKeySetSpec, KeySource, Mode, UnmanagedKeys};
pub use key_use::KeyUse;
pub use names::{
    ACCEPT_SERVER_ANNOTATION, ADMIN_API_FINALIZER, ADMIN_API_LABEL, FIELD_MANAGER, FINALIZER, FORM_ANNOTATION, GROUP, HANDOVER_ANNOTATION,
    IMPORT_LABEL, LAST_APPLIED_ANNOTATION, MANAGED_BY_LABEL, MANAGED_METADATA_ANNOTATION, ROTATE_AT_ANNOTATION, SET_ANNOTATION, VERSION,
};
pub use public_key::{PublicKey, PublicKeyType, RefusedMember};
pub use publish::{ConfigMapTarget, PrivateLayout, PublicForm, PublishTarget, SecretTarget, TargetContentKind};
pub use rotation::Rotation;
pub use status::{JsonWebKeySetStatus, KeyState, KeyStatus, Origin, TargetKind, TargetStatus};
