//! The generated definitions.

use std::path::Path;

#[test]
fn the_files_are_what_the_types_generate() {
    for (name, yaml) in jwk_operator::api::crds_yaml().expect("definitions") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds").join(&name);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == yaml, "crds/{name} is not what the types generate: run `make crds`");
    }
}

#[test]
fn the_roles_are_what_the_table_of_permissions_gives() {
    let watched = ["shop".to_owned(), "bank".to_owned()];
    for (name, yaml) in [
        ("cluster.yaml", jwk_operator::operator::operator_yaml("jwk-operator", &[])),
        ("namespaces.yaml", jwk_operator::operator::operator_yaml("jwk-operator", &watched)),
        ("users.yaml", jwk_operator::operator::users_yaml()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac").join(name);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == yaml, "deploy/rbac/{name} is not what the table gives: run `make rbac`");
    }
}
