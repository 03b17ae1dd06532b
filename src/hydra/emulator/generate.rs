//! Where generated keys come from.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521},
    encoding::{AsBigEndian as _, AsDer as _, EcPrivateKeyBin, Pkcs8V1Der},
    rand,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Map;
use zeroize::Zeroizing;

use super::Refusal;
use crate::jwk::Jwk;

/// Makes the private keys that `POST` asks for.
pub trait Generate: Send + Sync {
    /// A new private key with `kty`, its own members and `alg`; `kid` and `use` are added by the caller.
    ///
    /// # Errors
    /// [`Refusal::UnsupportedAlgorithm`] if there is no key for `alg`.
    fn generate(&self, alg: &str) -> Result<Jwk, Refusal>;
}

impl<F: Fn(&str) -> Result<Jwk, Refusal> + Send + Sync> Generate for F {
    fn generate(&self, alg: &str) -> Result<Jwk, Refusal> {
        self(alg)
    }
}

/// Random keys of the sizes Hydra was measured to use: 4096 bit for RS*, 2048 bit for PS*, P-256, P-384, P-521 and Ed25519.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomKeys;

impl Generate for RandomKeys {
    fn generate(&self, alg: &str) -> Result<Jwk, Refusal> {
        match alg {
            "RS256" | "RS384" | "RS512" => rsa(alg, KeySize::Rsa4096),
            "PS256" | "PS384" | "PS512" => rsa(alg, KeySize::Rsa2048),
            "ES256" => elliptic(alg, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => elliptic(alg, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => elliptic(alg, "P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
            "EdDSA" => edwards(&Ed25519KeyPair::generate().map_err(|_| FAILED)?),
            _ => Err(Refusal::UnsupportedAlgorithm),
        }
    }
}

/// Keys derived from a counter: real, distinct, the same in every run, and made in microseconds. For property tests; worthless as secrets.
///
/// Only ES256, ES384, ES512 and EdDSA: there is no cheap way to an RSA key.
#[derive(Debug, Default)]
pub struct DerivedKeys(AtomicU64);

impl Generate for DerivedKeys {
    fn generate(&self, alg: &str) -> Result<Jwk, Refusal> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        match alg {
            "ES256" => derived(alg, "P-256", &ECDH_P256, 32, number),
            "ES384" => derived(alg, "P-384", &ECDH_P384, 48, number),
            "ES512" => derived(alg, "P-521", &ECDH_P521, 66, number),
            "EdDSA" => edwards(&Ed25519KeyPair::from_seed_unchecked(&numbered(32, number)).map_err(|_| FAILED)?),
            _ => Err(Refusal::UnsupportedAlgorithm),
        }
    }
}

const FAILED: Refusal = Refusal::Internal("key generation failed");

/// A new key with its labels: what Hydra fills in for an empty `kid` and an empty `use` is filled in here.
pub(super) fn labelled(generator: &dyn Generate, kid: Option<&str>, alg: &str, key_use: &str) -> Result<Jwk, Refusal> {
    let key = generator.generate(alg)?;
    let kid = match kid {
        Some(kid) if !kid.is_empty() => kid.to_owned(),
        _ => uuid()?,
    };
    Ok(key.with("kid", kid).with("use", if key_use.is_empty() { "sig" } else { key_use }))
}

fn rsa(alg: &str, size: KeySize) -> Result<Jwk, Refusal> {
    let pair = RsaKeyPair::generate(size).map_err(|_| FAILED)?;
    let document: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| FAILED)?;
    let outer = pkcs8::PrivateKeyInfoRef::try_from(document.as_ref()).map_err(|_| FAILED)?;
    let key = pkcs1::RsaPrivateKeyRef::try_from(outer.private_key.as_bytes()).map_err(|_| FAILED)?;
    Ok(jwk(
        "RSA",
        alg,
        &[
            ("n", key.modulus.as_bytes()),
            ("e", key.public_exponent.as_bytes()),
            ("d", key.private_exponent.as_bytes()),
            ("p", key.prime1.as_bytes()),
            ("q", key.prime2.as_bytes()),
            ("dp", key.exponent1.as_bytes()),
            ("dq", key.exponent2.as_bytes()),
            ("qi", key.coefficient.as_bytes()),
        ],
    ))
}

fn elliptic(alg: &str, crv: &str, algorithm: &'static EcdsaSigningAlgorithm) -> Result<Jwk, Refusal> {
    let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| FAILED)?;
    let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().map_err(|_| FAILED)?;
    on_curve(alg, crv, pair.public_key().as_ref(), private.as_ref())
}

fn derived(alg: &str, crv: &str, algorithm: &'static agreement::Algorithm, length: usize, number: u64) -> Result<Jwk, Refusal> {
    let private = numbered(length, number);
    let pair = agreement::PrivateKey::from_private_key(algorithm, &private).map_err(|_| FAILED)?;
    on_curve(alg, crv, pair.compute_public_key().map_err(|_| FAILED)?.as_ref(), &private)
}

/// A key from the uncompressed point `0x04 || x || y` (SEC 1 section 2.3.3).
fn on_curve(alg: &str, crv: &str, point: &[u8], private: &[u8]) -> Result<Jwk, Refusal> {
    let (x, y) = match point.split_first() {
        Some((0x04, coordinates)) => coordinates.split_at(coordinates.len() / 2),
        _ => return Err(FAILED),
    };
    Ok(jwk("EC", alg, &[("x", x), ("y", y), ("d", private)]).with("crv", crv))
}

fn edwards(pair: &Ed25519KeyPair) -> Result<Jwk, Refusal> {
    let seed = pair.seed().map_err(|_| FAILED)?;
    let seed = seed.as_be_bytes().map_err(|_| FAILED)?;
    Ok(jwk("OKP", "EdDSA", &[("x", pair.public_key().as_ref()), ("d", seed.as_ref())]).with("crv", "Ed25519"))
}

fn jwk(kty: &str, alg: &str, parts: &[(&str, &[u8])]) -> Jwk {
    let key = Jwk::from_members(Map::new()).with("kty", kty).with("alg", alg);
    parts.iter().fold(key, |key, (name, bytes)| key.with(name, URL_SAFE_NO_PAD.encode(bytes)))
}

/// `number` as a big-endian integer of `length` bytes.
fn numbered(length: usize, number: u64) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    bytes[length - 8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// A random UUID (RFC 9562 section 5.4).
fn uuid() -> Result<String, Refusal> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| FAILED)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    let part = |shift: u32, digits: u32| number >> shift & ((1 << (4 * digits)) - 1);
    Ok(format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12)))
}
