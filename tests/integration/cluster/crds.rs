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
