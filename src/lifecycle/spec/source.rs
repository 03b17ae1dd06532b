//! What a Secret holds for an entry that imports its key.

use std::{collections::BTreeMap, fmt};

use super::timing::Timing;
use crate::api::{IMPORT_LABEL, Import};
use crate::jwk::{
    Jwk, Kid, PublicJwk, Thumbprint,
    import::{self, ImportError, ImportNote, Imported, Wanted},
};
use crate::lifecycle::{entry_name::EntryName, kid, set_id::SetId};

/// The type of Secret that holds a certificate and its key.
const TLS_SECRET: &str = "kubernetes.io/tls";
/// The data keys of a Secret of that type.
const TLS_KEY: &str = "tls.key";
const TLS_CERTIFICATES: &str = "tls.crt";
/// How much of a thumbprint is in the kid of a key that has none of its own.
const THUMBPRINT_PART: usize = 16;

/// The content of a Secret, as far as it matters here.
#[derive(Clone, Copy)]
pub struct SecretContent<'secret> {
    /// Its labels.
    pub labels: &'secret BTreeMap<String, String>,
    /// Its type.
    pub secret_type: Option<&'secret str>,
    /// Its data.
    pub data: &'secret BTreeMap<String, Vec<u8>>,
}

/// What was found where an entry imports its key from.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceState {
    /// There is no such Secret yet, or not what it should hold.
    Missing {
        /// What is missing.
        why: String,
    },
    /// The Secret does not carry the label that opens it to the operator; its content was not used.
    NotLabelled,
    /// What the Secret holds cannot be imported.
    Invalid {
        /// What is wrong with it and what to do; no value of it.
        why: String,
    },
    /// A key.
    Held(SourceKey),
}

/// A key that a Secret holds: what may be known of it without holding its private half in memory.
#[derive(Clone, PartialEq)]
pub struct SourceKey {
    /// Its kid.
    pub kid: Kid,
    /// Its public half; `None` for a symmetric key.
    pub public: Option<PublicJwk>,
    /// What two readings are compared by. Of a symmetric key it is a hash of the secret: it is never shown.
    pub fingerprint: Thumbprint,
    /// Whether it can sign or decrypt.
    pub is_private: bool,
    /// What its owner should know.
    pub notes: Vec<ImportNote>,
}

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceKey").field("kid", &self.kid).field("public", &self.public).field("is_private", &self.is_private).finish()
    }
}

impl SourceKey {
    /// What is known of `key`, which has a kid.
    pub fn of(key: &Jwk) -> Option<Self> {
        Some(Self {
            kid: key.kid()?.into(),
            public: key.public_half(),
            fingerprint: key.thumbprint().ok()?,
            is_private: key.is_private(),
            notes: Vec::new(),
        })
    }

    /// The same of a key that was read, with what its owner should know.
    pub fn of_imported(imported: &Imported) -> Option<Self> {
        Some(Self { notes: imported.notes.clone(), ..Self::of(&imported.key)? })
    }

    /// Whether `key` is the same key: its kid and its material.
    pub fn is(&self, key: &Jwk) -> bool {
        key.kid() == Some(self.kid.as_str()) && key.thumbprint().is_ok_and(|thumbprint| thumbprint == self.fingerprint)
    }

    /// The thumbprint that may be shown; `None` of a symmetric key.
    pub(in crate::lifecycle) fn thumbprint(&self) -> Option<&Thumbprint> {
        self.public.as_ref().map(|_| &self.fingerprint)
    }
}

/// Reads the key of entry `name` of `set` out of a Secret, its kid decided: as the spec says, else the JWK's own, else one made of its
/// thumbprint.
///
/// # Errors
/// The state that keeps it from being read.
pub fn read_source(set: &SetId, name: &EntryName, import: &Import, secret: SecretContent<'_>) -> Result<Imported, SourceState> {
    if secret.labels.get(IMPORT_LABEL).map(String::as_str) != Some("true") {
        return Err(SourceState::NotLabelled);
    }
    let data_key = data_key(import, secret)?;
    let Some(document) = secret.data.get(data_key) else {
        return Err(SourceState::Missing { why: format!("it has no data key {data_key}") });
    };
    let is_tls = secret.secret_type == Some(TLS_SECRET) && data_key == TLS_KEY;
    let chain = secret.data.get(TLS_CERTIFICATES).filter(|_| is_tls).map(Vec::as_slice);
    let wanted = Wanted { alg: import.alg.as_deref(), key_use: import.key_use.map(crate::api::KeyUse::as_str), kid: import.kid.as_deref() };
    let read = if set.is_hydras_own() { import::import_signing } else { import::import };
    let imported = read(document, chain, wanted).map_err(|error| {
        // What is wrong with the certificates is not looked for in the key.
        let data_key = if matches!(error, ImportError::Chain(_)) { TLS_CERTIFICATES } else { data_key };
        invalid(data_key, &error.to_string())
    })?;
    with_kid(set, name, imported).map_err(|why| invalid(data_key, &why))
}

fn invalid(data_key: &str, why: &str) -> SourceState {
    SourceState::Invalid { why: format!("data key {data_key}: {why}") }
}

/// The key with its kid.
///
/// # Errors
/// Why it can have none, and what to do.
fn with_kid(set: &SetId, name: &EntryName, imported: Imported) -> Result<Imported, String> {
    let Imported { key, notes } = imported;
    let key = match key.kid().map(str::to_owned) {
        Some(kid) => {
            kid::check(&kid).map_err(|why| {
                format!("its kid {why}: write another as import.kid, and have tokens signed under that one, since verifiers look for the kid of the token")
            })?;
            if kid::parse_generated(set, &kid).is_some() {
                return Err(format!("its kid {kid} has the form of a generated kid of this set: write another kid as import.kid"));
            }
            key
        }
        None if key.public_half().is_none() => {
            // RFC 7638 section 7: the thumbprint of a symmetric key is a hash of the secret, and a kid is read by everybody.
            return Err("a symmetric key needs a kid: write import.kid".to_owned());
        }
        None => {
            let thumbprint = key.thumbprint().map_err(|error| error.to_string())?.to_string();
            let part: String = thumbprint.chars().take(THUMBPRINT_PART).collect();
            key.with("kid", format!("{set}.{name}.{part}"))
        }
    };
    Ok(Imported { key, notes })
}

/// Which value of the Secret is the key.
fn data_key<'a>(import: &'a Import, secret: SecretContent<'a>) -> Result<&'a str, SourceState> {
    if let Some(key) = &import.secret_ref.key {
        return Ok(key);
    }
    if secret.secret_type == Some(TLS_SECRET) {
        return Ok(TLS_KEY);
    }
    let mut keys = secret.data.keys();
    match (keys.next(), keys.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(SourceState::Missing { why: "it has no data".to_owned() }),
        (Some(_), Some(_)) => Err(SourceState::Invalid { why: "it has several data keys: name one in import.secretRef.key".to_owned() }),
    }
}

/// The times of an import: a symmetric key has no public half that could be announced, and one for encryption must decrypt before anybody
/// encrypts for it.
pub(in crate::lifecycle) fn can_be_announced(key: &SourceKey, timing: &Timing) -> bool {
    !timing.prepublish.is_zero() && key.public.as_ref().is_some_and(|public| public.as_jwk().key_use() != Some("enc"))
}
