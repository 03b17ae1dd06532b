//! Whether Hydra can sign tokens with a key.
//!
//! Hydra takes the first private key of its own sets, whatever it is for, and signs with what its `alg` says. If that cannot be done, every request
//! for a token is answered with 500.

use serde_json::Value;

use super::Jwk;

/// The algorithms that Hydra signs with (go-jose's `SignatureAlgorithm` for a private key).
const SIGNATURE_ALGORITHMS: [&str; 10] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

impl Jwk {
    /// Why Hydra cannot sign tokens with this private key, and what to do; `None` if it can. That the key is sound, and that `alg` fits it, is
    /// checked by [`Jwk::validate`].
    pub fn unfit_to_sign(&self) -> Option<&'static str> {
        if self.public_half().is_none() {
            return Some(
                "it is symmetric, which makes /.well-known/jwks.json fail for everybody: use an RSA key, an EC key or one on Ed25519",
            );
        }
        if self.key_use().is_some_and(|key_use| key_use != "sig") {
            return Some("its use is not sig, but Hydra would sign with it anyway: use another key, with use: sig");
        }
        let operations = self.members().get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|operations| !operations.iter().any(|operation| operation == "sign")) {
            return Some("its key_ops do not include sign, but Hydra would sign with it anyway: use another key");
        }
        if !self.alg().is_some_and(|alg| SIGNATURE_ALGORITHMS.contains(&alg)) {
            return Some(
                "its alg is not one that Hydra signs with: use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA",
            );
        }
        None
    }
}
