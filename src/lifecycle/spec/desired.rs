//! What a resource asks for, parsed once: nothing after this module checks it again.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::{
    access::{self, Grant, Labels},
    claim,
    entry::{Entry, Source, entry},
    names::{is_set_id, require_object_name, set_id},
    refusal::SpecRefusal,
    timing::{RotateAt, asked_rotation},
};
use crate::api::{ACCEPT_SERVER_ANNOTATION, AdminApiSpec, DeletionPolicy, JsonWebKeySet, Mode, Reason, UnmanagedKeys};
use crate::jwk::{Jwk, Kid};
use crate::lifecycle::{
    entry_name::EntryName,
    publication::{PrivateKeys, Wanted},
    set_id::SetId,
};

/// A resource that may be acted on: its set is granted and its keys can exist.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The namespace of the resource and of its targets.
    pub namespace: String,
    /// The name of the resource.
    pub name: String,
    /// When the resource was created: the slot of its first keys.
    pub created: Timestamp,
    /// The generation of the spec.
    pub generation: i64,
    /// Whether the resource is being deleted.
    pub deleting: bool,
    /// The id of the remote set.
    pub set: SetId,
    /// The server that holds it: host, port and path prefix.
    pub server: String,
    /// The server that somebody accepts as the new one, although it holds none of the keys.
    pub accepted_server: Option<String>,
    /// The keys, by name.
    pub entries: Vec<Entry>,
    /// The name of the entry that the spec wants to sign; `None`: the first that can.
    pub signer: Option<EntryName>,
    /// What happens to keys that belong to no entry.
    pub unmanaged_keys: UnmanagedKeys,
    /// What deletion does, if the user said so.
    pub deletion_policy: Option<DeletionPolicy>,
    /// Whether the remote set may be written.
    pub mode: Mode,
    /// Whether no other namespace may write the set, so that every generated kid in it is of this namespace.
    pub is_exclusive: bool,
    /// What is published, and where.
    pub publication: Wanted,
    /// The kids that leave set and targets at once.
    pub revoked: BTreeSet<Kid>,
    /// When somebody asks for another key in the place of each generated one.
    pub rotate_at: Option<RotateAt>,
    /// The shortest time between two rotations of one key.
    pub min_rotation_interval: Duration,
}

impl Desired {
    /// Whether an entry of the spec itself holds exactly this key: its kid and its material.
    pub(in crate::lifecycle) fn supplies(&self, key: &Jwk) -> bool {
        self.entries.iter().any(|entry| match &entry.source {
            Source::Public { kid, thumbprint, .. } => {
                key.kid() == Some(kid.as_str()) && key.public_thumbprint().as_ref() == Some(thumbprint)
            }
            Source::Generate { .. } | Source::Import(_) | Source::Invalid(_) => false,
        })
    }

    /// What is wrong with entries of the spec.
    pub(in crate::lifecycle) fn invalid_entries(&self) -> impl Iterator<Item = &SpecRefusal> {
        self.entries.iter().filter_map(|entry| match &entry.source {
            Source::Invalid(invalid) => Some(&invalid.why),
            Source::Generate { .. } | Source::Import(_) | Source::Public { .. } => None,
        })
    }
}

/// Parses a resource against the AdminApi it uses. `labels` are those of its namespace, `None` while they are not known.
///
/// While the resource is being deleted, entries that cannot be understood are left out: what is wrong with a key must not keep the others.
///
/// # Errors
/// [`SpecRefusal`] says what is wrong and what to do. What is wrong with one import or one public key is [`Source::Invalid`] instead.
pub fn validate(resource: &JsonWebKeySet, api: &AdminApiSpec, labels: Option<&Labels>) -> Result<Desired, SpecRefusal> {
    let namespace = resource.namespace().unwrap_or_default();
    let set = set_id(resource, Some(api));
    let spec = &resource.spec;
    let deleting = resource.metadata.deletion_timestamp.is_some();
    let grant = granted(resource, api, labels, &set)?;
    require_same_set(resource, &set)?;
    let mut entries = Vec::with_capacity(spec.keys.len());
    for source in &spec.keys {
        match entry(&set, source, api) {
            Ok(entry) => entries.push(entry),
            Err(_) if deleting => {}
            Err(refusal) => return Err(refusal),
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let private_keys = if grant.private_export { PrivateKeys::Granted } else { PrivateKeys::Denied };
    let has_public_half = |entry: &&Entry| !matches!(&entry.source, Source::Generate { alg, .. } if alg.is_symmetric());
    let readable = entries.iter().filter(has_public_half).map(|entry| entry.name.clone()).collect();
    let publication = Wanted::of(resource, &set, private_keys, readable);
    if !deleting {
        let named = publication.targets.iter().map(|target| &target.id).chain(&publication.withheld);
        named.into_iter().try_for_each(|id| require_object_name(&id.name))?;
    }
    Ok(Desired {
        is_exclusive: access::is_exclusive(api, &namespace, &set),
        publication,
        name: resource.name_any(),
        created: resource.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        generation: resource.metadata.generation.unwrap_or_default(),
        deleting,
        server: claim::server(api),
        accepted_server: resource.annotations().get(ACCEPT_SERVER_ANNOTATION).cloned(),
        entries,
        signer: spec.signer.as_deref().map(EntryName::from),
        unmanaged_keys: spec.unmanaged_keys.unwrap_or_default(),
        deletion_policy: spec.deletion_policy,
        mode: spec.mode.unwrap_or_default(),
        revoked: spec.revoke.iter().map(|kid| kid.as_str().into()).collect(),
        rotate_at: asked_rotation(resource),
        min_rotation_interval: super::settings::AdminApiSettings::of(api).min_rotation_interval,
        namespace,
        set,
    })
}

/// What the AdminApi lets the namespace of a resource do with its set.
fn granted(resource: &JsonWebKeySet, api: &AdminApiSpec, labels: Option<&Labels>, set: &SetId) -> Result<Grant, SpecRefusal> {
    let namespace = resource.namespace().unwrap_or_default();
    let denied = |why: String| SpecRefusal::new(Reason::AccessDenied, why);
    let Some(grant) = access::grant(api, &namespace, labels, set) else {
        let prefix = access::prefix(api);
        let hint = if prefix.is_empty() { String::new() } else { format!(" (its sets begin with {prefix})") };
        return Err(denied(format!(
            "the AdminApi does not grant set {set} to namespace {namespace}{hint}: ask its owner for a rule in spec.access"
        )));
    };
    if grant.mode == Mode::Observe && resource.spec.mode.unwrap_or_default() == Mode::Enforce {
        return Err(denied(format!(
            "the AdminApi lets namespace {namespace} only observe set {set}: write mode: Observe, or ask its owner for a rule with mode Enforce"
        )));
    }
    if !is_set_id(set.as_str()) {
        return Err(SpecRefusal::new(
            Reason::InvalidSpec,
            format!("the default set {set} is not a valid set id, or has more than 200 characters: write spec.set"),
        ));
    }
    Ok(grant)
}

/// A set that keys were put into is kept, also when an AdminApi of the same name and another prefix takes the place of the first. The case of
/// letters counts: it is in the kids, and may be another set.
fn require_same_set(resource: &JsonWebKeySet, set: &SetId) -> Result<(), SpecRefusal> {
    let written = resource.status.as_ref().filter(|status| status.origin.is_some()).and_then(|status| status.set.as_ref());
    match written.filter(|written| written.as_str() != set.as_str()) {
        None => Ok(()),
        Some(written) => Err(SpecRefusal::new(
            Reason::SetChanged,
            format!(
                "the set of this resource was {written}, but with the setPrefix of the AdminApi it would now be {set}: neither set is changed; create another JsonWebKeySet"
            ),
        )),
    }
}
