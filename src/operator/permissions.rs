//! What the operator may do in Kubernetes, and what people may: the least that works, each rule with its reason.

use std::fmt::Write as _;

/// One rule of a role.
struct Permission {
    why: &'static str,
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    /// Whether it concerns objects in namespaces.
    is_namespaced: bool,
    /// Whether it is limited to the watched namespaces by their names, when there is a list of them.
    names_namespaces: bool,
}

const GROUP: &[&str] = &["jwk-operator.dev"];
const CORE: &[&str] = &[""];

const fn rule(
    why: &'static str,
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Permission {
    Permission { why, groups, resources, verbs, is_namespaced: true, names_namespaces: false }
}

const fn of_the_cluster(permission: Permission) -> Permission {
    Permission { is_namespaced: false, ..permission }
}

/// What the operator may do.
const OPERATOR: &[Permission] = &[
    rule(
        "The resources themselves. patch: the finalizer. Never create, delete or update: a spec belongs to its user.",
        GROUP,
        &["jsonwebkeysets"],
        &["get", "list", "watch", "patch"],
    ),
    rule("Their status, by server-side apply.", GROUP, &["jsonwebkeysets/status"], &["patch"]),
    rule(
        "Targets name their resource as an owner that waits for them; some clusters ask for this permission on the owner's finalizers.",
        GROUP,
        &["jsonwebkeysets/finalizers"],
        &["update"],
    ),
    rule(
        "Targets, and Secrets to import keys from. list and watch see metadata only: of the operator's own objects, and of Secrets with the label jwk-operator.dev/import. get reads an object that a resource controls, or a Secret with that label that a resource of its namespace names. create and patch write targets, delete removes one that is no longer asked for.",
        CORE,
        &["configmaps", "secrets"],
        &["get", "list", "watch", "create", "patch", "delete"],
    ),
    rule("Events, and the count of repeated ones.", &["events.k8s.io"], &["events"], &["create", "patch"]),
    of_the_cluster(rule(
        "The admin APIs. patch: the finalizer that stays while they are used.",
        GROUP,
        &["adminapis"],
        &["list", "watch", "patch"],
    )),
    of_the_cluster(rule("Their status, by server-side apply.", GROUP, &["adminapis/status"], &["patch"])),
    Permission {
        names_namespaces: true,
        ..of_the_cluster(rule(
            "The labels of namespaces, as metadata: access rules may choose by them.",
            CORE,
            &["namespaces"],
            &["list", "watch"],
        ))
    },
];

/// What the operator may do in its own namespace, when it watches a list of others.
const OWN_NAMESPACE: &[Permission] = &[rule(
    "The Secrets and ConfigMaps that AdminApis name, if they carry the label jwk-operator.dev/admin-api. list and watch see metadata only.",
    CORE,
    &["configmaps", "secrets"],
    &["get", "list", "watch"],
)];

/// What people may do who may see a namespace.
const VIEW: &[Permission] = &[rule("To see the resources, their status included.", GROUP, &["jsonwebkeysets"], &["get", "list", "watch"])];

/// What people may do who may work in a namespace.
const EDIT: &[Permission] = &[rule(
    "To ask for key sets. Never their status, which is the operator's word, and never an AdminApi, which says who may reach what.",
    GROUP,
    &["jsonwebkeysets"],
    &["create", "update", "patch", "delete", "deletecollection"],
)];

/// What the platform team may do, which is given to nobody by itself.
const PLATFORM: &[Permission] = &[rule(
    "To say which admin APIs there are, and which namespaces may use which of their sets.",
    GROUP,
    &["adminapis"],
    &["get", "list", "watch", "create", "update", "patch", "delete"],
)];

/// The service account of the operator and its roles, as YAML: for the whole cluster, or for these namespaces only.
pub fn operator_yaml(namespace: &str, watched: &[String]) -> String {
    let mut yaml =
        String::from("# What the operator may do. Each rule says why. The tests and the demo run the operator with exactly this.\n");
    object(&mut yaml, "v1", "Namespace", namespace, None, &[]);
    object(&mut yaml, "v1", "ServiceAccount", "jwk-operator", Some(namespace), &[]);
    let everything = || OPERATOR.iter();
    if watched.is_empty() {
        role(&mut yaml, None, "jwk-operator", &[], everything(), &[]);
        binding(&mut yaml, None, "jwk-operator", namespace);
        return yaml;
    }
    role(&mut yaml, None, "jwk-operator", &[], everything().filter(|permission| !permission.is_namespaced), watched);
    binding(&mut yaml, None, "jwk-operator", namespace);
    role(&mut yaml, Some(namespace), "jwk-operator-own", &[], OWN_NAMESPACE.iter(), &[]);
    binding(&mut yaml, Some(namespace), "jwk-operator-own", namespace);
    for watched in watched {
        role(&mut yaml, Some(watched), "jwk-operator", &[], everything().filter(|permission| permission.is_namespaced), &[]);
        binding(&mut yaml, Some(watched), "jwk-operator", namespace);
    }
    yaml
}

/// The roles of people, as YAML. Kubernetes adds the first two to its own roles view, edit and admin.
pub fn users_yaml() -> String {
    let mut yaml = String::from(
        "# What people may do. Kubernetes adds the first two roles to its own: view, edit and admin. The third is bound by hand.\n",
    );
    role(&mut yaml, None, "jwk-operator-view", &["view", "edit", "admin"], VIEW.iter(), &[]);
    role(&mut yaml, None, "jwk-operator-edit", &["edit", "admin"], EDIT.iter(), &[]);
    role(&mut yaml, None, "jwk-operator-platform", &[], PLATFORM.iter(), &[]);
    yaml
}

fn object(yaml: &mut String, version: &str, kind: &str, name: &str, namespace: Option<&str>, labels: &[&str]) {
    let _ = write!(yaml, "---\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n");
    if let Some(namespace) = namespace {
        let _ = writeln!(yaml, "  namespace: {namespace}");
    }
    if !labels.is_empty() {
        yaml.push_str("  labels:\n");
    }
    for role in labels {
        let _ = writeln!(yaml, "    rbac.authorization.k8s.io/aggregate-to-{role}: \"true\"");
    }
}

fn role<'rule>(
    yaml: &mut String,
    namespace: Option<&str>,
    name: &str,
    aggregated_to: &[&str],
    permissions: impl Iterator<Item = &'rule Permission>,
    watched: &[String],
) {
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    object(yaml, "rbac.authorization.k8s.io/v1", kind, name, namespace, aggregated_to);
    yaml.push_str("rules:\n");
    for permission in permissions {
        comment(yaml, permission.why);
        let list = |names: &[&str]| names.iter().map(|name| if name.is_empty() { "\"\"" } else { name }).collect::<Vec<_>>().join(", ");
        let _ = writeln!(yaml, "- apiGroups: [{}]\n  resources: [{}]", list(permission.groups), list(permission.resources));
        if permission.names_namespaces && !watched.is_empty() {
            let _ = writeln!(yaml, "  resourceNames: [{}]", watched.join(", "));
        }
        let _ = writeln!(yaml, "  verbs: [{}]", list(permission.verbs));
    }
}

fn binding(yaml: &mut String, namespace: Option<&str>, role: &str, account_namespace: &str) {
    let (kind, of) = if namespace.is_some() { ("RoleBinding", "Role") } else { ("ClusterRoleBinding", "ClusterRole") };
    object(yaml, "rbac.authorization.k8s.io/v1", kind, role, namespace, &[]);
    let _ = write!(
        yaml,
        "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {of}\n  name: {role}\nsubjects:\n- kind: ServiceAccount\n  name: jwk-operator\n  namespace: {account_namespace}\n"
    );
}

/// A sentence, a line for each 140 characters.
fn comment(yaml: &mut String, why: &str) {
    let mut line = String::from("#");
    for word in why.split(' ') {
        if line.len() + word.len() > 140 {
            let _ = writeln!(yaml, "{line}");
            line = String::from("#");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(yaml, "{line}");
}
