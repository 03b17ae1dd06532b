//! Reading a key out of what people keep in Secrets: JWK, JWK Set, PEM.

mod chain;
mod document;
mod edwards;
mod error;
mod members;
mod note;
mod openssh;
mod public;
mod section;
mod text;

use der::Decode as _;
use pkcs8::SubjectPublicKeyInfoRef;
use serde_json::Value;

use super::{
    InvalidJwk, Jwk,
    algorithm::{Algorithm, Purpose},
    purpose,
};
pub use error::{ChainFault, ImportError};
pub use note::ImportNote;

/// No key and no chain needs more.
const MOST_BYTES: usize = 256 * 1024;
/// The members that Hydra keeps; with others a comparison would always see a difference.
const KEPT_MEMBERS: [&str; 21] =
    ["use", "kty", "kid", "crv", "alg", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi", "k", "oth", "x5u", "x5c", "x5t", "x5t#S256"];

/// What the spec says about the key that is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'spec> {
    /// The algorithm; `None`: the key's own, else what its curve says.
    pub alg: Option<&'spec str>,
    /// The use, `sig` or `enc`; `None`: the key's own, else what its `alg` or its `key_ops` say, else `sig`.
    pub key_use: Option<&'spec str>,
    /// The kid: it chooses a key of a JWK Set, and names a key that stands alone.
    pub kid: Option<&'spec str>,
}

impl<'spec> Wanted<'spec> {
    /// The algorithm by the name that Hydra knows.
    fn hydras_alg(&self) -> Option<&'spec str> {
        self.alg.map(|alg| if alg == members::FULLY_SPECIFIED.0 { members::FULLY_SPECIFIED.1 } else { alg })
    }
}

/// A key that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The key, with `alg` and `use`, and with a `kid` if the spec or the key gives one.
    pub key: Jwk,
    /// What its owner should know.
    pub notes: Vec<ImportNote>,
}

/// Reads a key, private or public, and checks it.
///
/// `document` is a JWK (RFC 7517 section 4), a JWK Set (section 5) or PEM: PKCS#1 (RFC 8017), PKCS#8 (RFC 5958), SEC1 (RFC 5915), Ed25519 in
/// OpenSSH's form, a public key (RFC 5280 SubjectPublicKeyInfo, PKCS#1), a certificate chain, or a private key with its chain. `chain` is the
/// `tls.crt` beside a `tls.key`. The chain becomes `x5c` (RFC 7517 section 4.7); whether anybody trusts it is not asked.
///
/// # Errors
/// [`ImportError`] says what is wrong and what to do, and repeats no value of the document.
pub fn import(document: &[u8], chain: Option<&[u8]>, wanted: Wanted<'_>) -> Result<Imported, ImportError> {
    finish(found(document, chain, wanted)?, wanted)
}

/// The key alone that [`import`] reads.
///
/// # Errors
/// [`ImportError`], as above.
pub fn read(document: &[u8], chain: Option<&[u8]>, wanted: Wanted<'_>) -> Result<Jwk, ImportError> {
    import(document, chain, wanted).map(|imported| imported.key)
}

/// Reads a key as [`import`] does, for a set that Hydra signs tokens with: a private key must be one that it can sign with.
///
/// What the key says of itself counts, also where `wanted` says something else.
///
/// # Errors
/// [`ImportError`], as above.
pub fn import_signing(document: &[u8], chain: Option<&[u8]>, wanted: Wanted<'_>) -> Result<Imported, ImportError> {
    let found = found(document, chain, wanted)?;
    let checked = |key: &Jwk| match key.unfit_to_sign().filter(|_| key.is_private()) {
        Some(why) => Err(ImportError::CannotSign { why }),
        None => Ok(()),
    };
    let mut stated = found.key.clone();
    if stated.alg().is_none_or(str::is_empty) {
        // Without one the error below says which to write.
        stated = stated.with("alg", wanted.hydras_alg().unwrap_or("ES256"));
    }
    if let Some(key_use) = wanted.key_use.filter(|_| stated.key_use().is_none()) {
        stated = stated.with("use", key_use);
    }
    checked(&stated)?;
    let finished = finish(found, wanted)?;
    checked(&finished.key)?;
    Ok(finished)
}

/// A public key that somebody wrote into a spec, in the one form of its members and checked. Nothing is added to it.
///
/// # Errors
/// [`ImportError`], as above.
pub fn public_entry(key: Jwk) -> Result<Imported, ImportError> {
    let mut notes = Vec::new();
    let key = members::normalized(key, &mut notes)?;
    key.validate()?;
    key.validate_purpose()?;
    Ok(Imported { key, notes })
}

/// The key of a document as it is written there, with its chain, in the one form of its members.
struct Written {
    key: Jwk,
    /// Whether the document says that it is for RSASSA-PSS only (RFC 4055 section 1.2).
    is_for_pss: bool,
    notes: Vec<ImportNote>,
}

fn found(document: &[u8], chain: Option<&[u8]>, wanted: Wanted<'_>) -> Result<Written, ImportError> {
    for bytes in [Some(document), chain].into_iter().flatten() {
        if bytes.len() > MOST_BYTES {
            return Err(ImportError::TooLarge { limit: MOST_BYTES });
        }
    }
    let section::Found { key, certificates, is_for_pss } = document::key(document, wanted.kid)?;
    let mut notes = Vec::new();
    let mut key = members::normalized(key, &mut notes)?;
    if let Some(certificates) = certificates {
        key = members::attach(key, &certificates, &mut notes)?;
    }
    if let Some(chain) = chain.filter(|chain| !chain.trim_ascii().is_empty()) {
        let attached = section::certificates(chain).and_then(|certificates| members::attach(key, &certificates, &mut notes));
        key = attached.map_err(|error| ImportError::Chain(Box::new(error)))?;
    }
    // A chain that stood beside the key is compared with the digests in it.
    let key = members::with_digests(key)?;
    Ok(Written { key, is_for_pss, notes })
}

/// A public key as SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), in DER.
///
/// # Errors
/// [`ImportError`] if it is damaged, or of an unsupported kind.
pub(super) fn subject_public_key(der: &[u8]) -> Result<Jwk, ImportError> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| ImportError::MalformedSection { label: "PUBLIC KEY" })?;
    public::key(&info)
}

/// Gives the key what the spec says, and checks it.
fn finish(written: Written, wanted: Wanted<'_>) -> Result<Imported, ImportError> {
    let Written { key, is_for_pss, mut notes } = written;
    key.validate_texts()?;
    if !key.has_known_type() {
        return Err(InvalidJwk::UnsupportedType.into());
    }
    let wanted_alg = wanted.hydras_alg();
    if wanted_alg != wanted.alg && !notes.contains(&ImportNote::NamedEdDsa) {
        notes.push(ImportNote::NamedEdDsa);
    }
    let (alg, key_use) = purpose_of(&key, wanted_alg, wanted.key_use, is_for_pss)?;
    let kept = key.members().iter().filter(|(name, _)| KEPT_MEMBERS.contains(&name.as_str()));
    let mut finished = Jwk::from_members(kept.map(|(name, value)| (name.clone(), value.clone())).collect());
    finished = finished.with("alg", alg).with("use", key_use);
    if let Some(kid) = wanted.kid {
        finished = finished.with("kid", kid);
    }
    // With the key itself known to be sound, `alg` is compared with its curve and kind.
    finished.validate()?;
    Ok(Imported { key: finished, notes })
}

/// `alg` and `use` of a key: what the spec says, else what the key says, else what follows from the rest. None of them may contradict another
/// (RFC 7517 sections 4.2 to 4.4).
fn purpose_of(
    key: &Jwk,
    wanted_alg: Option<&str>,
    wanted_use: Option<&str>,
    is_for_pss: bool,
) -> Result<(String, &'static str), ImportError> {
    let own_alg = key.alg().filter(|alg| !alg.is_empty());
    let (own, wanted) = (own_alg.and_then(Algorithm::named), wanted_alg.and_then(Algorithm::named));
    if own.is_some() && wanted_alg.is_some() && own_alg != wanted_alg {
        return Err(ImportError::AlgorithmContradicted);
    }
    let algorithm = if wanted_alg.is_some() { wanted } else { own };
    let stated = stated_use(key, wanted_use)?;
    let operations = key.operations(stated.is_some() || algorithm.is_some())?;
    let purpose = stated.or(algorithm.as_ref().map(Algorithm::purpose)).or(operations).unwrap_or(Purpose::Signature);
    let algorithm = match algorithm {
        Some(algorithm) => algorithm,
        None if wanted_alg.or(own_alg).is_some() => {
            return Err(ImportError::UnknownAlgorithm { fits: fitting(key, purpose, is_for_pss)?.1 });
        }
        None => match fitting(key, purpose, is_for_pss)? {
            (Some(only), _) => Algorithm::named(only).ok_or(ImportError::UnsupportedKind)?,
            (None, fits) => return Err(ImportError::MissingAlgorithm { fits }),
        },
    };
    if is_for_pss && !algorithm.name.starts_with("PS") {
        return Err(ImportError::OnlyPss);
    }
    purpose::agree(Some(purpose), Some(&algorithm), operations)?;
    Ok((algorithm.name.to_owned(), purpose.as_str()))
}

/// The use that the spec says, else the key.
fn stated_use(key: &Jwk, wanted: Option<&str>) -> Result<Option<Purpose>, ImportError> {
    let wanted = wanted.and_then(Purpose::named);
    let Some(own) = key.key_use().filter(|key_use| !key_use.is_empty()) else { return Ok(wanted) };
    match (wanted, Purpose::named(own)) {
        (Some(wanted), Some(own)) if wanted != own => Err(ImportError::UseContradicted),
        (None, None) => Err(ImportError::UnknownUse),
        (wanted, own) => Ok(wanted.or(own)),
    }
}

/// The algorithm that follows from the key (RFC 7518 section 3.4, RFC 8037 section 3.1), if only one does, and what to write.
fn fitting(key: &Jwk, purpose: Purpose, is_for_pss: bool) -> Result<(Option<&'static str>, &'static str), ImportError> {
    let only = |alg| Ok((Some(alg), alg));
    let any = |fits| Ok((None, fits));
    match (key.kty(), key.text("crv"), purpose) {
        (Some("EC"), Some("P-256"), Purpose::Signature) => only("ES256"),
        (Some("EC"), Some("P-384"), Purpose::Signature) => only("ES384"),
        (Some("EC"), Some("P-521"), Purpose::Signature) => only("ES512"),
        (Some("OKP"), Some("Ed25519"), Purpose::Signature) => only("EdDSA"),
        (Some("EC"), Some("P-256" | "P-384" | "P-521"), Purpose::Encryption) => any("for example ECDH-ES+A256KW"),
        (Some("EC" | "OKP"), ..) => Err(ImportError::UnsupportedCurve),
        (Some("RSA"), _, Purpose::Signature) if is_for_pss => any("PS256, PS384 or PS512"),
        (Some("RSA"), _, Purpose::Signature) => any("for example RS256 or PS256"),
        (Some("RSA"), _, Purpose::Encryption) => any("for example RSA-OAEP-256"),
        (Some("oct"), _, Purpose::Signature) => any("HS256, HS384 or HS512"),
        (Some("oct"), _, Purpose::Encryption) => any("for example A256KW"),
        _ => Err(ImportError::UnsupportedKind),
    }
}

/// A key from its members.
fn key_of(members: impl IntoIterator<Item = (&'static str, String)>) -> Jwk {
    Jwk::from_members(members.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect())
}

/// base64url without padding (RFC 7515 section 2).
fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
