//! Turns at what is scarce for each admin API: so many at a time, the urgent ones first, and no namespace waits for all of another's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::queue::Queue;
use crate::lifecycle::Urgency;

/// The turns of all admin APIs at one kind of work.
#[derive(Clone, Default)]
pub(in crate::operator) struct Turns {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    queues: HashMap<String, Queue<oneshot::Sender<Turn>>>,
    is_closed: bool,
}

/// One turn. The next one is given when it is dropped.
pub(in crate::operator) struct Turn {
    turns: Turns,
    admin_api: String,
}

/// Who asks for a turn, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::operator) struct Asking {
    /// The name of the AdminApi.
    pub(in crate::operator) admin_api: String,
    /// How many turns there are at a time.
    pub(in crate::operator) limit: usize,
    /// The namespace of the resource.
    pub(in crate::operator) namespace: String,
    /// How urgent it is.
    pub(in crate::operator) urgency: Urgency,
}

/// What a pass needs to begin.
pub(in crate::operator) struct Admission {
    /// Its turn at the admin API.
    pub(in crate::operator) turn: Turn,
    /// Its place among those that get a key, if it surely needs one.
    pub(in crate::operator) preparation: Option<Turn>,
}

impl Turns {
    /// Waits for a turn; `None` once the turns are closed. A future that is dropped leaves the queue.
    pub(in crate::operator) async fn take(&self, asking: &Asking) -> Option<Turn> {
        if let Some(turn) = self.try_take(asking) {
            return Some(turn);
        }
        let (turn, granted) = oneshot::channel();
        self.change(&asking.admin_api, |queue| {
            queue.set_limit(asking.limit);
            queue.push(&asking.namespace, asking.urgency, turn);
        });
        granted.await.ok()
    }

    /// A turn that is free now, if nobody waits for it.
    pub(in crate::operator) fn try_take(&self, asking: &Asking) -> Option<Turn> {
        let mut shared = self.lock();
        if shared.is_closed {
            return None;
        }
        let queue = shared.queues.entry(asking.admin_api.clone()).or_default();
        queue.set_limit(asking.limit);
        queue.try_start().then(|| Turn { turns: self.clone(), admin_api: asking.admin_api.clone() })
    }

    /// Gives no more turns: nobody waits any longer. Those that were given go on.
    pub(in crate::operator) fn close(&self) {
        let mut shared = self.lock();
        shared.is_closed = true;
        let queues = std::mem::take(&mut shared.queues);
        drop(shared);
        drop(queues);
    }

    /// Changes a queue, and gives the turns that are free then.
    fn change(&self, admin_api: &str, change: impl FnOnce(&mut Queue<oneshot::Sender<Turn>>)) {
        let mut shared = self.lock();
        if shared.is_closed {
            return;
        }
        let queues = &mut shared.queues;
        let queue = queues.entry(admin_api.to_owned()).or_default();
        change(queue);
        let mut given = Vec::new();
        while let Some(turn) = queue.take() {
            if turn.is_closed() {
                // Whoever asked does not wait any more.
                queue.end();
            } else {
                given.push(turn);
            }
        }
        if queue.is_idle() {
            queues.remove(admin_api);
        }
        drop(shared);
        for turn in given {
            // If nobody takes it, it is dropped here, and its turn with it.
            let _ = turn.send(Turn { turns: self.clone(), admin_api: admin_api.to_owned() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Whether it is a turn at this AdminApi.
    pub(in crate::operator) fn is_at(&self, admin_api: &str) -> bool {
        self.admin_api == admin_api
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.change(&self.admin_api, Queue::end);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn asking(admin_api: &str, limit: usize, namespace: &str) -> Asking {
        Asking { admin_api: admin_api.to_owned(), limit, namespace: namespace.to_owned(), urgency: Urgency::Change }
    }

    #[tokio::test]
    async fn no_more_than_the_limit_run_and_the_next_one_follows() {
        let turns = Turns::default();
        let first = turns.take(&asking("api", 2, "a")).await;
        let second = turns.try_take(&asking("api", 2, "a")).expect("a free turn");
        assert!(turns.try_take(&asking("api", 2, "b")).is_none());
        let (b, c) = (asking("api", 2, "b"), asking("api", 2, "c"));
        let mut third = Box::pin(turns.take(&b));
        let mut fourth = Box::pin(turns.take(&c));
        assert!(third.as_mut().now_or_never().is_none() && fourth.as_mut().now_or_never().is_none());
        assert!(turns.take(&asking("other", 2, "b")).now_or_never().is_some(), "another admin API has turns of its own");
        drop(first);
        let third = third.await.expect("a turn");
        assert!(turns.try_take(&asking("api", 2, "d")).is_none(), "who waits is not overtaken");
        drop(second);
        let fourth = fourth.await.expect("a turn");
        drop((third, fourth));
        assert!(turns.lock().queues.is_empty(), "nothing is kept of what is over");
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_nobodys_turn() {
        let turns = Turns::default();
        let one = asking("api", 1, "a");
        let running = turns.take(&one).await;
        let mut gone = Box::pin(turns.take(&one));
        let mut waiting = Box::pin(turns.take(&one));
        assert!(gone.as_mut().now_or_never().is_none() && waiting.as_mut().now_or_never().is_none());
        drop(gone);
        drop(running);
        assert!(waiting.now_or_never().is_some());

        // One that was given a turn and never took it.
        let running = turns.take(&one).await;
        let mut gone = Box::pin(turns.take(&one));
        assert!(gone.as_mut().now_or_never().is_none());
        drop(running);
        drop(gone);
        assert!(turns.take(&one).now_or_never().is_some());
        assert!(turns.lock().queues.is_empty(), "nothing is kept of what is over");
    }

    #[tokio::test]
    async fn nobody_waits_for_closed_turns() {
        let turns = Turns::default();
        let one = asking("api", 1, "a");
        let running = turns.take(&one).await.expect("a turn");
        let mut waiting = Box::pin(turns.take(&one));
        assert!(waiting.as_mut().now_or_never().is_none());
        turns.close();
        assert!(waiting.await.is_none() && turns.take(&one).await.is_none());
        drop(running);
        assert!(turns.lock().queues.is_empty(), "nothing is kept of what is over");
    }
}
