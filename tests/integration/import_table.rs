//! The table of `docs/imports.md`, made of the cases: what people have, what they write, what comes out.
//!
//! `UPDATE_DOCS=1` writes it anew.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jwk_operator::{
    api::{AccessRule, AdminApiSpec, IMPORT_LABEL, JsonWebKeySet, Namespaces},
    jwk::{Jwk, import::Imported},
    lifecycle::{SecretContent, Source, SourceState, read_source, validate},
};
use serde_json::{Value, json};

use crate::import_cases;

/// What stands before and after the table.
const MARKS: [&str; 2] = ["<!-- made by tests/integration/import_table.rs: begin -->", "<!-- end -->"];

#[test]
fn the_table_of_imports_says_what_comes_out() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/imports.md");
    let page = fs::read_to_string(&path).expect("a page");
    let (head, rest) = page.split_once(MARKS[0]).expect("the beginning of the table");
    let (_, tail) = rest.split_once(MARKS[1]).expect("the end of the table");
    let wanted = format!("{head}{}\n{}{}{tail}", MARKS[0], table(), MARKS[1]);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).expect("written");
    }
    assert_eq!(page, wanted, "docs/imports.md is not what comes out: run this test with UPDATE_DOCS=1");
}

fn table() -> String {
    let mut table = String::from("\n| What people have | What to write | What comes out |\n|---|---|---|\n");
    for case in import_cases::all() {
        let cells = [case["title"].as_str().expect("a title").to_owned(), written(&case), outcome(&case)];
        writeln!(table, "| {} |", cells.map(|cell| cell.replace('|', "\\|").replace('<', "\\<")).join(" | ")).expect("text");
    }
    table.push('\n');
    table
}

/// What the spec says besides the name of the Secret.
fn written(case: &Value) -> String {
    let entry = &case["spec"]["keys"][0];
    if let Some(key) = entry["public"].as_object() {
        let members = ["kty", "alg", "use", "kid"].iter().filter_map(|name| Some(format!("{name}: {}", key.get(*name)?.as_str()?)));
        return format!("`public: {{{}, …}}`", members.collect::<Vec<_>>().join(", "));
    }
    let members = ["alg", "use", "kid"].iter().filter_map(|name| Some(format!("{name}: {}", entry["import"].get(*name)?.as_str()?)));
    format!("`import: {{{}}}`", std::iter::once("secretRef".to_owned()).chain(members).collect::<Vec<_>>().join(", "))
}

fn outcome(case: &Value) -> String {
    let mut resource: JsonWebKeySet = serde_json::from_value(json!({ "metadata": {}, "spec": case["spec"] })).expect("a resource");
    resource.metadata.name = Some(import_cases::name(case));
    resource.metadata.namespace = Some("shop".to_owned());
    let rule = AccessRule {
        namespaces: Namespaces { all: Some(true), ..Namespaces::default() },
        sets: vec!["{namespace}.*".to_owned()],
        ..AccessRule::default()
    };
    let desired = match validate(&resource, &AdminApiSpec { access: vec![rule], ..AdminApiSpec::default() }, None) {
        Ok(desired) => desired,
        Err(refusal) => return format!("`{:?}`: {}", refusal.reason, refusal.message),
    };
    match &desired.entries[0].source {
        Source::Import(import) => {
            let labels = BTreeMap::from([(IMPORT_LABEL.to_owned(), "true".to_owned())]);
            let values = case["secret"]["data"].as_object().expect("data").iter();
            let data: BTreeMap<String, Vec<u8>> =
                values.map(|(name, value)| (name.clone(), STANDARD.decode(value.as_str().expect("base64")).expect("base64"))).collect();
            let content = SecretContent { labels: &labels, secret_type: case["secret"]["type"].as_str(), data: &data };
            match read_source(&desired.set, &desired.entries[0].name, import, content) {
                Ok(Imported { key, notes }) => {
                    let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
                    format!("{}{notes}", described(&key))
                }
                Err(SourceState::Invalid { why }) => format!("`SourceInvalid`: {why}"),
                Err(state) => panic!("{state:?}"),
            }
        }
        Source::Public { key, .. } => described(key.as_jwk()),
        Source::Invalid(invalid) => format!("`{:?}`: {}", invalid.why.reason, invalid.why.message),
        Source::Generate { .. } => panic!("a generated key"),
    }
}

fn described(key: &Jwk) -> String {
    let half = if key.is_private() { "private" } else { "public" };
    let certificates = match key.members().get("x5c").and_then(Value::as_array).map_or(0, Vec::len) {
        0 => String::new(),
        1 => ", 1 certificate".to_owned(),
        count => format!(", {count} certificates"),
    };
    let (alg, key_use) = (key.alg().unwrap_or("no alg"), key.key_use().unwrap_or("no use"));
    format!("a {half} key: `{alg}`, `{key_use}`, kid `{}`{certificates}", key.kid().unwrap_or_default())
}
