//! The names of sets and objects that a resource gives, or leaves out.

use kube::ResourceExt as _;

use super::access;
use crate::api::{AdminApiSpec, JsonWebKeySet};
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
