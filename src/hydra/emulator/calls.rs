//! What was asked of the emulator, so that tests can count it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Method, StatusCode};

/// The seven operations on key sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EmulatedOperation {
    /// `POST /admin/keys/{set}`: generate a key.
    CreateKey,
    /// `GET /admin/keys/{set}`.
    GetSet,
    /// `PUT /admin/keys/{set}`: replace all keys.
    PutSet,
    /// `DELETE /admin/keys/{set}`.
    DeleteSet,
    /// `GET /admin/keys/{set}/{kid}`.
    GetKey,
    /// `PUT /admin/keys/{set}/{kid}`: store a key.
    PutKey,
    /// `DELETE /admin/keys/{set}/{kid}`.
    DeleteKey,
}

impl EmulatedOperation {
    /// Whether the operation is meant to change something.
    pub fn is_write(self) -> bool {
        !matches!(self, Self::GetSet | Self::GetKey)
    }
}

/// One request and what became of it. Bodies are not kept: they hold private keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedCall {
    /// The method.
    pub method: Method,
    /// The path as it was sent.
    pub path: String,
    /// Which of the seven operations it is, if it is one.
    pub operation: Option<EmulatedOperation>,
    /// The set in the path, decoded.
    pub set: Option<String>,
    /// The `kid` in the path, decoded.
    pub kid: Option<String>,
    /// The status that was answered, or would have been if the answer was lost on purpose. `None` if nothing was done.
    pub status: Option<StatusCode>,
    /// The trace that the caller says it belongs to: the header `traceparent`.
    pub traceparent: Option<String>,
}

/// The log of calls, in the order in which they were finished. At most the newest 100,000 are kept.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<VecDeque<ReceivedCall>>>);

impl Calls {
    /// All calls since the start or the last [`Calls::clear`].
    pub fn all(&self) -> Vec<ReceivedCall> {
        self.lock().iter().cloned().collect()
    }

    /// How many calls `matches` is true for.
    pub fn count(&self, matches: impl Fn(&ReceivedCall) -> bool) -> usize {
        self.lock().iter().filter(|call| matches(call)).count()
    }

    /// How many calls there were of one operation.
    pub fn of(&self, operation: EmulatedOperation) -> usize {
        self.count(|call| call.operation == Some(operation))
    }

    /// How many calls were meant to change something.
    pub fn writes(&self) -> usize {
        self.count(|call| call.operation.is_some_and(EmulatedOperation::is_write))
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn push(&self, call: ReceivedCall) {
        let mut calls = self.lock();
        if calls.len() == 100_000 {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<ReceivedCall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
