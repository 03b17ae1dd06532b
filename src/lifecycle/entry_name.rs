//! The name of an entry of `spec.keys`.

use std::{borrow::Borrow, fmt};

/// The name of an entry of `spec.keys`: what its keys are told by, in the status and in their kids.
///
/// In a map it is found by its text, because a kid holds no more than that (`parse_generated`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(Box<str>);

impl EntryName {
    /// As it is written in the spec.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for EntryName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for EntryName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
