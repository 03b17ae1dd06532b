//! The public key of a certificate.

use super::{
    algorithm::algorithm,
    fault::Fault,
    input::{Input, tag},
};
use crate::jwk::validate::curve;

/// A public key, in parts that can be compared with those of a JWK.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::hydra::emulator) enum CertifiedKey {
    /// `crv`, and both coordinates one after the other.
    Elliptic(String, Vec<u8>),
    /// Modulus and exponent, each in its fewest bytes.
    Rsa(Vec<u8>, Vec<u8>),
    /// Ed25519.
    Edwards(Vec<u8>),
    /// One that no JWK of Hydra can have: DSA, or on P-224.
    Foreign,
    /// Of an algorithm that Go does not know, X25519 included. go-jose takes such a certificate for any key.
    Unknown,
}

impl CertifiedKey {
    /// A point with its coordinates in the length of the curve.
    pub(in crate::hydra::emulator) fn elliptic(crv: &str, x: &[u8], y: &[u8]) -> Self {
        Self::Elliptic(crv.to_owned(), [x, y].concat())
    }

    /// Two numbers, with zeros in front or without.
    pub(in crate::hydra::emulator) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        let shortest = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect();
        Self::Rsa(shortest(modulus), shortest(exponent))
    }
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];

const P224: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x21];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

/// Reads the `SubjectPublicKeyInfo`.
pub(super) fn read(signed: &mut Input<'_>) -> Result<CertifiedKey, Fault> {
    let mut info = signed.read(tag::SEQUENCE).ok_or("x509: malformed spki")?;
    let inner = info.read(tag::SEQUENCE).ok_or("x509: malformed public key algorithm identifier")?;
    let (identifier, parameters) = algorithm(inner)?;
    let (bits, unused) = info.bit_string().ok_or("x509: malformed subjectPublicKey")?;
    let bytes = shifted(bits, unused);
    match identifier {
        RSA => rsa(parameters, &bytes),
        ELLIPTIC => elliptic(parameters, &bytes),
        ED25519 => edwards(parameters, &bytes),
        DSA => dsa(parameters, &bytes),
        _ => Ok(CertifiedKey::Unknown),
    }
}

/// The bits with those that are not used at the front, as Go has them.
fn shifted(bits: &[u8], unused: u8) -> Vec<u8> {
    let mut carried = 0;
    let shift = |byte: &u8| {
        let wide = u16::from_be_bytes([carried, *byte]) >> unused;
        carried = *byte;
        wide.to_be_bytes()[1]
    };
    bits.iter().map(shift).collect()
}

fn rsa(parameters: &[u8], bytes: &[u8]) -> Result<CertifiedKey, Fault> {
    if parameters != [0x05, 0x00] {
        return Err("x509: RSA key missing NULL parameters".into());
    }
    let mut key = Input(bytes).read(tag::SEQUENCE).ok_or("x509: invalid RSA public key")?;
    let modulus = key.integer().ok_or("x509: invalid RSA modulus")?;
    let exponent = key.small_integer().ok_or("x509: invalid RSA public exponent")?;
    let modulus = positive(modulus).ok_or("x509: RSA modulus is not a positive number")?;
    if exponent <= 0 {
        return Err("x509: RSA public exponent is not a positive number".into());
    }
    Ok(CertifiedKey::rsa(modulus, &exponent.to_be_bytes()))
}

fn elliptic(parameters: &[u8], point: &[u8]) -> Result<CertifiedKey, Fault> {
    let (crv, name) = match Input(parameters).identifier().ok_or("x509: invalid ECDSA parameters")? {
        P224 => (None, "P224"),
        P256 => (Some("P-256"), "P256"),
        P384 => (Some("P-384"), "P384"),
        P521 => (Some("P-521"), "P521"),
        _ => return Err("x509: unsupported elliptic curve".into()),
    };
    if point.first() != Some(&0x04) {
        return Err("ecdsa: invalid uncompressed public key".into());
    }
    let Some((crv, curve)) = crv.and_then(|crv| Some((crv, curve::named(crv)?))) else {
        // Whether this point is on its curve is not checked: the key is refused all the same.
        return Ok(CertifiedKey::Foreign);
    };
    let (x, y) = curve.coordinates(point).ok_or_else(|| format!("invalid {name} point encoding"))?;
    if !curve.contains(&x, &y) {
        return Err(format!("{name} point not on curve").into());
    }
    Ok(CertifiedKey::elliptic(crv, &x, &y))
}

fn edwards(parameters: &[u8], bytes: &[u8]) -> Result<CertifiedKey, Fault> {
    match (parameters, bytes.len()) {
        ([], 32) => Ok(CertifiedKey::Edwards(bytes.to_vec())),
        ([], _) => Err("x509: wrong Ed25519 public key size".into()),
        _ => Err("x509: Ed25519 key encoded with illegal parameters".into()),
    }
}

fn dsa(parameters: &[u8], bytes: &[u8]) -> Result<CertifiedKey, Fault> {
    const INVALID: &str = "x509: invalid DSA parameters";
    let y = Input(bytes).integer().ok_or("x509: invalid DSA public key")?;
    let mut parameters = Input(parameters).read(tag::SEQUENCE).ok_or(INVALID)?;
    let mut next = || parameters.integer().ok_or(INVALID);
    let numbers = [y, next()?, next()?, next()?];
    if numbers.into_iter().any(|number| positive(number).is_none()) {
        return Err("x509: zero or negative DSA parameter".into());
    }
    Ok(CertifiedKey::Foreign)
}

/// A number above zero, without the byte that only says that it is not negative.
fn positive(number: &[u8]) -> Option<&[u8]> {
    match number {
        [0x00] | [0x80..=0xff, ..] => None,
        [0x00, rest @ ..] => Some(rest),
        _ => Some(number),
    }
}
