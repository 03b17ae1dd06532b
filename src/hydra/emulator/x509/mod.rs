//! Certificates, as far as go-jose looks at those of a key: what Go's `crypto/x509` parses, and for whose key a certificate is.

mod algorithm;
mod certificate;
mod extension;
mod fault;
mod input;
mod name;
mod public_key;

pub(super) use certificate::parse;
pub(super) use fault::Fault;
pub(super) use public_key::CertifiedKey;
