//! The UID of a Kubernetes object.

use std::fmt;

use kube::{Resource, core::ObjectMeta};

/// The UID of an object (Kubernetes, `metadata.uid`): one that is deleted and made again under its name has another.
///
/// It is empty for an object that the API server has not stored yet. No object that is read has that one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Box<str>);

impl Uid {
    /// That of an object.
    pub fn of(object: &impl Resource) -> Self {
        Self::in_metadata(object.meta())
    }

    /// That of the object with this metadata.
    pub fn in_metadata(metadata: &ObjectMeta) -> Self {
        metadata.uid.as_deref().unwrap_or_default().into()
    }

    /// Whether it is that of the object with this metadata.
    pub fn is_in(&self, metadata: &ObjectMeta) -> bool {
        metadata.uid.as_deref() == Some(self.as_str())
    }

    /// Whether it is that of no object.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As Kubernetes writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Uid {
    fn from(uid: &str) -> Self {
        Self(uid.into())
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
