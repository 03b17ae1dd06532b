//! PEM sections (RFC 7468), and the keys inside them.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use der::Decode as _;
use pem::Pem;
use pkcs1::RsaPrivateKey;
use pkcs8::{PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroize as _;

use super::{
    ImportError, certificate, encoded, key_of,
    public::{self, EC, ED25519, RSA, curve_named, curve_of, unsupported},
};
use crate::jwk::{Jwk, validate::curve};

/// The key of a PEM document: its only private key, with the certificates if there are some; else its only public key; else that of its first
/// certificate.
pub(super) fn key(document: &[u8]) -> Result<Jwk, ImportError> {
    let (mut private, mut published, mut certificates) = (Vec::new(), Vec::new(), Vec::new());
    for section in Sections::parse(document)?.0.iter() {
        match read(section)? {
            Content::Private(key) => private.push(key),
            Content::Public(key) => published.push(key),
            Content::Certificate => certificates.push(section.contents().to_vec()),
            Content::Nothing => {}
        }
    }
    let count = private.len();
    let key = match (private.pop(), published.pop()) {
        (Some(_), _) if count > 1 => return Err(ImportError::SeveralPrivateKeys { count }),
        (Some(key), _) => key,
        (None, Some(_)) if !published.is_empty() => {
            return Err(ImportError::SeveralKeys { count: published.len() + 1, kids: "no kids".to_owned() });
        }
        (None, Some(key)) => key,
        (None, None) => match certificates.first() {
            Some(leaf) => certificate::key(leaf)?,
            None => return Err(ImportError::NoKey),
        },
    };
    if certificates.is_empty() { Ok(key) } else { certificate::attach(key, &certificates) }
}

/// The certificates of a chain, in their order.
pub(super) fn certificates(document: &[u8]) -> Result<Vec<Vec<u8>>, ImportError> {
    let sections = Sections::parse(document)?;
    let certificates: Vec<_> =
        sections.0.iter().filter(|section| section.tag() == "CERTIFICATE").map(|section| section.contents().to_vec()).collect();
    if certificates.is_empty() { Err(ImportError::NoKey) } else { Ok(certificates) }
}

/// The sections of a document, overwritten when they are dropped.
struct Sections(Vec<Pem>);

impl Sections {
    fn parse(document: &[u8]) -> Result<Self, ImportError> {
        pem::parse_many(document).map(Self).map_err(|_| ImportError::MalformedPem)
    }
}

impl Drop for Sections {
    fn drop(&mut self) {
        for section in self.0.drain(..) {
            section.into_contents().zeroize();
        }
    }
}

enum Content {
    Private(Jwk),
    Public(Jwk),
    Certificate,
    /// Something that openssl writes beside a key.
    Nothing,
}

fn read(section: &Pem) -> Result<Content, ImportError> {
    if section.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED")) {
        return Err(ImportError::Encrypted);
    }
    let bytes = section.contents();
    match section.tag() {
        "PRIVATE KEY" => pkcs8(bytes).map(Content::Private),
        "RSA PRIVATE KEY" => rsa_private(bytes, "RSA PRIVATE KEY").map(Content::Private),
        "EC PRIVATE KEY" => ec_private(bytes, None, "EC PRIVATE KEY").map(Content::Private),
        "PUBLIC KEY" => {
            let info = SubjectPublicKeyInfoRef::from_der(bytes).map_err(|_| ImportError::MalformedSection { label: "PUBLIC KEY" })?;
            public::key(&info).map(Content::Public)
        }
        "RSA PUBLIC KEY" => public::rsa(bytes, "RSA PUBLIC KEY").map(Content::Public),
        "CERTIFICATE" => Ok(Content::Certificate),
        "EC PARAMETERS" => Ok(Content::Nothing),
        "ENCRYPTED PRIVATE KEY" => Err(ImportError::Encrypted),
        "DSA PRIVATE KEY" => Err(ImportError::UnsupportedSection { label: "a DSA key" }),
        "OPENSSH PRIVATE KEY" => Err(ImportError::UnsupportedSection { label: "an OpenSSH key" }),
        "CERTIFICATE REQUEST" => Err(ImportError::UnsupportedSection { label: "a certificate request" }),
        _ => Err(ImportError::UnsupportedSection { label: "an unknown section" }),
    }
}

/// A PKCS#8 private key (RFC 5958; for Ed25519 RFC 8410 section 7).
fn pkcs8(bytes: &[u8]) -> Result<Jwk, ImportError> {
    let label = "PRIVATE KEY";
    let damaged = || ImportError::MalformedSection { label };
    let info = PrivateKeyInfoRef::from_der(bytes).map_err(|_| damaged())?;
    let inner = info.private_key.as_bytes();
    if info.algorithm.oid == RSA {
        rsa_private(inner, label)
    } else if info.algorithm.oid == EC {
        ec_private(inner, Some(curve_of(&info.algorithm)?), label)
    } else if info.algorithm.oid == ED25519 {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(|_| damaged())?;
        let seed = pair.seed().map_err(|_| damaged())?;
        let secret =
            aws_lc_rs::encoding::AsBigEndian::<aws_lc_rs::encoding::Curve25519SeedBin<'_>>::as_be_bytes(&seed).map_err(|_| damaged())?;
        Ok(key_of([
            ("kty", "OKP".to_owned()),
            ("crv", "Ed25519".to_owned()),
            ("x", encoded(pair.public_key().as_ref())),
            ("d", encoded(secret.as_ref())),
        ]))
    } else {
        Err(unsupported(info.algorithm.oid))
    }
}

/// A PKCS#1 private key (RFC 8017 appendix A.1.2).
fn rsa_private(bytes: &[u8], label: &'static str) -> Result<Jwk, ImportError> {
    let key = RsaPrivateKey::from_der(bytes).map_err(|_| ImportError::MalformedSection { label })?;
    if key.other_prime_infos.is_some() {
        return Err(crate::jwk::InvalidJwk::MultiPrime.into());
    }
    let part = |value: &der::asn1::UintRef<'_>| encoded(value.as_bytes());
    Ok(key_of([
        ("kty", "RSA".to_owned()),
        ("n", part(&key.modulus)),
        ("e", part(&key.public_exponent)),
        ("d", part(&key.private_exponent)),
        ("p", part(&key.prime1)),
        ("q", part(&key.prime2)),
        ("dp", part(&key.exponent1)),
        ("dq", part(&key.exponent2)),
        ("qi", part(&key.coefficient)),
    ]))
}

/// A SEC1 private key (RFC 5915), alone or inside of PKCS#8, which then names the curve.
fn ec_private(bytes: &[u8], curve: Option<&'static str>, label: &'static str) -> Result<Jwk, ImportError> {
    let damaged = || ImportError::MalformedSection { label };
    let key = EcPrivateKey::from_der(bytes).map_err(|_| damaged())?;
    let named = match key.parameters {
        Some(EcParameters::NamedCurve(oid)) => Some(curve_named(oid)?),
        None => None,
    };
    let crv = curve.or(named).ok_or(ImportError::UnsupportedCurve)?;
    let curve = curve::named(crv).ok_or(ImportError::UnsupportedCurve)?;
    // Some writers drop leading zeros of the private value.
    let mut d = zeroize::Zeroizing::new(vec![0; curve.size]);
    let start = curve.size.checked_sub(key.private_key.len()).ok_or_else(damaged)?;
    d[start..].copy_from_slice(key.private_key);
    // The point follows from the private value; what stands beside it may be there or not.
    let (x, y) = curve.point(&d).ok_or_else(damaged)?;
    Ok(key_of([("kty", "EC".to_owned()), ("crv", crv.to_owned()), ("x", encoded(&x)), ("y", encoded(&y)), ("d", encoded(&d))]))
}
