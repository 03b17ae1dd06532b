//! Public keys and the curves they are on, as PEM and certificates write them.

use der::{
    Decode as _,
    asn1::{ObjectIdentifier, UintRef},
    oid::db,
};
use pkcs1::RsaPublicKey;
use pkcs8::{SubjectPublicKeyInfoRef, spki::AlgorithmIdentifierRef};

use super::{ImportError, encoded, key_of};
use crate::jwk::{Jwk, validate::curve};

pub(super) const RSA: ObjectIdentifier = db::rfc5912::RSA_ENCRYPTION;
pub(super) const EC: ObjectIdentifier = db::rfc5912::ID_EC_PUBLIC_KEY;
pub(super) const ED25519: ObjectIdentifier = db::rfc8410::ID_ED_25519;

/// A public key as certificates hold it (RFC 5280 section 4.1.2.7).
pub(super) fn key(info: &SubjectPublicKeyInfoRef<'_>) -> Result<Jwk, ImportError> {
    let label = "PUBLIC KEY";
    let damaged = || ImportError::MalformedSection { label };
    let bits = info.subject_public_key.as_bytes().ok_or_else(damaged)?;
    if info.algorithm.oid == RSA {
        rsa(bits, label)
    } else if info.algorithm.oid == EC {
        let crv = curve_of(&info.algorithm)?;
        let curve = curve::named(crv).ok_or(ImportError::UnsupportedCurve)?;
        let (x, y) = curve.coordinates(bits).ok_or_else(damaged)?;
        Ok(key_of([("kty", "EC".to_owned()), ("crv", crv.to_owned()), ("x", encoded(&x)), ("y", encoded(&y))]))
    } else if info.algorithm.oid == ED25519 {
        Ok(key_of([("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", encoded(bits))]))
    } else {
        Err(unsupported(info.algorithm.oid))
    }
}

pub(super) fn rsa(bytes: &[u8], label: &'static str) -> Result<Jwk, ImportError> {
    let key = RsaPublicKey::from_der(bytes).map_err(|_| ImportError::MalformedSection { label })?;
    let part = |value: &UintRef<'_>| encoded(value.as_bytes());
    Ok(key_of([("kty", "RSA".to_owned()), ("n", part(&key.modulus)), ("e", part(&key.public_exponent))]))
}

pub(super) fn curve_of(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<&'static str, ImportError> {
    algorithm.parameters_oid().map_err(|_| ImportError::UnsupportedCurve).and_then(curve_named)
}

pub(super) fn curve_named(oid: ObjectIdentifier) -> Result<&'static str, ImportError> {
    [(db::rfc5912::SECP_256_R_1, "P-256"), (db::rfc5912::SECP_384_R_1, "P-384"), (db::rfc5912::SECP_521_R_1, "P-521")]
        .into_iter()
        .find_map(|(known, crv)| (known == oid).then_some(crv))
        .ok_or(ImportError::UnsupportedCurve)
}

pub(super) fn unsupported(oid: ObjectIdentifier) -> ImportError {
    let other_edwards = [db::rfc8410::ID_X_25519, db::rfc8410::ID_X_448, db::rfc8410::ID_ED_448];
    if other_edwards.contains(&oid) { ImportError::UnsupportedCurve } else { ImportError::UnsupportedKind }
}
