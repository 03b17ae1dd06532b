//! The id of a key.

use std::{borrow::Borrow, fmt};

/// A key ID (RFC 7517 section 4.5): what a verifier chooses the key by. The case of letters counts.
///
/// It is here because it is a member of a JWK, whoever gave it. In a map it is found by its text, which is what a JWK holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(Box<str>);

impl Kid {
    /// As the JWK has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Kid {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Kid {
    fn from(kid: &str) -> Self {
        Self(kid.into())
    }
}

impl From<String> for Kid {
    fn from(kid: String) -> Self {
        Self(kid.into_boxed_str())
    }
}

impl PartialEq<str> for Kid {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Kid {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
