//! Keys in OpenSSH's own forms. ssh-keygen writes no other for Ed25519; the rest it converts itself.

use pem::Pem;
use ssh_key::{PrivateKey, PublicKey, private::KeypairData, public::KeyData};
use zeroize::Zeroizing;

use super::{ImportError, edwards, encoded, key_of};
use crate::jwk::Jwk;

const LABEL: &str = "OPENSSH PRIVATE KEY";

/// The key of the section.
pub(super) fn key(section: &Pem) -> Result<Jwk, ImportError> {
    let bytes = Zeroizing::new(section.contents().to_vec());
    let key = match PrivateKey::from_bytes(&bytes) {
        Ok(key) => key,
        // Other algorithms are not compiled in.
        Err(ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. }) => return Err(ImportError::OpenSsh),
        Err(_) => return Err(ImportError::MalformedSection { label: LABEL }),
    };
    match key.key_data() {
        KeypairData::Encrypted(_) => Err(ImportError::EncryptedOpenSsh),
        KeypairData::Ed25519(pair) => edwards::of_seed(pair.private.as_ref()).ok_or(ImportError::MalformedSection { label: LABEL }),
        _ => Err(ImportError::OpenSsh),
    }
}

/// The key of a line as it stands in a file `.pub` or in `authorized_keys`.
pub(super) fn public_key(line: &str) -> Result<Jwk, ImportError> {
    let count = line.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
    if count > 1 {
        return Err(ImportError::SeveralKeys { count, kids: "no kids".to_owned() });
    }
    match PublicKey::from_openssh(line).as_ref().map(PublicKey::key_data) {
        Ok(KeyData::Ed25519(key)) => Ok(key_of([("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", encoded(key.as_ref()))])),
        _ => Err(ImportError::SshPublicKey),
    }
}
