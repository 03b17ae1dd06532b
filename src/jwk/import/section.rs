//! PEM sections (RFC 7468), and the keys inside them.

use der::{
    Decode as _, Reader as _, SliceReader, Tag, Tagged as _,
    asn1::{AnyRef, OctetStringRef},
};
use pem::Pem;
use pkcs1::RsaPrivateKey;
use pkcs8::{SubjectPublicKeyInfoRef, spki::AlgorithmIdentifierRef};
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroize as _;

use super::{
    ImportError,
    chain::Certificates,
    edwards, encoded, key_of, openssh,
    public::{self, EC, ED25519, PSS, RSA, curve_named, curve_of, unsupported, with_pss},
    text,
};
use crate::jwk::{Jwk, validate::curve};

/// The labels of certificates: that of RFC 7468, the one of old programs, and that of OpenSSL's with what it trusts it for behind it.
const CERTIFICATES: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// What was found in a document: a key, and the certificates beside it.
pub(super) struct Found {
    pub(super) key: Jwk,
    pub(super) certificates: Option<Certificates>,
    /// Whether the key is for RSASSA-PSS only (RFC 4055 section 1.2).
    pub(super) is_for_pss: bool,
}

impl Found {
    /// A key without certificates beside it.
    pub(super) fn alone(key: Jwk) -> Self {
        Self { key, certificates: None, is_for_pss: false }
    }
}

/// The key of a PEM document: its only private key, with the certificates if there are some; else its only public key; else that of its
/// certificates.
pub(super) fn key(document: &str) -> Result<Found, ImportError> {
    let (mut private, mut published, mut certificates, mut others) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let sections = Sections::parse(document)?;
    for section in &sections.0 {
        match read(section)? {
            Content::Private(key) => private.push(key),
            Content::Public(key) => published.push(key),
            Content::Certificate => certificates.push(section.contents().to_vec()),
            Content::Nothing { label } => others.push(label),
        }
    }
    let certificates = parsed(certificates)?;
    let count = private.len();
    let key = match (private.pop(), published.pop(), &certificates) {
        (Some(_), ..) if count > 1 => return Err(ImportError::SeveralPrivateKeys { count }),
        (Some(key), ..) => key,
        (None, Some(_), _) if !published.is_empty() => {
            return Err(ImportError::SeveralKeys { count: published.len() + 1, kids: "no kids".to_owned() });
        }
        (None, Some(key), _) => key,
        (None, None, Some(certificates)) => certificates.key()?,
        (None, None, None) => return Err(others.first().map_or(ImportError::NoKey, |label| ImportError::OnlySections { label })),
    };
    let is_for_pss = sections.0.iter().any(|section| section.tag().ends_with("KEY") && public::is_for_pss(section.contents()));
    Ok(Found { key, certificates, is_for_pss })
}

/// The certificates of a chain.
pub(super) fn certificates(document: &[u8]) -> Result<Certificates, ImportError> {
    let text = text::of(document)?;
    if !text.contains(text::BEGIN) {
        return Err(text::unknown(text.trim()));
    }
    let sections = Sections::parse(&text)?;
    let certificates = sections.0.iter().filter(|section| CERTIFICATES.contains(&section.tag()));
    let found = parsed(certificates.map(|section| section.contents().to_vec()).collect())?;
    let other = sections.0.first().map_or("an unknown section", |section| kind_of(section.tag()));
    found.ok_or(ImportError::NoCertificate { label: other })
}

fn parsed(certificates: Vec<Vec<u8>>) -> Result<Option<Certificates>, ImportError> {
    if certificates.is_empty() {
        return Ok(None);
    }
    Certificates::parse(certificates).map(Some).map_err(|_| ImportError::MalformedSection { label: "CERTIFICATE" })
}

/// The sections of a document, overwritten when they are dropped.
struct Sections(Vec<Pem>);

impl Sections {
    fn parse(document: &str) -> Result<Self, ImportError> {
        let sections = pem::parse_many(text::sections(document).as_bytes()).map(Self).map_err(|_| {
            // Its headers do not survive the loss of line breaks.
            if document.contains("4,ENCRYPTED") { ImportError::Encrypted } else { ImportError::MalformedPem }
        })?;
        if sections.0.is_empty() { Err(ImportError::MalformedPem) } else { Ok(sections) }
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
    /// Something that stands beside keys and is none.
    Nothing {
        label: &'static str,
    },
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
        "OPENSSH PRIVATE KEY" => openssh::key(section).map(Content::Private),
        tag if CERTIFICATES.contains(&tag) => Ok(Content::Certificate),
        "ENCRYPTED PRIVATE KEY" => Err(ImportError::Encrypted),
        "DSA PRIVATE KEY" => Err(ImportError::UnsupportedSection { label: "a DSA key" }),
        tag if tag.contains("PRIVATE KEY") => Err(ImportError::UnsupportedSection { label: "an unknown kind of private key" }),
        tag => Ok(Content::Nothing { label: kind_of(tag) }),
    }
}

/// What a section holds that is no key and no certificate, in our own words: its label may be anything.
fn kind_of(tag: &str) -> &'static str {
    match tag {
        "EC PARAMETERS" => "the parameters of a curve",
        "DH PARAMETERS" | "X9.42 DH PARAMETERS" => "Diffie-Hellman parameters",
        "X509 CRL" => "a revocation list",
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "a certificate request",
        tag if tag.ends_with("PRIVATE KEY") => "a private key",
        tag if tag.ends_with("PUBLIC KEY") => "a public key",
        "PKCS7" | "CMS" => "certificates in PKCS#7, which are read with openssl pkcs7 -print_certs",
        "PGP PUBLIC KEY BLOCK" => "a key of OpenPGP, which is not supported",
        _ => "an unknown section",
    }
}

/// A PKCS#8 private key (RFC 5958; for Ed25519 RFC 8410 section 7). What stands behind the private key is not needed: the public half follows
/// from it. ring up to 0.16 wrote it with a tag that RFC 5958 does not allow.
fn pkcs8(bytes: &[u8]) -> Result<Jwk, ImportError> {
    let label = "PRIVATE KEY";
    let damaged = |_| ImportError::MalformedSection { label };
    let (algorithm, private) = SliceReader::new(bytes)
        .and_then(|mut reader| {
            reader.sequence(|reader| {
                u8::decode(reader)?;
                let parts = (AlgorithmIdentifierRef::decode(reader)?, <&OctetStringRef>::decode(reader)?);
                while !reader.is_finished() {
                    reader.tlv_bytes()?;
                }
                Ok::<_, der::Error>(parts)
            })
        })
        .map_err(damaged)?;
    let inner = private.as_bytes();
    match algorithm.oid {
        RSA => rsa_private(inner, label),
        PSS => Ok(with_pss(rsa_private(inner, label)?, &algorithm)),
        EC => ec_private(inner, Some(curve_of(&algorithm)?), label),
        ED25519 => {
            let seed = <&OctetStringRef>::from_der(inner).map_err(damaged)?;
            edwards::of_seed(seed.as_bytes()).ok_or(ImportError::MalformedSection { label })
        }
        oid => Err(unsupported(oid)),
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
    let key = EcPrivateKey::from_der(bytes).map_err(|_| if has_explicit_curve(bytes) { ImportError::ExplicitCurve } else { damaged() })?;
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

/// Whether the parameters of a SEC1 key, `[0]`, are a SEQUENCE: those of the curve itself (RFC 3279 section 2.3.5).
fn has_explicit_curve(bytes: &[u8]) -> bool {
    let parameters = SliceReader::new(bytes).and_then(|mut reader| {
        reader.sequence(|reader| {
            u8::decode(reader)?;
            <&OctetStringRef>::decode(reader)?;
            let parameters = AnyRef::decode(reader)?;
            while !reader.is_finished() {
                reader.tlv_bytes()?;
            }
            AnyRef::from_der(parameters.value()).map(|inner| inner.tag())
        })
    });
    parameters.is_ok_and(|tag| tag == Tag::Sequence)
}
