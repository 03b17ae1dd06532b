//! The members of a JWK in the one form that Hydra keeps: integers without leading zeros, certificates without line breaks and in their order.

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::{
    ImportError,
    chain::{Certificates, Chain},
    error::ChainFault,
    note::ImportNote,
};
use crate::jwk::Jwk;

/// The integers of an RSA key (RFC 7518 section 6.3).
const INTEGERS: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
/// The digests of a certificate (RFC 7517 sections 4.8 and 4.9).
const DIGESTS: [(&str, &Algorithm); 2] = [("x5t", &SHA1_FOR_LEGACY_USE_ONLY), ("x5t#S256", &SHA256)];
/// The names of one algorithm: the one of RFC 9864, and the one that Hydra and most verifiers know.
pub(super) const FULLY_SPECIFIED: (&str, &str) = ("Ed25519", "EdDSA");

/// The key with its members in their one form.
pub(super) fn normalized(key: Jwk, notes: &mut Vec<ImportNote>) -> Result<Jwk, ImportError> {
    let mut key = with_shortest_integers(without_nothing(&key));
    if key.alg() == Some(FULLY_SPECIFIED.0) && key.kty() == Some("OKP") {
        notes.push(ImportNote::NamedEdDsa);
        key = key.with("alg", FULLY_SPECIFIED.1);
    }
    if let Some(certificates) = certificates(&key)? {
        key = attach(key, &certificates, notes)?;
    }
    with_address(with_digests(key)?)
}

/// The key with its chain as `x5c`.
pub(super) fn attach(key: Jwk, certificates: &Certificates, notes: &mut Vec<ImportNote>) -> Result<Jwk, ImportError> {
    let thumbprint = key.thumbprint().map_err(|_| ImportError::CertificateMismatch)?;
    let Chain { certificates, left_out } = certificates.of(&thumbprint)?;
    if left_out > 0 {
        notes.push(ImportNote::CertificatesLeftOut { count: left_out });
    }
    let chain = certificates.iter().map(|certificate| Value::String(STANDARD.encode(certificate))).collect();
    Ok(key.with("x5c", Value::Array(chain)))
}

/// `null`, an empty text and an empty list say as much as no member, and Hydra drops them.
fn without_nothing(key: &Jwk) -> Jwk {
    let is_nothing = |value: &Value| value.is_null() || value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty);
    let kept = key.members().iter().filter(|(_, value)| !is_nothing(value));
    Jwk::from_members(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Leading zero octets are no part of an integer (RFC 7518 section 2); some writers leave the one of ASN.1.
fn with_shortest_integers(mut key: Jwk) -> Jwk {
    if key.kty() != Some("RSA") {
        return key;
    }
    for name in INTEGERS {
        let Some(bytes) = key.text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).map(Zeroizing::new) else { continue };
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        if zeros > 0 && zeros < bytes.len() {
            key = key.with(name, URL_SAFE_NO_PAD.encode(&bytes[zeros..]));
        }
    }
    key
}

/// The certificates of `x5c`. Line breaks and spaces are taken off, as Hydra does.
fn certificates(key: &Jwk) -> Result<Option<Certificates>, ImportError> {
    let fault = |index, fault| ImportError::MalformedChain { index, fault };
    let values = match key.members().get("x5c") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(values)) if !values.is_empty() => values,
        Some(_) => return Err(fault(0, ChainFault::NoList)),
    };
    let decode = |(index, value): (usize, &Value)| {
        let text = value.as_str().ok_or_else(|| fault(index, ChainFault::NoText))?;
        if text.contains("-----BEGIN") {
            return Err(fault(index, ChainFault::Pem));
        }
        let text: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        STANDARD.decode(text).map_err(|_| fault(index, ChainFault::NoBase64))
    };
    let ders = values.iter().enumerate().map(decode).collect::<Result<Vec<_>, _>>()?;
    Certificates::parse(ders).map(Some).map_err(|index| fault(index, ChainFault::NoCertificate))
}

/// Digests as base64url of the bytes. Some writers encode their hexadecimal form, and Hydra takes both for the same.
pub(super) fn with_digests(mut key: Jwk) -> Result<Jwk, ImportError> {
    for (member, algorithm) in DIGESTS {
        let malformed = || ImportError::MalformedDigest { member, bytes: algorithm.output_len() };
        let text = match key.members().get(member) {
            None | Some(Value::Null) => continue,
            Some(value) => value.as_str().ok_or_else(malformed)?,
        };
        let digest = digest_of(text, algorithm.output_len()).ok_or_else(malformed)?;
        let first = key.members().get("x5c").and_then(|chain| chain.get(0)).and_then(Value::as_str);
        let certificate = first.and_then(|first| STANDARD.decode(first).ok());
        if certificate.is_some_and(|certificate| digest::digest(algorithm, &certificate).as_ref() != digest) {
            return Err(ImportError::DigestMismatch { member });
        }
        key = key.with(member, URL_SAFE_NO_PAD.encode(digest));
    }
    Ok(key)
}

fn digest_of(text: &str, length: usize) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    if bytes.len() == length {
        return Some(bytes);
    }
    let digits = std::str::from_utf8(&bytes).ok().filter(|digits| digits.len() == 2 * length && digits.is_ascii())?;
    (0..length).map(|index| u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()).collect()
}

/// `x5u` must be an address that is fetched over TLS (RFC 7517 section 4.6).
fn with_address(key: Jwk) -> Result<Jwk, ImportError> {
    let address = match key.members().get("x5u") {
        None | Some(Value::Null) => return Ok(key),
        Some(value) => {
            value.as_str().filter(|text| is_address(text)).and_then(|text| Url::parse(text).ok()).filter(|url| url.scheme() == "https")
        }
    };
    let address = address.ok_or(ImportError::MalformedAddress)?;
    Ok(key.with("x5u", address.as_str()))
}

/// Whether a text has only characters that a URI may have (RFC 3986 section 2): others are written differently by each program.
fn is_address(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte))
}
