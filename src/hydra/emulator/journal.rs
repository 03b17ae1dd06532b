//! What each write did to its set, for tests that judge it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::EmulatedOperation;
use crate::jwk::Jwk;

/// One write over HTTP that took effect.
#[derive(Clone, Debug)]
pub struct Change {
    /// When it took effect.
    pub at: Timestamp,
    /// What it was.
    pub operation: EmulatedOperation,
    /// The set.
    pub set: String,
    /// The keys of the set before, newest first, private members included.
    pub before: Vec<Jwk>,
    /// And after.
    pub after: Vec<Jwk>,
}

/// The changes since the journal was opened. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Option<Vec<Change>>>>);

impl Journal {
    /// Begins to keep changes. They hold private keys, so none are kept before.
    pub fn open(&self) {
        self.lock().get_or_insert_default();
    }

    /// The changes so far, in their order.
    pub fn all(&self) -> Vec<Change> {
        self.lock().clone().unwrap_or_default()
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    pub(super) fn push(&self, change: Change) {
        if let Some(changes) = &mut *self.lock() {
            changes.push(change);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Change>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
