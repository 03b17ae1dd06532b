//! The certificate chain of a key (RFC 7517 section 4.7).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use der::{Decode as _, Encode as _};
use pkcs8::SubjectPublicKeyInfoRef;
use serde_json::Value;
use x509_cert::Certificate;

use super::{ImportError, public};
use crate::jwk::Jwk;

/// The longest chain that is taken over.
const LONGEST_CHAIN: usize = 10;

/// The public key of a certificate.
pub(super) fn key(certificate: &[u8]) -> Result<Jwk, ImportError> {
    let damaged = |_| ImportError::MalformedSection { label: "CERTIFICATE" };
    let certificate = Certificate::from_der(certificate).map_err(damaged)?;
    let info = certificate.tbs_certificate().subject_public_key_info().to_der().map_err(damaged)?;
    public::key(&SubjectPublicKeyInfoRef::try_from(&info[..]).map_err(|_| ImportError::MalformedSection { label: "CERTIFICATE" })?)
}

/// Gives a key its chain, whose first certificate must hold the same public key. Whether the chain is trusted or expired is for others to say.
pub(super) fn attach(key_of_chain: Jwk, certificates: &[Vec<u8>]) -> Result<Jwk, ImportError> {
    if certificates.len() > LONGEST_CHAIN {
        return Err(ImportError::LongChain { count: certificates.len(), limit: LONGEST_CHAIN });
    }
    let leaf = certificates.first().ok_or(ImportError::NoKey)?;
    for certificate in certificates {
        // Each is looked at, so that nothing but certificates is ever published.
        Certificate::from_der(certificate).map_err(|_| ImportError::MalformedSection { label: "CERTIFICATE" })?;
    }
    if key(leaf)?.thumbprint() != key_of_chain.thumbprint() {
        return Err(ImportError::CertificateMismatch);
    }
    let chain = certificates.iter().map(|certificate| Value::String(STANDARD.encode(certificate))).collect();
    Ok(key_of_chain.with("x5c", Value::Array(chain)))
}
