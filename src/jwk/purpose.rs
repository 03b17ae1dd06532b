//! What a key is for: `use`, `key_ops` and `alg`, which must not contradict each other (RFC 7517 sections 4.2 to 4.4).

use serde_json::Value;

use super::{
    InvalidJwk, Jwk,
    algorithm::{Algorithm, Purpose},
};

/// Operations of a key for signatures (RFC 7517 section 4.3).
const SIGNATURE: [&str; 2] = ["sign", "verify"];
/// Operations of a key for encryption and key agreement.
const ENCRYPTION: [&str; 6] = ["encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"];
/// Operations that take the public half.
const PUBLIC: [&str; 3] = ["verify", "encrypt", "wrapKey"];

impl Jwk {
    /// Checks what the key says of its purpose: that `kid`, `use` and `alg` are strings, that `use` is `sig` or `enc`, that `alg` is registered,
    /// and that `use`, `alg` and `key_ops` do not contradict each other. What is absent or empty says nothing.
    ///
    /// # Errors
    /// [`InvalidJwk`] with the first contradiction.
    pub fn validate_purpose(&self) -> Result<(), InvalidJwk> {
        self.validate_texts()?;
        let stated = match self.key_use().filter(|key_use| !key_use.is_empty()) {
            Some(key_use) => Some(Purpose::named(key_use).ok_or(InvalidJwk::UnknownUse)?),
            None => None,
        };
        let alg = self.alg().filter(|alg| !alg.is_empty());
        let algorithm = match alg {
            Some(alg) => Some(Algorithm::named(alg).ok_or(InvalidJwk::UnknownAlgorithm)?),
            None => None,
        };
        let operations = self.operations(stated.is_some() || algorithm.is_some())?;
        let purpose = stated.or(algorithm.as_ref().map(Algorithm::purpose)).or(operations);
        agree(purpose, algorithm.as_ref(), operations)
    }

    /// Whether the key is for encryption or key agreement: by its `use`, else by its `alg`, else by its `key_ops`.
    pub fn is_for_encryption(&self) -> bool {
        let stated =
            || self.key_use().filter(|key_use| !key_use.is_empty()).map(|key_use| Purpose::named(key_use) == Some(Purpose::Encryption));
        let by_alg = || Some(Algorithm::named(self.alg()?)?.purpose() == Purpose::Encryption);
        let by_operations = || self.operations(false).ok().flatten() == Some(Purpose::Encryption);
        stated().or_else(by_alg).unwrap_or_else(by_operations)
    }

    /// The purpose that `key_ops` names; `None` if it is absent, empty, or names no registered operation. Operations of both purposes, which are
    /// discouraged and not forbidden, leave the choice to `use` and `alg` where one of them is there (`is_stated`).
    pub(super) fn operations(&self, is_stated: bool) -> Result<Option<Purpose>, InvalidJwk> {
        let operations = match self.members().get("key_ops") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(operations)) => operations,
            Some(_) => return Err(InvalidJwk::MalformedOperations),
        };
        let names: Vec<&str> = operations.iter().map(Value::as_str).collect::<Option<_>>().ok_or(InvalidJwk::MalformedOperations)?;
        let any = |known: &[&str]| names.iter().any(|name| known.contains(name));
        let purpose = match (any(&SIGNATURE), any(&ENCRYPTION)) {
            (true, true) if is_stated => return Ok(None),
            (true, true) => return Err(InvalidJwk::MixedOperations),
            (true, false) => Purpose::Signature,
            (false, true) => Purpose::Encryption,
            (false, false) => return Ok(None),
        };
        let has_public_half = matches!(self.kty(), Some("EC" | "RSA" | "OKP"));
        if has_public_half && self.is_private() && names.iter().all(|name| PUBLIC.contains(name)) {
            return Err(InvalidJwk::OperationsOfPublicHalf);
        }
        Ok(Some(purpose))
    }
}

/// Checks that an algorithm and the operations are of this purpose.
pub(super) fn agree(purpose: Option<Purpose>, algorithm: Option<&Algorithm>, operations: Option<Purpose>) -> Result<(), InvalidJwk> {
    let Some(purpose) = purpose else { return Ok(()) };
    if let Some(algorithm) = algorithm.filter(|algorithm| algorithm.purpose() != purpose) {
        let is_for = algorithm.purpose().as_str();
        return Err(InvalidJwk::UseContradictsAlgorithm { alg: algorithm.name, is_for, key_use: purpose.as_str() });
    }
    match operations.filter(|operations| *operations != purpose) {
        Some(operations) => Err(InvalidJwk::UseContradictsOperations { is_for: operations.as_str(), key_use: purpose.as_str() }),
        None => Ok(()),
    }
}
