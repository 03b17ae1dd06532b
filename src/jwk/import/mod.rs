//! Reading a key out of what people keep in Secrets: JWK, JWK Set, PEM.

mod certificate;
mod document;
mod error;
mod public;
mod section;

use serde_json::Value;

use super::Jwk;
pub use error::ImportError;

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
    /// The use; `None`: the key's own, else `sig`.
    pub key_use: Option<&'spec str>,
    /// The kid: it chooses among several keys of a JWK Set, and names a single one.
    pub kid: Option<&'spec str>,
}

/// Reads a key, private or public, and checks it.
///
/// `document` is a JWK (RFC 7517 section 4), a JWK Set (section 5) or PEM: PKCS#1 (RFC 8017), PKCS#8 (RFC 5958), SEC1 (RFC 5915), a public key
/// (RFC 5280 SubjectPublicKeyInfo, PKCS#1), a certificate chain, or a private key with its chain. `chain` is the `tls.crt` beside a `tls.key`. The
/// chain becomes `x5c` (RFC 7517 section 4.7); whether anybody trusts it is not asked.
///
/// The result has `alg` and `use`, and a `kid` if the spec or the key gives one.
///
/// # Errors
/// [`ImportError`] says what is wrong and what to do, and repeats no value of the document.
pub fn read(document: &[u8], chain: Option<&[u8]>, wanted: Wanted<'_>) -> Result<Jwk, ImportError> {
    finish(&found(document, chain, wanted)?, wanted)
}

/// Reads a key as [`read`] does, for a set that Hydra signs tokens with: a private key must be one that it can sign with.
///
/// What the key says of itself counts, also where `wanted` says something else.
///
/// # Errors
/// [`ImportError`], as above.
pub fn read_signing(document: &[u8], chain: Option<&[u8]>, wanted: Wanted<'_>) -> Result<Jwk, ImportError> {
    let found = found(document, chain, wanted)?;
    let checked = |key: &Jwk| match key.unfit_to_sign().filter(|_| key.is_private()) {
        Some(why) => Err(ImportError::CannotSign { why }),
        None => Ok(()),
    };
    // Without an alg the error below says which one to write.
    let says_alg = found.alg().is_some_and(|alg| !alg.is_empty());
    checked(&if says_alg { found.clone() } else { found.clone().with("alg", "ES256") })?;
    let finished = finish(&found, wanted)?;
    checked(&finished)?;
    Ok(finished)
}

/// The key of a document as it is written there, with its chain.
fn found(document: &[u8], chain: Option<&[u8]>, wanted: Wanted<'_>) -> Result<Jwk, ImportError> {
    for bytes in [Some(document), chain].into_iter().flatten() {
        if bytes.len() > MOST_BYTES {
            return Err(ImportError::TooLarge { limit: MOST_BYTES });
        }
    }
    let mut key = document::key(document, wanted.kid)?;
    if let Some(chain) = chain.filter(|chain| !chain.trim_ascii().is_empty()) {
        key = certificate::attach(key, &section::certificates(chain)?)?;
    }
    Ok(key)
}

/// Gives the key what the spec says, and checks it.
fn finish(key: &Jwk, wanted: Wanted<'_>) -> Result<Jwk, ImportError> {
    let kept = key.members().iter().filter(|(name, _)| KEPT_MEMBERS.contains(&name.as_str()));
    let mut finished = Jwk::from_members(kept.map(|(name, value)| (name.clone(), value.clone())).collect());
    let key_use = wanted.key_use.or(key.key_use()).unwrap_or("sig").to_owned();
    let own = key.alg().filter(|alg| !alg.is_empty());
    let alg = match (wanted.alg, own) {
        (Some(wanted), Some(own)) if wanted != own => return Err(ImportError::AlgorithmContradicted),
        (Some(alg), _) | (None, Some(alg)) => alg.to_owned(),
        (None, None) => told(&finished, &key_use)?.to_owned(),
    };
    finished = finished.with("alg", alg).with("use", key_use);
    if let Some(kid) = wanted.kid {
        finished = finished.with("kid", kid);
    } else if finished.kid().is_none_or(str::is_empty) {
        finished = without(finished, "kid");
    }
    // With the key itself known to be sound, `alg` is compared with its curve and kind.
    finished.validate()?;
    Ok(finished)
}

fn without(key: Jwk, name: &str) -> Jwk {
    Jwk::from_members(
        key.members().iter().filter(|(member, _)| *member != name).map(|(name, value)| (name.clone(), value.clone())).collect(),
    )
}

/// The algorithm that follows from the key (RFC 7518 section 3.4, RFC 8037 section 3.1).
fn told(key: &Jwk, key_use: &str) -> Result<&'static str, ImportError> {
    let fits = match (key.kty(), key.text("crv"), key_use) {
        (Some("EC"), Some("P-256"), "sig") => return Ok("ES256"),
        (Some("EC"), Some("P-384"), "sig") => return Ok("ES384"),
        (Some("EC"), Some("P-521"), "sig") => return Ok("ES512"),
        (Some("OKP"), Some("Ed25519"), "sig") => return Ok("EdDSA"),
        (Some("EC"), Some("P-256" | "P-384" | "P-521"), _) => "for example ECDH-ES+A256KW",
        (Some("EC" | "OKP"), ..) => return Err(ImportError::UnsupportedCurve),
        (Some("RSA"), _, "sig") => "for example RS256 or PS256",
        (Some("RSA"), ..) => "for example RSA-OAEP-256",
        (Some("oct"), _, "sig") => "HS256, HS384 or HS512",
        (Some("oct"), ..) => "for example A256KW",
        _ => return Err(ImportError::UnsupportedKind),
    };
    Err(ImportError::MissingAlgorithm { fits })
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
