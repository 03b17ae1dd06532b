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
    /// A certificate in DER.
    #[error("it is a certificate in binary form: write it as PEM, for example with openssl x509 -inform DER")]
    BinaryCertificate,
    /// PKCS#12 (RFC 7292).
    #[error(
        "it is a PKCS#12 keystore: take the key and its certificates out with openssl pkcs12 -in STORE -nodes -out KEY.pem, and store KEY.pem"
    )]
    Keystore,
    /// A keystore in Java's own form.
    #[error(
        "it is a Java keystore: convert it with keytool -importkeystore -srckeystore STORE -destkeystore STORE.p12 -deststoretype PKCS12, then take the key out with openssl pkcs12 -in STORE.p12 -nodes -out KEY.pem, and store KEY.pem"
    )]
    JavaKeystore,
    /// UTF-16, as Windows writes it.
    #[error("it is text in UTF-16: write it as UTF-8, in PowerShell with Set-Content -Encoding utf8")]
    Utf16,
    /// Neither JSON nor PEM.
    #[error("it is neither a JWK, a JWK Set nor PEM")]
    UnknownForm,
    /// Base64 of a document: Kubernetes encodes `data` itself.
    #[error("it is {what} in base64, so that it was encoded twice: encode it once in data, or write it as it is in stringData")]
    EncodedTwice {
        /// What it is when it is decoded.
        what: &'static str,
    },
    /// Base64 of DER.
    #[error(
        "it is base64 without its BEGIN and END lines: put -----BEGIN {label}----- before it and -----END {label}----- after it, each on a line of its own"
    )]
    MissingArmour {
        /// The label of the section.
        label: &'static str,
    },
    /// The public half, as OpenSSH writes it.
    #[error("it is a public key in OpenSSH's own form: write it as PEM with ssh-keygen -e -m PKCS8 -f KEY.pub")]
    SshPublicKey,
    /// PuTTY's own form.
    #[error("it is a key of PuTTY: write it as PEM with puttygen KEY.ppk -O private-openssh -o KEY.pem")]
    PuttyKey,
    /// JSON has no comments (RFC 8259 section 2).
    #[error("it has a comment at line {line}, which JSON does not allow: remove it")]
    Comment {
        /// The line, from 1.
        line: usize,
    },
    /// The keys of a JWK Set without the set.
    #[error("it is a JSON array: a JWK Set is an object with the array as its member keys, {{\"keys\": [...]}}")]
    BareArray,
    /// JSON that is no JWK and no JWK Set.
    #[error("{0}")]
    Json(#[from] ParseError),
    /// PEM that cannot be read.
    #[error("its PEM cannot be read: look for a missing END line, or for a line that was cut")]
    MalformedPem,
    /// A PEM section of a kind that is not supported.
    #[error("its PEM holds {label}, which is not supported: write the key as PKCS#8, for example with openssl pkey")]
    UnsupportedSection {
        /// The kind, one of a fixed list.
        label: &'static str,
    },
    /// PEM without a key.
    #[error("its PEM holds no key, only {label}: add the key, for example as PKCS#8")]
    OnlySections {
        /// What it holds, one of a fixed list.
        label: &'static str,
    },
    /// OpenSSH's own form of a key for another algorithm than Ed25519.
    #[error("it is a private key in OpenSSH's own form: write it as PKCS#8 with ssh-keygen -p -m PKCS8 -f KEY")]
    OpenSsh,
    /// The same with a passphrase.
    #[error(
        "the key is encrypted: remove its passphrase with ssh-keygen -p -N '' -m PKCS8 -f KEY, since whoever may read the Secret may read the passphrase beside it"
    )]
    EncryptedOpenSsh,
    /// The parameters of a curve in the place of its name (RFC 5480 section 2.1.1).
    #[error(
        "its curve is written as explicit parameters instead of its name: write the name with openssl ec -in KEY -param_enc named_curve -out NAMED"
    )]
    ExplicitCurve,
    /// A point in its short form (RFC 5480 section 2.2).
    #[error("its point is compressed: write it in full with openssl ec -pubin -in KEY -conv_form uncompressed -out FULL")]
    CompressedPoint,
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
    /// A chain without a certificate.
    #[error("it holds no certificate, only {label}: write the key's own certificate as PEM, and then those that certify it")]
    NoCertificate {
        /// What it holds, one of a fixed list.
        label: &'static str,
    },
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
    /// An algorithm that no verifier knows.
    #[error("its alg is not a registered algorithm (RFC 7518 section 3.1), so that no verifier knows it: write import.alg, {fits}")]
    UnknownAlgorithm {
        /// What would fit.
        fits: &'static str,
    },
    /// A use that no verifier knows.
    #[error("its use is neither sig nor enc, so that verifiers ignore the key: write import.use, sig or enc")]
    UnknownUse,
    /// The algorithm does not follow from the key.
    #[error("its alg does not follow from the key: write import.alg, {fits}")]
    MissingAlgorithm {
        /// What would fit.
        fits: &'static str,
    },
    /// A use that the key says and the spec contradicts.
    #[error("the use of the key differs from import.use: make them equal")]
    UseContradicted,
    /// RSA for RSASSA-PSS only, and another algorithm is asked for.
    #[error("it is an RSA key for RSASSA-PSS only (id-RSASSA-PSS): write import.alg, PS256, PS384 or PS512")]
    OnlyPss,
    /// A curve that nobody here can use.
    #[error("it is a key on an unsupported curve: use P-256, P-384, P-521 or Ed25519")]
    UnsupportedCurve,
    /// A kind of key that nobody here can use.
    #[error("it is a key of an unsupported kind: use RSA, EC on P-256, P-384 or P-521, or Ed25519")]
    UnsupportedKind,
    /// No certificate is of the key.
    #[error("its certificates belong to another key: put the key's own certificate first")]
    CertificateMismatch,
    /// A value of `x5c` that is no certificate.
    #[error("value {index} of its x5c {fault}: write the certificate as DER in base64 (RFC 7517 section 4.7), or remove x5c")]
    MalformedChain {
        /// The place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        fault: ChainFault,
    },
    /// `x5t` or `x5t#S256` that is no digest.
    #[error("its {member} is not the base64url of a digest of {bytes} bytes: correct it, or remove it")]
    MalformedDigest {
        /// The member.
        member: &'static str,
        /// The length of the digest.
        bytes: usize,
    },
    /// `x5t` or `x5t#S256` of another certificate.
    #[error("its {member} is not the digest of the first certificate of x5c: correct it, or remove it")]
    DigestMismatch {
        /// The member.
        member: &'static str,
    },
    /// `x5u` that cannot be fetched safely.
    #[error("its x5u is not an https address (RFC 7517 section 4.6): correct it, or remove it")]
    MalformedAddress,
    /// The chain beside the key is at fault, not the key.
    #[error("{0}")]
    Chain(Box<ImportError>),
    /// More certificates than a chain has.
    #[error("its chain has more than {limit} certificates, which are not supported")]
    LongChain {
        /// The limit.
        limit: usize,
    },
    /// More certificates than anybody needs beside a key.
    #[error("it holds {count} certificates, but at most {limit} are read: keep the key's own and those that certify it")]
    ManyCertificates {
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

/// What is wrong with a value of `x5c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum ChainFault {
    /// `x5c` is no list.
    #[strum(to_string = "is missing, because x5c is not a list")]
    NoList,
    /// It is no string.
    #[strum(to_string = "is not a string")]
    NoText,
    /// It is PEM.
    #[strum(to_string = "is PEM")]
    Pem,
    /// It is not base64.
    #[strum(to_string = "is not base64")]
    NoBase64,
    /// It is no certificate.
    #[strum(to_string = "is not a certificate")]
    NoCertificate,
}
