//! What Hydra says when it refuses.

/// Why an operation was refused. The text is Hydra's own, so it may repeat a `kty` or a `crv` of the request, never key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: no key can be generated for this `alg`.
    #[error("Unsupported key algorithm")]
    UnsupportedAlgorithm,
    /// 400: the body is no JSON, or go-jose does not take the key in it.
    #[error("Unable to decode the request body: {0}")]
    Malformed(String),
    /// 404 of a set.
    #[error("Unable to locate the requested resource")]
    SetNotFound,
    /// 404 of a key.
    #[error("Unable to locate the resource")]
    KeyNotFound,
    /// 409: the set has a key with this `kid` already, or a whole set names one twice.
    #[error("Unable to insert or update resource because a resource with that value exists already")]
    Conflict,
    /// 500: a symmetric key in a broadcast set has no public half, and nobody gets any.
    #[error("json: error calling MarshalJSON for type jose.JSONWebKey: go-jose/go-jose: unknown key type '%!s(<nil>)'")]
    SymmetricKeyInBroadcast,
    /// 500: the emulator could not make a key or write its file.
    #[error("{0}")]
    Internal(&'static str),
}

/// What go-jose says of a key.
pub(super) fn jose(reason: &str) -> Refusal {
    Refusal::Malformed(format!("go-jose/go-jose: {reason}"))
}
