//! `x5c`, `x5t` and `x5t#S256` of a key, as go-jose checks them and writes them back.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    Refusal,
    go_base64::{self, Encoding},
    refusal::jose,
    x509::{self, CertifiedKey, Fault},
};
use crate::jwk::Jwk;

/// The certificates of a key.
pub(super) struct Chain {
    certificates: Vec<Zeroizing<Vec<u8>>>,
    /// The key of the first one.
    leaf: Option<CertifiedKey>,
}

impl Chain {
    /// What `x5c` holds. This comes before the key itself is looked at, so its faults come first.
    pub(super) fn read(key: &Jwk) -> Result<Self, Refusal> {
        let texts = key.members().get("x5c").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut chain = Self { certificates: Vec::with_capacity(texts.len()), leaf: None };
        for text in texts {
            // Go reads null as an empty text.
            let (der, certified) =
                certificate(text.as_str().unwrap_or_default()).map_err(|fault| jose(&format!("failed to unmarshal x5c field: {fault}")))?;
            chain.leaf.get_or_insert(certified);
            chain.certificates.push(der);
        }
        Ok(chain)
    }

    /// Whether the first certificate says anything of a key.
    pub(super) fn certifies(&self) -> bool {
        self.leaf.as_ref().is_some_and(|key| *key != CertifiedKey::Unknown)
    }

    /// The first certificate has to be one of the key.
    pub(super) fn check_key(&self, key: &CertifiedKey) -> Result<(), Refusal> {
        if self.certifies() && self.leaf.as_ref() != Some(key) {
            return Err(jose("invalid JWK, public keys in key and x5c fields do not match"));
        }
        Ok(())
    }

    /// `x5c` as it is written back; `None` if it is left out.
    pub(super) fn encoded(&self) -> Option<Value> {
        let texts = self.certificates.iter().map(|der| Value::String(STANDARD.encode(der)));
        (!self.certificates.is_empty()).then(|| texts.collect())
    }

    /// `x5t` and `x5t#S256` as they are written back. All of them are decoded before one is compared.
    pub(super) fn thumbprints(&self, key: &Jwk) -> Result<Vec<(&'static str, Value)>, Refusal> {
        let kinds = [("x5t", &SHA1_FOR_LEGACY_USE_ONLY), ("x5t#S256", &SHA256)];
        let mut found = Vec::new();
        for (name, algorithm) in kinds {
            found.push((name, algorithm, thumbprint(key, name, algorithm.output_len())?));
        }
        found.retain(|(_, _, bytes)| !bytes.is_empty());
        for (name, algorithm, bytes) in &found {
            if bytes.len() != algorithm.output_len() {
                return Err(jose(&format!("invalid JWK, {name} header is of incorrect size")));
            }
        }
        for (name, algorithm, bytes) in &found {
            if self.certificates.first().is_some_and(|leaf| digest::digest(algorithm, leaf).as_ref() != bytes) {
                return Err(jose(&format!("invalid JWK, x5c thumbprint does not match {name} value")));
            }
        }
        Ok(found.into_iter().map(|(name, _, bytes)| (name, URL_SAFE_NO_PAD.encode(bytes).into())).collect())
    }
}

fn certificate(text: &str) -> Result<(Zeroizing<Vec<u8>>, CertifiedKey), Fault> {
    let der = go_base64::decode(Encoding::Standard, text).map_err(|error| error.to_string())?;
    let key = x509::parse(&der)?;
    Ok((der, key))
}

/// The bytes of a thumbprint. What is twice as long as it should be is taken as hexadecimal digits.
fn thumbprint(key: &Jwk, name: &str, length: usize) -> Result<Vec<u8>, Refusal> {
    let text = key.text(name).unwrap_or_default().trim_end_matches('=');
    let bytes = go_base64::decode(Encoding::RawUrl, text);
    let bytes = bytes.map_err(|_| jose(&format!("invalid JWK, {name} header has invalid encoding")))?;
    if bytes.len() != 2 * length {
        return Ok(bytes.to_vec());
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if let Some(wrong) = bytes.iter().find(|byte| digit(byte).is_none()) {
        return Err(jose(&format!("invalid JWK, unable to hex decode {name}: encoding/hex: invalid byte: {}", named(*wrong))));
    }
    let digits: Vec<u8> = bytes.iter().filter_map(digit).collect();
    Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// A byte as a character, as Go's `%#U` writes it.
fn named(byte: u8) -> String {
    let character = char::from(byte);
    if character.is_control() || byte == 0xad { format!("U+{byte:04X}") } else { format!("U+{byte:04X} '{character}'") }
}
