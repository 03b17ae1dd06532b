//! What the operator may do in Kubernetes, and what people may: the least that works, each rule with its reason.

use serde_saphyr::FlowSeq;

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

/// What is filled in where a rule names objects, as YAML: the items of a list.
struct Filled {
    namespaces: Option<String>,
    lease: String,
}

/// The service account of the operator and its roles, as YAML: for the whole cluster, or for these namespaces only.
///
/// # Errors
/// If a name cannot be written as YAML.
pub fn operator_yaml(installation: Installation<'_>) -> anyhow::Result<String> {
    let Installation { namespace, watched, lease } = installation;
    let filled = Filled { namespaces: (!watched.is_empty()).then(|| list(watched)).transpose()?, lease: list(&[lease])? };
    let mut yaml =
        String::from("# What the operator may do. Each rule says why. The tests and the demo run the operator with exactly this.\n");
    yaml += &object("v1", "Namespace", namespace, None, &[])?;
    yaml += &object("v1", "ServiceAccount", "jwk-operator", Some(namespace), &[])?;
    let everywhere = watched.is_empty();
    yaml += &role(None, "jwk-operator", &[], OPERATOR.iter().filter(|rule| everywhere || !rule.is_namespaced), &filled)?;
    yaml += &binding(None, "jwk-operator", namespace)?;
    let own = OWN_NAMESPACE.iter().filter(|_| !everywhere);
    yaml += &role(Some(namespace), "jwk-operator-own", &[], LEASE.iter().chain(own), &filled)?;
    yaml += &binding(Some(namespace), "jwk-operator-own", namespace)?;
    for watched in watched {
        yaml += &role(Some(watched), "jwk-operator", &[], OPERATOR.iter().filter(|rule| rule.is_namespaced), &filled)?;
        yaml += &binding(Some(watched), "jwk-operator", namespace)?;
    }
    Ok(yaml)
}

/// The roles of people, as YAML. Kubernetes adds the first two to its own roles view, edit and admin.
///
/// # Errors
/// None is known.
pub fn users_yaml() -> anyhow::Result<String> {
    let nothing = Filled { namespaces: None, lease: String::new() };
    let mut yaml = String::from(
        "# What people may do. Kubernetes adds the first two roles to its own: view, edit and admin. The third is bound by hand.\n",
    );
    yaml += &role(None, "jwk-operator-view", &["view", "edit", "admin"], VIEW.iter(), &nothing)?;
    yaml += &role(None, "jwk-operator-edit", &["edit", "admin"], EDIT.iter(), &nothing)?;
    yaml += &role(None, "jwk-operator-platform", &[], PLATFORM.iter(), &nothing)?;
    Ok(yaml)
}

/// The rules alone, by the name of the file of the chart that holds them. Where a rule names objects there is a template of Helm.
///
/// # Errors
/// None is known.
pub fn chart_rules() -> anyhow::Result<Vec<(String, String)>> {
    let templates = Filled {
        namespaces: Some("{{ .Values.namespaces | toJson }}".to_owned()),
        lease: "[{{ include \"jwk-operator.leaseName\" . | quote }}]".to_owned(),
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
        let rules = permissions.into_iter().map(|permission| chart_rule(permission, &templates)).collect::<anyhow::Result<String>>()?;
        Ok((format!("{name}.yaml"), rules))
    };
    parts.into_iter().map(file).collect()
}

/// A rule of the chart. An empty list names no namespace, and would be a rule for nothing.
fn chart_rule(permission: &Permission, templates: &Filled) -> anyhow::Result<String> {
    let text = rule_yaml(permission, templates)?;
    if permission.names != Names::Namespaces {
        return Ok(text);
    }
    let lines = text.lines().map(|line| match line.contains("resourceNames") {
        true => format!("{{{{- if .Values.namespaces }}}}\n{line}\n{{{{- end }}}}\n"),
        false => format!("{line}\n"),
    });
    Ok(lines.collect())
}

fn object(version: &str, kind: &str, name: &str, namespace: Option<&str>, labels: &[&str]) -> anyhow::Result<String> {
    let mut yaml = format!("---\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {}\n", scalar(name)?);
    if let Some(namespace) = namespace {
        yaml += &format!("  namespace: {}\n", scalar(namespace)?);
    }
    if !labels.is_empty() {
        yaml.push_str("  labels:\n");
    }
    for role in labels {
        yaml += &format!("    rbac.authorization.k8s.io/aggregate-to-{role}: \"true\"\n");
    }
    Ok(yaml)
}

fn role<'rule>(
    namespace: Option<&str>,
    name: &str,
    aggregated_to: &[&str],
    permissions: impl Iterator<Item = &'rule Permission>,
    filled: &Filled,
) -> anyhow::Result<String> {
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let head = object("rbac.authorization.k8s.io/v1", kind, name, namespace, aggregated_to)?;
    let rules = permissions.map(|permission| rule_yaml(permission, filled)).collect::<anyhow::Result<String>>()?;
    Ok(format!("{head}rules:\n{rules}"))
}

fn rule_yaml(permission: &Permission, filled: &Filled) -> anyhow::Result<String> {
    let mut yaml = comment(permission.why);
    yaml += &format!("- apiGroups: {}\n  resources: {}\n", list(permission.groups)?, list(permission.resources)?);
    let names = match permission.names {
        Names::All => None,
        Names::Namespaces => filled.namespaces.as_ref(),
        Names::Lease => Some(&filled.lease),
    };
    if let Some(names) = names {
        yaml += &format!("  resourceNames: {names}\n");
    }
    yaml += &format!("  verbs: {}\n", list(permission.verbs)?);
    Ok(yaml)
}

fn binding(namespace: Option<&str>, role: &str, account_namespace: &str) -> anyhow::Result<String> {
    let (kind, of) = if namespace.is_some() { ("RoleBinding", "Role") } else { ("ClusterRoleBinding", "ClusterRole") };
    let head = object("rbac.authorization.k8s.io/v1", kind, role, namespace, &[])?;
    Ok(format!(
        "{head}roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {of}\n  name: {role}\nsubjects:\n- kind: ServiceAccount\n  name: jwk-operator\n  namespace: {}\n",
        scalar(account_namespace)?
    ))
}

/// A name as YAML: `on` and `123` are quoted.
fn scalar(name: &str) -> anyhow::Result<String> {
    Ok(serde_saphyr::to_string(&name)?.trim_end().to_owned())
}

/// Names as a YAML list in one line.
fn list(names: &[impl AsRef<str>]) -> anyhow::Result<String> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    Ok(serde_saphyr::to_string(&FlowSeq(names))?.trim_end().to_owned())
}

/// A sentence, a line for each 140 characters.
fn comment(why: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in why.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() <= 140 => *line += &format!(" {word}"),
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// What YAML 1.1, which kubectl reads, takes for booleans, numbers and nothing.
    #[test]
    fn every_name_of_kubernetes_stays_text() {
        let watched = ["on", "123", "null", "1e3", "y"].map(str::to_owned);
        let yaml = operator_yaml(Installation { namespace: "0x1f", watched: &watched, lease: "1-1" }).expect("YAML");
        let mut seen = BTreeSet::new();
        for document in yaml.split("---\n").skip(1) {
            let object: Value = serde_saphyr::from_str(document).expect("YAML");
            let names = [object.pointer("/metadata/name"), object.pointer("/metadata/namespace"), object.pointer("/subjects/0/namespace")];
            let listed =
                object["rules"].as_array().into_iter().flatten().flat_map(|rule| rule["resourceNames"].as_array().into_iter().flatten());
            for name in names.into_iter().flatten().chain(listed) {
                seen.insert(name.as_str().unwrap_or_else(|| panic!("{name} is no text")).to_owned());
            }
        }
        assert!(watched.iter().all(|name| seen.contains(name)) && seen.contains("0x1f") && seen.contains("1-1"), "{seen:?}");
    }
}
