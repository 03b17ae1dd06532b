//! One entry of `spec.keys`, parsed.

use super::{
    names::require_object_name,
    refusal::SpecRefusal,
    timing::{Timing, timing},
};
use crate::api::{AdminApiSpec, Algorithm, Generate, Import, KeySource, KeyUse, PublicKey, Reason};
use crate::jwk::{
    Jwk, Kid, PublicJwk, Thumbprint,
    import::{self, ImportNote, Imported},
};
use crate::lifecycle::{entry_name::EntryName, kid, set_id::SetId};

/// One key of the set.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name of the entry.
    pub name: EntryName,
    /// Where its key comes from.
    pub source: Source,
    /// When its key is replaced.
    pub timing: Timing,
}

/// Where a key comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// It is generated.
    Generate {
        /// For this algorithm.
        alg: Algorithm,
        /// For this use.
        key_use: KeyUse,
    },
    /// It comes from a Secret.
    Import(Import),
    /// It is the public key of somebody else.
    Public {
        /// The key as the spec has it.
        key: Box<PublicJwk>,
        /// Its kid.
        kid: Kid,
        /// Its thumbprint.
        thumbprint: Thumbprint,
        /// What its owner should know.
        notes: Vec<ImportNote>,
    },
    /// It is an import or a public key that cannot be carried out as it is written. Whatever the set holds for the entry stays until its owner
    /// corrects it, and the other entries continue.
    Invalid(InvalidEntry),
}

/// An import or a public key that cannot be carried out.
#[derive(Clone, Debug)]
pub struct InvalidEntry {
    /// The kid that the entry gives its key, if it gives one.
    pub kid: Option<Kid>,
    /// Whether it would supply a private key.
    pub is_private: bool,
    /// What is wrong and what to do.
    pub why: SpecRefusal,
}

/// Parses an entry of the spec.
///
/// # Errors
/// [`SpecRefusal`] where the entry asks for a key that must not be generated, or for more or less than one thing.
pub(super) fn entry(set: &SetId, asked: &KeySource, api: &AdminApiSpec) -> Result<Entry, SpecRefusal> {
    let name = EntryName::from(asked.name.as_str());
    let timing = timing(&name, asked.rotation.as_ref(), api);
    let (source, kid) = match (&asked.generate, &asked.import, &asked.public) {
        (Some(generate), None, None) => return Ok(Entry { source: generated(set, &name, *generate)?, timing: timing?, name }),
        (None, Some(import), None) => (imported(set, &name, import), import.kid.as_deref()),
        (None, None, Some(key)) => (public(set, &name, key), Some(key.kid.as_str())),
        _ => return Err(SpecRefusal::new(Reason::InvalidSpec, format!("key {name} must have exactly one of generate, import and public"))),
    };
    let (source, timing) = match source.and_then(|source| Ok((source, timing?))) {
        Ok(valid) => valid,
        Err(why) => {
            let invalid = InvalidEntry { kid: kid.map(Kid::from), is_private: asked.import.is_some(), why };
            (Source::Invalid(invalid), Timing::retaining(asked.rotation.as_ref()))
        }
    };
    Ok(Entry { name, source, timing })
}

fn imported(set: &SetId, name: &EntryName, import: &Import) -> Result<Source, SpecRefusal> {
    if let Some(kid) = import.kid.as_deref() {
        if kid::parse_generated(set, kid).is_some() {
            return Err(reserved(name, kid));
        }
        kid::check(kid).map_err(|why| SpecRefusal::new(Reason::InvalidSpec, format!("key {name}: import.kid {why}: write another kid")))?;
    }
    require_object_name(&import.secret_ref.name)?;
    if set.is_hydras_own() && import.key_use == Some(KeyUse::Enc) {
        return Err(not_for_hydra(set, name));
    }
    Ok(Source::Import(import.clone()))
}

/// Hydra signs with the first private key whatever its use, and one symmetric key makes its /.well-known/jwks.json fail for everybody.
fn not_for_hydra(set: &SetId, name: &EntryName) -> SpecRefusal {
    SpecRefusal::new(
        Reason::UnsupportedAlgorithm,
        format!("key {name}: Hydra's own set {set} cannot hold a symmetric key or one for encryption: write another alg, and use: sig"),
    )
}

fn reserved(name: &EntryName, kid: &str) -> SpecRefusal {
    SpecRefusal::new(
        Reason::KidReserved,
        format!("key {name}: kid {kid} has the form of a generated kid of this set: give the key another kid"),
    )
}

fn generated(set: &SetId, name: &EntryName, Generate { alg, key_use }: Generate) -> Result<Source, SpecRefusal> {
    let key_use = key_use.unwrap_or_default();
    if set.is_hydras_own() && (alg.is_symmetric() || key_use == KeyUse::Enc) {
        return Err(not_for_hydra(set, name));
    }
    Ok(Source::Generate { alg, key_use })
}

fn public(set: &SetId, name: &EntryName, key: &PublicKey) -> Result<Source, SpecRefusal> {
    let kid = key.kid.as_str();
    let invalid = |why: String| SpecRefusal::new(Reason::InvalidKey, format!("key {name}, kid {kid}: {why}"));
    if key.holds_private_members() {
        return Err(invalid("this is a private key: remove d, p, q, dp, dq, qi, oth and k, and treat the key as exposed".into()));
    }
    if kid::parse_generated(set, kid).is_some() {
        return Err(reserved(name, kid));
    }
    kid::check(kid).map_err(|why| invalid(format!("the kid {why}, and tokens carry it: ask its owner for a key with another kid")))?;
    let value = serde_json::to_value(key).map_err(|_| invalid("it cannot be written as JSON".into()))?;
    let jwk: Jwk = serde_json::from_value(value).map_err(|_| invalid("it is not a JWK".into()))?;
    let Imported { key: jwk, notes } = import::public_entry(jwk).map_err(|error| invalid(error.to_string()))?;
    let thumbprint = jwk.thumbprint().map_err(|error| invalid(error.to_string()))?;
    let public = jwk.public_half().ok_or_else(|| invalid("kty must not be oct: a symmetric key has no public half".into()))?;
    Ok(Source::Public { key: Box::new(public), kid: kid.into(), thumbprint, notes })
}
