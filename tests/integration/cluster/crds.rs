//! The generated definitions.

use std::path::Path;

use jwk_operator::operator::Installation;

#[test]
fn the_files_are_what_the_types_generate() {
    for (name, yaml) in jwk_operator::api::crds_yaml().expect("definitions") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds").join(&name);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == yaml, "crds/{name} is not what the types generate: run `make crds`");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/jwk-operator/files/crds").join(&name);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == yaml, "the chart's {name} is not what the types generate: run `make crds`");
    }
}

fn installation(watched: &[String]) -> Installation<'_> {
    Installation { namespace: "jwk-operator", watched, lease: "jwk-operator" }
}

#[test]
fn the_roles_are_what_the_table_of_permissions_gives() {
    let watched = ["shop".to_owned(), "bank".to_owned()];
    for (name, yaml) in [
        ("cluster.yaml", jwk_operator::operator::operator_yaml(installation(&[])).expect("YAML")),
        ("namespaces.yaml", jwk_operator::operator::operator_yaml(installation(&watched)).expect("YAML")),
        ("users.yaml", jwk_operator::operator::users_yaml().expect("YAML")),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac").join(name);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == yaml, "deploy/rbac/{name} is not what the table gives: run `make rbac`");
    }
    for (name, yaml) in jwk_operator::operator::chart_rules().expect("YAML") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/jwk-operator/files/rules").join(&name);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == yaml, "the chart's {name} is not what the table gives: run `make rbac`");
    }
}
