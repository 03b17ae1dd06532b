//! Whether a key is one that can be used: complete, well encoded, mathematically sound, and supported here.

mod algorithm;
pub(crate) mod curve;
mod edwards;
pub(crate) mod rsa;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{Jwk, symmetric};

/// Why a key cannot be used. The messages name members, never what is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwk {
    /// `kty` is none of those of RFC 7518 section 6.1 and RFC 8037 section 2.
    #[error("the kty must be one of EC, RSA, OKP and oct")]
    UnsupportedType,
    /// A member that the key needs is missing or not a string.
    #[error("the member {0} is missing or not a string")]
    MissingMember(&'static str),
    /// A member that may be absent is there and not a string.
    #[error("the member {0} is not a string")]
    NotText(&'static str),
    /// Not base64url as RFC 7515 section 2 has it: no padding, no white space, no other alphabet.
    #[error("the member {0} must be base64url without padding")]
    NotBase64Url(&'static str),
    /// Coordinates and private values of a curve have a fixed length (RFC 7518 section 6.2.1.2), RFC 8037 section 2.
    #[error("the member {member} has {found} bytes instead of {expected}")]
    WrongLength {
        /// The member.
        member: &'static str,
        /// What the curve asks for.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// A curve that exists, but neither Hydra nor this operator can use.
    #[error("unsupported curve {0}: use P-256, P-384, P-521 or Ed25519")]
    UnsupportedCurve(&'static str),
    /// A `crv` that is not registered for this `kty`.
    #[error("the crv is unknown for this kty: use P-256, P-384 or P-521 with EC, Ed25519 with OKP")]
    UnknownCurve,
    /// The public key is no point of its curve.
    #[error("the public key is not a point on its curve")]
    NotOnCurve,
    /// One of the eight points of Ed25519 for which anybody can make signatures (RFC 8032 section 8.8 on the cofactor).
    #[error("the public key is one of the eight points of small order, for which anybody can sign")]
    SmallOrder,
    /// The private half belongs to another public half, or its parts do not fit together.
    #[error("the private half does not belong to the public half")]
    PrivateHalfMismatch,
    /// RSA outside of 2048 to 8192 bits: shorter is broken, longer nobody verifies.
    #[error("the RSA modulus has {0} bits: it must have 2048 to 8192")]
    ModulusSize(usize),
    /// An RSA integer is encoded in its fewest bytes (RFC 7518 section 2, Base64urlUInt).
    #[error("the member {0} must not begin with a zero byte")]
    LeadingZero(&'static str),
    /// The modulus is even, so it is no product of two large primes.
    #[error("the RSA modulus n must be odd")]
    EvenModulus,
    /// The public exponent is even, 1, or longer than 33 bits.
    #[error("the RSA exponent e must be odd, greater than 1 and at most 33 bits long")]
    BadExponent,
    /// A private RSA key of which only some members are there. RFC 7518 section 6.3.2 allows n, e and d alone, but then every use has to find the
    /// primes again, and Hydra refuses it.
    #[error("the private RSA key lacks the member {0}: p, q, dp, dq and qi must all be there")]
    MissingPrime(&'static str),
    /// RSA with more than two primes (`oth`, RFC 7518 section 6.3.2.7).
    #[error("RSA keys with more than two primes (oth) are not supported")]
    MultiPrime,
    /// `alg` cannot be used with this key.
    #[error("the alg does not fit the key: {needs}")]
    AlgorithmMismatch {
        /// What would fit.
        needs: &'static str,
    },
    /// `use` is neither `sig` nor `enc` (RFC 7517 section 4.2).
    #[error("the use must be sig or enc: verifiers ignore a key with another use")]
    UnknownUse,
    /// `alg` is not in the registry (RFC 7518 section 7.1).
    #[error("the alg is not a registered algorithm, so that no verifier knows it: write for example ES256, RS256 or EdDSA")]
    UnknownAlgorithm,
    /// `alg` is for another `use`.
    #[error("alg {alg} is for use {is_for}, but the use is {key_use}: correct the use, or choose another alg")]
    UseContradictsAlgorithm {
        /// The algorithm, one of the registry.
        alg: &'static str,
        /// The use of keys for it.
        is_for: &'static str,
        /// The use that the key has.
        key_use: &'static str,
    },
    /// `key_ops` are for another `use` (RFC 7517 section 4.3).
    #[error("the key_ops are for use {is_for}, but the use is {key_use}: correct the use, or remove key_ops")]
    UseContradictsOperations {
        /// The use of keys with these operations.
        is_for: &'static str,
        /// The use that the key has.
        key_use: &'static str,
    },
    /// Operations of unrelated kinds (RFC 7517 section 4.3).
    #[error("the key_ops are for signatures and for encryption at once: keep those of one use")]
    MixedOperations,
    /// A private key whose operations take the public half only.
    #[error("the key_ops are those of a public key, but the key is private: add sign, decrypt, unwrapKey or deriveBits, or remove key_ops")]
    OperationsOfPublicHalf,
    /// `key_ops` is no list of strings.
    #[error("the member key_ops is not a list of strings")]
    MalformedOperations,
    /// A secret shorter than its hash (RFC 7518 section 3.2).
    #[error("the secret k has {found} bytes, but the alg needs at least {at_least}")]
    SecretTooShort {
        /// The least for the `alg`.
        at_least: usize,
        /// What is there.
        found: usize,
    },
}

impl Jwk {
    /// Checks everything that can be checked about a key by itself: encoding, sizes, that the point is on the curve, that the private half belongs to
    /// the public half, that `alg` fits. Unknown members are nobody's business. Takes about a millisecond for a private RSA key.
    ///
    /// # Errors
    /// [`InvalidJwk`] with the first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidJwk> {
        self.validate_texts()?;
        match self.kty() {
            Some("EC") => curve::validate(self)?,
            Some("RSA") => rsa::validate(self)?,
            Some("OKP") => edwards::validate(self)?,
            Some("oct") => secret(self)?,
            _ => return Err(InvalidJwk::UnsupportedType),
        }
        algorithm::validate(self)
    }

    /// That the members which are read as text are text.
    pub(super) fn validate_texts(&self) -> Result<(), InvalidJwk> {
        for name in ["kid", "use", "alg"] {
            if self.members().get(name).is_some_and(|value| !value.is_string()) {
                return Err(InvalidJwk::NotText(name));
            }
        }
        Ok(())
    }
}

fn secret(key: &Jwk) -> Result<(), InvalidJwk> {
    let found = bytes(key, "k")?.len();
    let at_least = key.alg().and_then(symmetric::length).unwrap_or(1);
    if found < at_least { Err(InvalidJwk::SecretTooShort { at_least, found }) } else { Ok(()) }
}

/// The bytes of a base64url member.
fn bytes(key: &Jwk, name: &'static str) -> Result<Zeroizing<Vec<u8>>, InvalidJwk> {
    let text = key.text(name).ok_or(InvalidJwk::MissingMember(name))?;
    URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| InvalidJwk::NotBase64Url(name))
}

/// The same with the one length that is right.
fn exactly(key: &Jwk, name: &'static str, expected: usize) -> Result<Zeroizing<Vec<u8>>, InvalidJwk> {
    let bytes = bytes(key, name)?;
    if bytes.len() == expected { Ok(bytes) } else { Err(InvalidJwk::WrongLength { member: name, expected, found: bytes.len() }) }
}
