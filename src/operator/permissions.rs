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
    /// To which objects it is limited by their names.
    names: Names,
}

/// Which objects a rule names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// None: it concerns all of them.
    All,
    /// The watched namespaces, when there is a list of them.
    Namespaces,
    /// The Lease of the operator.
    Lease,
}

/// For what roles are written.
#[derive(Clone, Copy, Debug)]
pub struct Installation<'a> {
    /// The namespace that the operator runs in.
    pub namespace: &'a str,
    /// The namespaces whose resources it works on; empty for all.
    pub watched: &'a [String],
    /// The name of its Lease.
    pub lease: &'a str,
}

const GROUP: &[&str] = &["jwk-operator.dev"];
const LEASES: &[&str] = &["coordination.k8s.io"];
const CORE: &[&str] = &[""];

const fn rule(
    why: &'static str,
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Permission {
    Permission { why, groups, resources, verbs, is_namespaced: true, names: Names::All }
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
        "Targets name their resource as an owner that waits for them; some clusters require this permission on the owner's finalizers.",
        GROUP,
        &["jsonwebkeysets/finalizers"],
        &["update"],
    ),
    rule(
        "Targets, and Secrets to import keys from. watch sees metadata only: of the operator's own objects, and of Secrets with the label jwk-operator.dev/import. list does the same, and reads the operator's own objects once when it starts. get reads an object that a resource controls, or a Secret with that label that a resource of its namespace names. create and patch write targets, delete removes one that is no longer asked for.",
        CORE,
        &["configmaps", "secrets"],
        &["get", "list", "watch", "create", "patch", "delete"],
    ),
    rule("Events.", &["events.k8s.io"], &["events"], &["create"]),
    of_the_cluster(rule(
        "The admin APIs. patch: the finalizer that stays while they are used.",
        GROUP,
        &["adminapis"],
        &["list", "watch", "patch"],
    )),
    of_the_cluster(rule("Their status, by server-side apply.", GROUP, &["adminapis/status"], &["patch"])),
    Permission {
        names: Names::Namespaces,
        ..of_the_cluster(rule(
            "The labels of namespaces, as metadata: access rules may choose by them.",
            CORE,
            &["namespaces"],
            &["list", "watch"],
        ))
    },
];

/// What the operator may do in its own namespace.
const LEASE: &[Permission] = &[
    rule("To create the Lease that one of several operators holds; create cannot be limited by name.", LEASES, &["leases"], &["create"]),
    Permission { names: Names::Lease, ..rule("To renew the Lease.", LEASES, &["leases"], &["get", "update"]) },
];

/// What it may do there besides, when it watches a list of other namespaces.
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
    "To request key sets. Never their status, which only the operator writes, and never an AdminApi, which says who may reach what.",
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
pub fn operator_yaml(installation: Installation<'_>) -> String {
    let Installation { namespace, watched, .. } = installation;
    let mut yaml =
        String::from("# What the operator may do. Each rule says why. The tests and the demo run the operator with exactly this.\n");
    object(&mut yaml, "v1", "Namespace", namespace, None, &[]);
    object(&mut yaml, "v1", "ServiceAccount", "jwk-operator", Some(namespace), &[]);
    let everywhere = watched.is_empty();
    role(&mut yaml, None, "jwk-operator", &[], OPERATOR.iter().filter(|rule| everywhere || !rule.is_namespaced), Some(installation));
    binding(&mut yaml, None, "jwk-operator", namespace);
    let own = OWN_NAMESPACE.iter().filter(|_| !everywhere);
    role(&mut yaml, Some(namespace), "jwk-operator-own", &[], LEASE.iter().chain(own), Some(installation));
    binding(&mut yaml, Some(namespace), "jwk-operator-own", namespace);
    for watched in watched {
        role(&mut yaml, Some(watched), "jwk-operator", &[], OPERATOR.iter().filter(|rule| rule.is_namespaced), Some(installation));
        binding(&mut yaml, Some(watched), "jwk-operator", namespace);
    }
    yaml
}

/// The roles of people, as YAML. Kubernetes adds the first two to its own roles view, edit and admin.
pub fn users_yaml() -> String {
    let mut yaml = String::from(
        "# What people may do. Kubernetes adds the first two roles to its own: view, edit and admin. The third is bound by hand.\n",
    );
    role(&mut yaml, None, "jwk-operator-view", &["view", "edit", "admin"], VIEW.iter(), None);
    role(&mut yaml, None, "jwk-operator-edit", &["edit", "admin"], EDIT.iter(), None);
    role(&mut yaml, None, "jwk-operator-platform", &[], PLATFORM.iter(), None);
    yaml
}

/// The rules alone, by the name of the file of the chart that holds them. Where a rule names objects there is a template of Helm.
pub fn chart_rules() -> Vec<(String, String)> {
    let names = Installation {
        namespace: "",
        watched: &["{{ .Values.namespaces | join \", \" }}".to_owned()],
        lease: "{{ include \"jwk-operator.leaseName\" . }}",
    };
    let namespaced = OPERATOR.iter().filter(|rule| rule.is_namespaced).collect::<Vec<_>>();
    let parts: [(&str, Vec<&Permission>); 7] = [
        ("namespaced", namespaced),
        ("cluster", OPERATOR.iter().filter(|rule| !rule.is_namespaced).collect()),
        ("lease", LEASE.iter().collect()),
        ("own", OWN_NAMESPACE.iter().collect()),
        ("view", VIEW.iter().collect()),
        ("edit", EDIT.iter().collect()),
        ("platform", PLATFORM.iter().collect()),
    ];
    let file = |(name, permissions): (&str, Vec<&Permission>)| {
        let mut yaml = String::new();
        for permission in permissions {
            let mut text = String::new();
            rule_yaml(&mut text, permission, Some(names));
            // An empty list names no namespace, and would be a rule for nothing.
            if permission.names == Names::Namespaces {
                let lines = text.lines().map(|line| match line.contains("resourceNames") {
                    true => format!("{{{{- if .Values.namespaces }}}}\n{line}\n{{{{- end }}}}\n"),
                    false => format!("{line}\n"),
                });
                text = lines.collect();
            }
            yaml.push_str(&text);
        }
        (format!("{name}.yaml"), yaml)
    };
    parts.into_iter().map(file).collect()
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
    installation: Option<Installation<'_>>,
) {
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    object(yaml, "rbac.authorization.k8s.io/v1", kind, name, namespace, aggregated_to);
    yaml.push_str("rules:\n");
    for permission in permissions {
        rule_yaml(yaml, permission, installation);
    }
}

fn rule_yaml(yaml: &mut String, permission: &Permission, installation: Option<Installation<'_>>) {
    comment(yaml, permission.why);
    let list = |names: &[&str]| names.iter().map(|name| if name.is_empty() { "\"\"" } else { name }).collect::<Vec<_>>().join(", ");
    let _ = writeln!(yaml, "- apiGroups: [{}]\n  resources: [{}]", list(permission.groups), list(permission.resources));
    let names = installation.map_or_else(String::new, |installation| match permission.names {
        Names::All => String::new(),
        Names::Namespaces => installation.watched.join(", "),
        Names::Lease => installation.lease.to_owned(),
    });
    if !names.is_empty() {
        let _ = writeln!(yaml, "  resourceNames: [{names}]");
    }
    let _ = writeln!(yaml, "  verbs: [{}]", list(permission.verbs));
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
