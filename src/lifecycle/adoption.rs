//! The resource that takes over a remote set as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    kid::{self, Slot},
    set_id::SetId,
    validate,
};
use crate::api::{
    AccessRule, AdminApiRef, AdminApiSpec, Algorithm, DeletionPolicy, Generate, JsonWebKeySet, JsonWebKeySetSpec, KeySource, KeyUse,
    Namespaces, PublicKey, UnmanagedKeys,
};
use crate::jwk::{Jwk, JwkSet};

/// How many entries a resource can have.
const MOST_ENTRIES: usize = 32;
/// The longest name of an entry.
const LONGEST_NAME: usize = 32;

/// The resource that adopts a set, and what its author should know.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// Applying it changes nothing in the remote set.
    pub resource: JsonWebKeySet,
    /// A sentence each: what is not in the resource, and what can be done about it.
    pub remarks: Vec<String>,
}

/// Describes a remote set as a resource that changes nothing in it.
///
/// Keys that the operator once generated for this set become `generate` entries, keys without a private half `public` entries. Other private
/// keys are known to the admin API only: they stay, and sign, as unmanaged keys.
pub fn adoption(set: &SetId, live: &JwkSet, namespace: &str, name: &str, admin_api: Option<&str>) -> Adoption {
    let mut remarks = Vec::new();
    let mut entries: Vec<KeySource> = generated(set, live).into_values().map(|(_, entry)| entry).collect();
    let mut names: BTreeSet<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    for key in &live.keys {
        let Some(kid) = key.kid() else { continue };
        if kid::parse_generated(set, kid).is_some() {
            continue;
        }
        if key.is_private() {
            remarks.push(format!(
                "kid {kid} has a private half that only the admin API knows: it stays as it is, signs as long as it is the first private key of the set, and is published. Next: add a generate entry, whose key is announced before it signs, or import the same key from a Secret under this kid"
            ));
            continue;
        }
        match public_entry(set, namespace, key, &names) {
            Some(_) if entries.len() == MOST_ENTRIES => {
                remarks.push(format!("kid {kid} stays as it is without an entry: a resource can have at most {MOST_ENTRIES} entries"));
            }
            Some(entry) => {
                names.insert(entry.name.clone());
                entries.push(entry);
            }
            None => remarks.push(format!("kid {kid} stays as it is without an entry: it is not a public key that an entry can hold")),
        }
    }
    if live.keys.is_empty() {
        remarks.push(format!("set {set} has no keys: there is nothing to adopt"));
    }
    let mut resource = JsonWebKeySet::new(
        name,
        JsonWebKeySetSpec {
            admin_api_ref: admin_api.map(|name| AdminApiRef { name: name.to_owned() }),
            // In its own case, which is in the kids.
            set: (set.as_str() != format!("{namespace}.{name}")).then(|| set.to_string()),
            signer: signer(set, live, &entries),
            keys: entries,
            unmanaged_keys: Some(UnmanagedKeys::Keep),
            deletion_policy: Some(DeletionPolicy::Retain),
            ..JsonWebKeySetSpec::default()
        },
    );
    resource.metadata.namespace = Some(namespace.to_owned());
    Adoption { resource, remarks }
}

/// The entries that generated the private keys of the set, each with the newest of its slots.
fn generated(set: &SetId, live: &JwkSet) -> BTreeMap<String, (Slot, KeySource)> {
    let mut entries: BTreeMap<String, (Slot, KeySource)> = BTreeMap::new();
    for key in live.keys.iter().filter(|key| key.is_private()) {
        let Some((name, slot)) = key.kid().and_then(|kid| kid::parse_generated(set, kid)) else { continue };
        let Some(alg) = key.alg().and_then(algorithm) else { continue };
        let key_use = (key.key_use() == Some("enc")).then_some(KeyUse::Enc);
        let entry = KeySource { name: name.to_owned(), generate: Some(Generate { alg, key_use }), ..KeySource::default() };
        if entries.get(name).is_none_or(|(newest, _)| *newest < slot) {
            entries.insert(name.to_owned(), (slot, entry));
        }
    }
    entries
}

fn algorithm(name: &str) -> Option<Algorithm> {
    serde_json::from_value(name.into()).ok()
}

/// The entry whose key signs now, if there are several that could.
fn signer(set: &SetId, live: &JwkSet, entries: &[KeySource]) -> Option<String> {
    let can_sign = || entries.iter().filter(|entry| entry.generate.is_some());
    if can_sign().count() < 2 {
        return None;
    }
    let own = live.keys.iter().filter(|key| key.is_private()).filter_map(|key| kid::parse_generated(set, key.kid()?));
    own.map(|(name, _)| name.to_owned()).find(|name| can_sign().any(|entry| &entry.name == name))
}

/// A `public` entry, if this key can be one.
fn public_entry(set: &SetId, namespace: &str, key: &Jwk, names: &BTreeSet<String>) -> Option<KeySource> {
    kid::check(key.kid()?).ok()?;
    let public = serde_json::to_value(key.public_half()?).ok()?;
    let public: PublicKey = serde_json::from_value(public).ok()?;
    let entry = KeySource { name: entry_name(key.kid()?, names), public: Some(public), ..KeySource::default() };
    let mut resource =
        JsonWebKeySet::new("adopted", JsonWebKeySetSpec { set: Some(set.to_string()), keys: vec![entry.clone()], ..Default::default() });
    resource.metadata.namespace = Some(namespace.to_owned());
    let namespaces = Namespaces { all: Some(true), ..Namespaces::default() };
    let rule = AccessRule { namespaces, sets: vec![set.to_string()], ..AccessRule::default() };
    validate(&resource, &AdminApiSpec { access: vec![rule], ..AdminApiSpec::default() }, None).is_ok().then_some(entry)
}

/// A name for an entry that is like the kid, and that no other entry has.
fn entry_name(kid: &str, taken: &BTreeSet<String>) -> String {
    let lower = kid.to_ascii_lowercase();
    let plain: String = lower.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '-' }).collect();
    let cut: String = plain.trim_matches('-').chars().take(LONGEST_NAME - 4).collect();
    let base = if cut.trim_matches('-').is_empty() { "key" } else { cut.trim_matches('-') };
    let numbered = (1..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.to_owned()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}
