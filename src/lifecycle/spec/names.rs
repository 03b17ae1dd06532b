//! The names of sets and objects that a resource gives, or leaves out.

use kube::ResourceExt as _;

use super::{access, refusal::SpecRefusal};
use crate::api::{AdminApiSpec, JsonWebKeySet, Reason};
use crate::lifecycle::set_id::SetId;

/// The id of the resource's remote set: `spec.set`, else `{setPrefix}{namespace}.{name}`. Without an AdminApi it is the one in the status.
pub fn set_id(resource: &JsonWebKeySet, api: Option<&AdminApiSpec>) -> SetId {
    let default = |prefix: &str| format!("{prefix}{}.{}", resource.namespace().unwrap_or_default(), resource.name_any());
    let told = || resource.status.as_ref().and_then(|status| status.set.clone());
    let named = resource.spec.set.clone().unwrap_or_else(|| match api {
        Some(api) => default(access::prefix(api)),
        None => told().unwrap_or_else(|| default("")),
    });
    named.into()
}

/// Whether a resource can name this set, as the schema has it.
pub fn is_set_id(set: &str) -> bool {
    let is_end = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
    let is_inner = |character: char| character.is_ascii_alphanumeric() || ['.', '_', ':', '-'].contains(&character);
    set.len() <= 200 && is_end(set.chars().next()) && is_end(set.chars().next_back()) && set.chars().all(is_inner) && !set.contains("..")
}

/// Whether a name leads to one object and no other.
pub(in crate::lifecycle) fn is_object_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.bytes().all(is_inner) && is_end(name.bytes().next()) && is_end(name.bytes().next_back())
}

/// The name of an object becomes part of an address: with a slash it would be that of another object, perhaps of another namespace. The
/// schema refuses it; this holds for what was stored before there was a rule.
pub(super) fn require_object_name(name: &str) -> Result<(), SpecRefusal> {
    let refusal =
        || SpecRefusal::new(Reason::InvalidSpec, format!("{name:?} is not a valid object name: use lowercase letters, digits, - and ."));
    if is_object_name(name) { Ok(()) } else { Err(refusal()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_object_leads_to_no_other() {
        for name in ["payments-jwks", "a", "a.b-c.1"] {
            assert!(require_object_name(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "../secrets/theirs", "a/b", "a%2Fb", "A", "a?b", "-a", "a.", "a\nb", "\u{e4}"] {
            assert!(require_object_name(name).is_err(), "{name:?}");
        }
    }
}
