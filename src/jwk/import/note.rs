//! What the owner of an imported key should know, although the key was read.

/// What was changed or left out of a key that was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportNote {
    /// Certificates that are no part of the chain of the key.
    #[error("{count} of its certificates belong to no chain of the key and are left out")]
    CertificatesLeftOut {
        /// How many.
        count: usize,
    },
    /// `Ed25519` of RFC 9864.
    #[error(
        "its alg Ed25519 (RFC 9864) is stored and published as EdDSA, which Hydra signs with and most verifiers know; a verifier that compares alg exactly rejects a token whose header says Ed25519"
    )]
    NamedEdDsa,
}
