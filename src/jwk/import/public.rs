//! Public keys and the curves they are on, as PEM and certificates write them.

use der::{
    Decode as _, Reader as _, SliceReader, Tag, Tagged as _,
    asn1::{AnyRef, ObjectIdentifier, UintRef},
    oid::db,
};
use pkcs1::RsaPublicKey;
use pkcs8::{SubjectPublicKeyInfoRef, spki::AlgorithmIdentifierRef};

use super::{ImportError, encoded, key_of};
use crate::jwk::{Jwk, validate::curve};

pub(super) const RSA: ObjectIdentifier = db::rfc5912::RSA_ENCRYPTION;
/// RSA for RSASSA-PSS only (RFC 4055 section 1.2).
pub(super) const PSS: ObjectIdentifier = db::rfc5912::ID_RSASSA_PSS;
pub(super) const EC: ObjectIdentifier = db::rfc5912::ID_EC_PUBLIC_KEY;
pub(super) const ED25519: ObjectIdentifier = db::rfc8410::ID_ED_25519;

/// A public key as certificates hold it (RFC 5280 section 4.1.2.7).
pub(super) fn key(info: &SubjectPublicKeyInfoRef<'_>) -> Result<Jwk, ImportError> {
    let label = "PUBLIC KEY";
    let damaged = || ImportError::MalformedSection { label };
    let bits = info.subject_public_key.as_bytes().ok_or_else(damaged)?;
    if info.algorithm.oid == RSA {
        rsa(bits, label)
    } else if info.algorithm.oid == PSS {
        Ok(with_pss(rsa(bits, label)?, &info.algorithm))
    } else if info.algorithm.oid == EC {
        let crv = curve_of(&info.algorithm)?;
        let curve = curve::named(crv).ok_or(ImportError::UnsupportedCurve)?;
        let is_compressed = matches!(bits, [2 | 3, rest @ ..] if rest.len() == curve.size);
        let (x, y) = curve.coordinates(bits).ok_or_else(|| if is_compressed { ImportError::CompressedPoint } else { damaged() })?;
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
    if algorithm.parameters.is_some_and(|parameters| parameters.tag() == Tag::Sequence) {
        return Err(ImportError::ExplicitCurve);
    }
    algorithm.parameters_oid().map_err(|_| ImportError::UnsupportedCurve).and_then(curve_named)
}

/// Whether a PKCS#8 key or a SubjectPublicKeyInfo is of the kind id-RSASSA-PSS.
pub(super) fn is_for_pss(der: &[u8]) -> bool {
    let algorithm = SliceReader::new(der).and_then(|mut reader| {
        reader.sequence(|reader| {
            let first = AnyRef::decode(reader)?;
            let algorithm = if first.tag() == Tag::Integer { AnyRef::decode(reader)? } else { first };
            while !reader.is_finished() {
                reader.tlv_bytes()?;
            }
            algorithm.decode_as::<AlgorithmIdentifierRef<'_>>()
        })
    });
    algorithm.is_ok_and(|algorithm| algorithm.oid == PSS)
}

/// The key with the `alg` that the parameters of id-RSASSA-PSS name by their hash (RFC 4055 section 3.1); without parameters any of PS* may be
/// meant.
pub(super) fn with_pss(key: Jwk, algorithm: &AlgorithmIdentifierRef<'_>) -> Jwk {
    // RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] HashAlgorithm, ... }
    let hash = algorithm.parameters.and_then(|parameters| {
        let mut reader = SliceReader::new(parameters.value()).ok()?;
        let hash = AnyRef::decode(&mut reader).ok().filter(|any| any.tag().number().value() == 0)?;
        AlgorithmIdentifierRef::from_der(hash.value()).ok().map(|hash| hash.oid)
    });
    match hash {
        Some(db::rfc5912::ID_SHA_256) => key.with("alg", "PS256"),
        Some(db::rfc5912::ID_SHA_384) => key.with("alg", "PS384"),
        Some(db::rfc5912::ID_SHA_512) => key.with("alg", "PS512"),
        _ => key,
    }
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
