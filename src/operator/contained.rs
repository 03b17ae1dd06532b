//! Panics, contained: one resource must not stop the others.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;

/// What ran panicked. It was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// Runs `work` to its end, whatever happens in it. `what` says in the log what it was.
pub(super) async fn contained<T>(what: &'static str, work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| {
        tracing::error!("{what} panicked: this is a defect of the operator, please report it");
        Panicked
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_stops_nobody() {
        assert_eq!(contained("a test", async { 7 }).await, Ok(7));
        let broken: Result<(), _> = contained("a test", async { panic!("a defect") }).await;
        assert_eq!(broken, Err(Panicked));
    }
}
