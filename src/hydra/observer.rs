//! Who wants to know of each call.

use std::time::Duration;

use super::operation::Operation;

/// Is told of each call when it is over, for metrics. It must not wait.
pub trait Observer: Send + Sync {
    /// A call is over: the status of its answer, `None` without one; how long it took in all, and how long of that it waited for its turn.
    fn called(&self, operation: Operation, status: Option<u16>, took: Duration, waited: Duration);
}
