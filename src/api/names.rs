//! Names that other programs and people see.

/// The API group of both resources.
pub const GROUP: &str = "jwk-operator.dev";
/// The version of both resources.
pub const VERSION: &str = "v1alpha1";
/// The field manager of every write, and the value of [`MANAGED_BY_LABEL`].
pub const FIELD_MANAGER: &str = "jwk-operator";
/// Held while a remote set must be cleaned up, or deliberately left, before the resource may go.
pub const FINALIZER: &str = "jwk-operator.dev/remote-set";
/// Held by an AdminApi while resources use it, so that no remote set is left behind that nobody can reach any more.
pub const ADMIN_API_FINALIZER: &str = "jwk-operator.dev/in-use";
/// Marks every target, so that the operator watches its own objects only.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The opt-in of a Secret or ConfigMap: it names the AdminApi that may read it.
pub const ADMIN_API_LABEL: &str = "jwk-operator.dev/admin-api";
/// On a target: the id of the remote set whose public keys it holds.
pub const SET_ANNOTATION: &str = "jwk-operator.dev/set";
/// On a target: the names of the labels and annotations that its `publish` entry asked for, so that one that is no longer asked for is
/// removed and one that somebody else put there is not.
pub const MANAGED_METADATA_ANNOTATION: &str = "jwk-operator.dev/managed-metadata";
/// On a target with public halves in another form than a JWK Set: the form.
pub const FORM_ANNOTATION: &str = "jwk-operator.dev/form";
/// The opt-in of a Secret whose key may be imported: `"true"`.
pub const IMPORT_LABEL: &str = "jwk-operator.dev/import";
/// Where `kubectl apply` keeps the whole object as it was applied, the data of a Secret included. It is never kept.
pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// On the Lease: whether everything that its last holder sent was answered when it gave the Lease back: `done`.
pub const HANDOVER_ANNOTATION: &str = "jwk-operator.dev/handover";
/// On a resource: the server at which its set begins anew, after the AdminApi came to lead to another one (`ServerChanged`).
pub const ACCEPT_SERVER_ANNOTATION: &str = "jwk-operator.dev/accept-server";
/// On a resource: when its generated keys are to be replaced (RFC 3339), once.
pub const ROTATE_AT_ANNOTATION: &str = "jwk-operator.dev/rotate-at";
