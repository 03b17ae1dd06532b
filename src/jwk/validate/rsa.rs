//! RSA keys (RFC 7518 section 6.3).

use aws_lc_rs::{
    rsa::{KeyPair, KeyPairComponents},
    signature::RsaPublicKeyComponents,
};

use super::{InvalidJwk, Jwk, bytes};

pub(super) fn validate(key: &Jwk) -> Result<(), InvalidJwk> {
    let (n, e) = (bytes(key, "n")?, bytes(key, "e")?);
    for (name, value) in [("n", &n), ("e", &e)] {
        if value.first() == Some(&0) {
            return Err(InvalidJwk::LeadingZero(name));
        }
    }
    let size = bits(&n);
    if !(2048..=8192).contains(&size) {
        return Err(InvalidJwk::ModulusSize(size));
    }
    if !is_odd(&n) {
        return Err(InvalidJwk::EvenModulus);
    }
    if !is_odd(&e) || **e == [1] || bits(&e) > 33 {
        return Err(InvalidJwk::BadExponent);
    }
    if key.members().contains_key("oth") {
        return Err(InvalidJwk::MultiPrime);
    }
    if ["d", "p", "q", "dp", "dq", "qi"].iter().any(|name| key.members().contains_key(*name)) {
        private_half(key, &n, &e)?;
    }
    Ok(())
}

fn private_half(key: &Jwk, n: &[u8], e: &[u8]) -> Result<(), InvalidJwk> {
    let part = |name| {
        bytes(key, name).map_err(|error| if matches!(error, InvalidJwk::MissingMember(_)) { InvalidJwk::MissingPrime(name) } else { error })
    };
    let d = bytes(key, "d")?;
    let (p, q, dp, dq, qi) = (part("p")?, part("q")?, part("dp")?, part("dq")?, part("qi")?);
    if is_consistent(n, e, &d, &p, &q, &dp, &dq, &qi) { Ok(()) } else { Err(InvalidJwk::PrivateHalfMismatch) }
}

/// Whether all parts belong to one key: n = p·q, d·e = 1 modulo p−1 and q−1, and the three values of the Chinese remainder theorem. Only for
/// moduli of 2048 to 8192 bits. Primality is not tested.
// The RFC's own names: a struct for them would only repeat aws-lc-rs's.
#[allow(clippy::too_many_arguments, clippy::many_single_char_names)]
pub(crate) fn is_consistent(n: &[u8], e: &[u8], d: &[u8], p: &[u8], q: &[u8], dp: &[u8], dq: &[u8], qi: &[u8]) -> bool {
    let public_key = RsaPublicKeyComponents { n, e };
    KeyPair::from_components(&KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi }).is_ok()
}

/// The bits of a big-endian integer without leading zero bytes.
pub(crate) fn bits(bytes: &[u8]) -> usize {
    bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize)
}

fn is_odd(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|last| last & 1 == 1)
}
