//! Why a document is no key that can be imported.

use crate::jwk::{InvalidJwk, ParseError};

/// Why a document holds no key that can be imported: what is wrong, and what to do.
///
/// It is shown after the name of the Secret and its data key. No message repeats a value of the document but kids, labels and sizes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// No key is this large.
    #[error("it has over {limit} bytes, which no key or chain needs")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// DER, or a keystore.
    #[error("it is binary: write it as PEM, for example with openssl pkey -inform DER")]
    Binary,
    /// Neither JSON nor PEM.
    #[error("it is neither a JWK, a JWK Set nor PEM")]
    UnknownForm,
    /// JSON that is no JWK and no JWK Set.
    #[error("{0}")]
    Json(#[from] ParseError),
    /// PEM that cannot be read.
    #[error("its PEM cannot be read: look for a line that was cut or indented")]
    MalformedPem,
    /// A PEM section of a kind that is not supported.
    #[error("its PEM holds {label}, which is not supported: write the key as PKCS#8, for example with openssl pkey")]
    UnsupportedSection {
        /// The kind, one of a fixed list.
        label: &'static str,
    },
    /// It wants a passphrase.
    #[error(
        "the key is encrypted: store it without a passphrase, for example with openssl pkey, since whoever may read the Secret may read the passphrase beside it"
    )]
    Encrypted,
    /// The inside of a PEM section is not what its label says.
    #[error("its {label} section is damaged")]
    MalformedSection {
        /// The label.
        label: &'static str,
    },
    /// A JWK Set without keys, or PEM without a key.
    #[error("it holds no key")]
    NoKey,
    /// Several keys, and nothing says which.
    #[error("it holds {count} keys ({kids}): name one in import.kid, or keep one")]
    SeveralKeys {
        /// How many.
        count: usize,
        /// The kids of the first.
        kids: String,
    },
    /// Several private keys in one PEM, which has no kids.
    #[error("it holds {count} private keys: keep one")]
    SeveralPrivateKeys {
        /// How many.
        count: usize,
    },
    /// No key of the JWK Set has the kid.
    #[error("it holds no key with kid {kid}: it has {kids}")]
    KidNotFound {
        /// The kid of the spec.
        kid: String,
        /// The kids that are there.
        kids: String,
    },
    /// Several keys have the same kid.
    #[error("it holds several keys with kid {kid}: keep one")]
    KidNotUnique {
        /// The kid.
        kid: String,
    },
    /// An algorithm that the key says and the spec contradicts.
    #[error("the alg of the key differs from import.alg: make them equal")]
    AlgorithmContradicted,
    /// The algorithm does not follow from the key.
    #[error("its alg does not follow from the key: write import.alg, {fits}")]
    MissingAlgorithm {
        /// What would fit.
        fits: &'static str,
    },
    /// A curve that nobody here can use.
    #[error("it is a key on an unsupported curve: use P-256, P-384, P-521 or Ed25519")]
    UnsupportedCurve,
    /// A kind of key that nobody here can use.
    #[error("it is a key of an unsupported kind: use RSA, EC on P-256, P-384 or P-521, or Ed25519")]
    UnsupportedKind,
    /// The first certificate is of another key.
    #[error("its first certificate belongs to another key: put the key's own certificate first")]
    CertificateMismatch,
    /// More certificates than a chain has.
    #[error("its chain has {count} certificates, but at most {limit} are supported")]
    LongChain {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A key for a set that Hydra signs with.
    #[error("Hydra cannot sign with this key, and its own sets accept no other: {why}")]
    CannotSign {
        /// Why, and what to do.
        why: &'static str,
    },
    /// The key is read, and is no good.
    #[error("{0}")]
    Invalid(#[from] InvalidJwk),
}
