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
    pub(super) token: Option<SecretString>,
}

impl Received {
    /// Words of the server, fit for a log. The token is known here, so that it is found whatever its length and its letters.
    pub(super) fn redact(&self, words: &str) -> String {
        match self.token.as_ref().map(|token| token.expose_secret()) {
            Some(token) if !token.is_empty() => redact(&words.replace(token, "[redacted]")),
            _ => redact(words),
        }
    }
}
