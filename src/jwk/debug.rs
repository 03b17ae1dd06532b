//! What a key may show of itself.

use std::fmt;

use super::{Jwk, algorithm::Algorithm};

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is no name of the registry may be anything, also a private value in the wrong place.
        let kty = self.kty().filter(|_| self.has_known_type());
        let alg = self.alg().and_then(Algorithm::named).map(|alg| alg.name);
        let mut shown = f.debug_struct("Jwk");
        shown.field("kid", &self.kid()).field("kty", &kty).field("alg", &alg);
        // The thumbprint of a symmetric key is a hash of the secret (RFC 7638 section 7).
        if self.kty() != Some("oct") {
            shown.field("thumbprint", &self.thumbprint().ok());
        }
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_value_in_the_wrong_place_is_not_shown() {
        let secret = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
        let shown = |members: serde_json::Value| format!("{:?}", serde_json::from_value::<Jwk>(members).expect("a key"));
        for members in [
            serde_json::json!({ "kty": secret, "d": secret }),
            serde_json::json!({ "kty": "EC", "alg": secret }),
            serde_json::json!({ "kty": "oct", "kid": "a", "k": secret }),
        ] {
            let shown = shown(members);
            assert!(!shown.contains(&secret[..8]), "{shown}");
        }
        let shown = shown(serde_json::json!({ "kty": "oct", "kid": "a", "alg": "HS256" }));
        assert!(["oct", "HS256", "\"a\""].iter().all(|part| shown.contains(part)), "{shown}");
    }
}
