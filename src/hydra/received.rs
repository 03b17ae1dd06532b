//! An answer as it came.

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::redact::redact;

/// An answer as it came. The body may hold private keys and is overwritten when it is dropped.
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) date: Option<Timestamp>,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// The credentials that were sent.
    pub(super) secrets: Vec<SecretString>,
}

impl Received {
    /// Words of the server, fit for a log. The credentials are known here, so that they are found whatever their length and their letters.
    pub(super) fn redact(&self, words: &str) -> String {
        let known = self.secrets.iter().map(|secret| secret.expose_secret()).filter(|secret| !secret.is_empty());
        redact(&known.fold(words.to_owned(), |words, secret| words.replace(secret, "[redacted]")))
    }
}
