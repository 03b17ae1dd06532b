//! The cases of `tests/data/import/cases.json`: what people keep in Secrets, and how a set with it may end.

use jwk_operator::jwk::{Jwk, import};
use serde_json::Value;
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

/// All of them.
pub fn all() -> Vec<Value> {
    serde_json::from_str(include_str!("../data/import/cases.json")).expect("JSON")
}

/// The name of the Secret and the set of a case.
pub fn name(case: &Value) -> String {
    format!("c-{}", case["id"].as_str().expect("an id"))
}

/// Whether the first certificate is the key's own, and each further one certifies the one before, by another implementation than the operator's.
pub fn check_chain(key: &Jwk, certificates: &[Vec<u8>]) -> Result<(), String> {
    let parsed: Vec<X509Certificate<'_>> = certificates
        .iter()
        .map(|der| X509Certificate::from_der(der).map(|(_, found)| found).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    let Some(leaf) = parsed.first() else { return Ok(()) };
    let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", leaf.public_key().raw));
    let own = import::read(pem.as_bytes(), None, import::Wanted { alg: key.alg(), ..import::Wanted::default() })
        .map_err(|error| error.to_string())?;
    if own.thumbprint() != key.thumbprint() {
        return Err("the first certificate is another key's".to_owned());
    }
    for pair in parsed.windows(2) {
        pair[0]
            .verify_signature(Some(pair[1].public_key()))
            .map_err(|error| format!("a certificate does not certify the one before: {error}"))?;
    }
    Ok(())
}
