//! Keys on the NIST curves (RFC 7518 section 6.2).

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, ParsedPublicKey, UnparsedPublicKey},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm,
    },
};

use super::{InvalidJwk, Jwk, exactly};

/// One of the three curves.
pub(crate) struct Curve {
    /// The bytes of a coordinate and of the private value.
    pub(crate) size: usize,
    agreement: &'static agreement::Algorithm,
    signing: &'static EcdsaSigningAlgorithm,
}

/// The curve of this `crv`, if it is supported.
pub(crate) fn named(crv: &str) -> Option<Curve> {
    match crv {
        "P-256" => Some(Curve { size: 32, agreement: &ECDH_P256, signing: &ECDSA_P256_SHA256_FIXED_SIGNING }),
        "P-384" => Some(Curve { size: 48, agreement: &ECDH_P384, signing: &ECDSA_P384_SHA384_FIXED_SIGNING }),
        "P-521" => Some(Curve { size: 66, agreement: &ECDH_P521, signing: &ECDSA_P521_SHA512_FIXED_SIGNING }),
        _ => None,
    }
}

impl Curve {
    /// Whether (`x`, `y`), both of the right length, is a point on the curve.
    pub(crate) fn contains(&self, x: &[u8], y: &[u8]) -> bool {
        // Parsing fails for a point off the curve; the cofactor is 1, so every point on it is a good public key.
        ParsedPublicKey::try_from(UnparsedPublicKey::new(self.agreement, uncompressed(x, y))).is_ok()
    }

    /// The point of a private value of the right length, as its two coordinates; `None` if there is none.
    pub(crate) fn point(&self, d: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let public = agreement::PrivateKey::from_private_key(self.agreement, d).ok()?.compute_public_key().ok()?;
        self.coordinates(public.as_ref())
    }

    /// The coordinates of a point in its uncompressed form (SEC 1 section 2.3.4).
    pub(crate) fn coordinates(&self, point: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (&form, rest) = point.split_first()?;
        if form != 0x04 || rest.len() != 2 * self.size {
            return None;
        }
        let (x, y) = rest.split_at(self.size);
        Some((x.to_vec(), y.to_vec()))
    }

    /// Whether `d` is the private value of the point.
    fn matches(&self, d: &[u8], x: &[u8], y: &[u8]) -> bool {
        EcdsaKeyPair::from_private_key_and_public_key(self.signing, d, &uncompressed(x, y)).is_ok()
    }
}

pub(super) fn validate(key: &Jwk) -> Result<(), InvalidJwk> {
    let curve = match key.text("crv").ok_or(InvalidJwk::MissingMember("crv"))? {
        "secp256k1" => return Err(InvalidJwk::UnsupportedCurve("secp256k1")),
        crv => named(crv).ok_or(InvalidJwk::UnknownCurve)?,
    };
    let (x, y) = (exactly(key, "x", curve.size)?, exactly(key, "y", curve.size)?);
    if !curve.contains(&x, &y) {
        return Err(InvalidJwk::NotOnCurve);
    }
    if key.members().contains_key("d") && !curve.matches(&exactly(key, "d", curve.size)?, &x, &y) {
        return Err(InvalidJwk::PrivateHalfMismatch);
    }
    Ok(())
}

/// The point in the form of SEC 1 section 2.3.3.
fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[0x04], x, y].concat()
}
