//! What a request carries to show who sends it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// What a request carries to show who sends it, and what must not be repeated of it in any text.
pub(super) struct Credentials {
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    pub(super) secrets: Vec<SecretString>,
    /// Which of several tokens it was.
    pub(super) token: Option<u64>,
}

/// `user:password` in base64.
pub(super) fn encode_basic(username: &str, password: &str) -> SecretString {
    let plain = Zeroizing::new(format!("{username}:{password}"));
    SecretString::from(STANDARD.encode(plain.as_bytes()))
}
