//! Trouble on request.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::EmulatedOperation;

/// What happens to a call instead of the usual.
#[derive(Clone, Debug)]
pub enum Effect {
    /// This answer, and nothing is done.
    Answer(StatusCode, HeaderMap, Bytes),
    /// The operation is done, and then this answer is given instead of its own.
    AnswerAfterEffect(StatusCode, HeaderMap, Bytes),
    /// Waits, then does what was asked. If the caller gives up meanwhile, it is done all the same.
    DelayBefore(Duration),
    /// Does what was asked, and waits before answering.
    DelayAfter(Duration),
    /// Drops the connection, and nothing is done.
    LoseRequest,
    /// Does what was asked, and drops the connection without an answer.
    LoseReply,
    /// Drops the connection at once, and does what was asked after the wait.
    LateEffect(Duration),
}

impl Effect {
    /// An answer with this status and a body like those of Hydra's handlers; nothing is done.
    pub fn status(status: StatusCode) -> Self {
        let body = format!(r#"{{"error":"{}","error_description":"injected"}}"#, status.canonical_reason().unwrap_or_default());
        Self::Answer(status, HeaderMap::new(), body.into())
    }

    /// 429 with `Retry-After` in seconds.
    pub fn retry_after(seconds: u32) -> Self {
        let headers = HeaderMap::from_iter([(HeaderName::from_static("retry-after"), HeaderValue::from(seconds))]);
        Self::Answer(StatusCode::TOO_MANY_REQUESTS, headers, Bytes::new())
    }
}

/// An effect and the calls that it applies to. Without a restriction it applies to every call, `/health` included.
#[derive(Clone, Debug)]
pub struct Fault {
    effect: Effect,
    method: Option<Method>,
    operation: Option<EmulatedOperation>,
    path_prefix: Option<String>,
    set: Option<String>,
    kid: Option<String>,
    writes_only: bool,
    times: usize,
}

impl Fault {
    /// A fault for the next call.
    pub fn new(effect: Effect) -> Self {
        Self { effect, method: None, operation: None, path_prefix: None, set: None, kid: None, writes_only: false, times: 1 }
    }

    /// Only calls with this method.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Only calls of this operation.
    #[must_use]
    pub fn operation(self, operation: EmulatedOperation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// Only calls whose raw path begins with `prefix`.
    #[must_use]
    pub fn path_prefix(self, prefix: &str) -> Self {
        Self { path_prefix: Some(prefix.to_owned()), ..self }
    }

    /// Only calls on this set.
    #[must_use]
    pub fn set(self, set: &str) -> Self {
        Self { set: Some(set.to_owned()), ..self }
    }

    /// Only calls with this `kid` in the path.
    #[must_use]
    pub fn kid(self, kid: &str) -> Self {
        Self { kid: Some(kid.to_owned()), ..self }
    }

    /// Only operations that are meant to change something.
    #[must_use]
    pub fn writes(self) -> Self {
        Self { writes_only: true, ..self }
    }

    /// For so many calls.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// For all calls until [`Faults::clear`].
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    fn matches(&self, call: &Target<'_>) -> bool {
        fn agrees<T: PartialEq + ?Sized>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        agrees(self.method.as_ref(), Some(call.method))
            && agrees(self.operation.as_ref(), call.operation.as_ref())
            && agrees(self.set.as_deref(), call.set)
            && agrees(self.kid.as_deref(), call.kid)
            && self.path_prefix.as_deref().is_none_or(|prefix| call.path.starts_with(prefix))
            && (!self.writes_only || call.operation.is_some_and(EmulatedOperation::is_write))
    }
}

/// What a fault is matched against.
pub(super) struct Target<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) operation: Option<EmulatedOperation>,
    pub(super) set: Option<&'a str>,
    pub(super) kid: Option<&'a str>,
}

/// The faults that are waiting for their calls, oldest first. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Faults {
    /// Adds a fault. Of several that match a call, the oldest is used.
    pub fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// How many faults have calls left to meet.
    pub fn pending(&self) -> usize {
        self.lock().len()
    }

    /// Back to normal.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The effect on this call, used up once.
    pub(super) fn take(&self, call: &Target<'_>) -> Option<Effect> {
        let mut faults = self.lock();
        let index = faults.iter().position(|fault| fault.times > 0 && fault.matches(call))?;
        let fault = &mut faults[index];
        if fault.times != usize::MAX {
            fault.times -= 1;
        }
        let effect = fault.effect.clone();
        faults.retain(|fault| fault.times > 0);
        Some(effect)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
