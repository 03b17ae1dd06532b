//! Keys as values: what the RFCs publish, what other implementations say, and what may never leak.

use std::collections::BTreeMap;

use jwk_operator::jwk::Jwk;

#[cfg(feature = "emulator")]
mod differential;
mod import;
mod import_properties;
mod parse;
mod properties;
mod validate;
mod vectors;

/// The keys that the RFCs publish, by RFC and section.
fn rfc_keys() -> BTreeMap<String, Jwk> {
    serde_json::from_str(include_str!("../../data/rfc/keys.json")).expect("the keys of the RFCs")
}

/// One of them.
fn rfc_key(name: &str) -> Jwk {
    rfc_keys().remove(name).expect("a key of the RFCs")
}

/// The key without the members `names`.
fn without(key: &Jwk, names: &[&str]) -> Jwk {
    Jwk::from_members(
        key.members()
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}
