//! At most so many key generations at a time for one admin API, and no namespace waits for all of another's.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// The turns of all admin APIs.
#[derive(Clone, Default)]
pub(super) struct Generations {
    queues: Arc<Mutex<HashMap<String, Queue<oneshot::Sender<GenerationPermit>>>>>,
}

/// A turn to have one key generated. The next one is given when it is dropped.
pub(super) struct GenerationPermit {
    generations: Generations,
    admin_api: String,
}

impl Generations {
    /// Waits for a turn of `namespace` at an admin API that makes `limit` keys at a time.
    ///
    /// The namespaces that wait take turns; inside one it is first come, first served. A future that is dropped leaves the queue.
    pub(super) async fn permit(&self, admin_api: &str, limit: usize, namespace: &str) -> GenerationPermit {
        let (turn, granted) = oneshot::channel();
        self.change(admin_api, |queue| {
            queue.limit = limit;
            queue.push(namespace, turn);
        });
        match granted.await {
            Ok(permit) => permit,
            // No sender is dropped while it waits; if one ever were, going ahead does no harm.
            Err(_) => GenerationPermit { generations: self.clone(), admin_api: admin_api.to_owned() },
        }
    }

    /// Changes a queue, and gives the turns that are free then.
    fn change(&self, admin_api: &str, change: impl FnOnce(&mut Queue<oneshot::Sender<GenerationPermit>>)) {
        let mut queues = self.lock();
        let queue = queues.entry(admin_api.to_owned()).or_default();
        change(queue);
        let mut given = Vec::new();
        while let Some(turn) = queue.take() {
            if turn.is_closed() {
                // Whoever asked does not wait any more.
                queue.running -= 1;
            } else {
                given.push(turn);
            }
        }
        if queue.running == 0 && queue.is_empty() {
            queues.remove(admin_api);
        }
        drop(queues);
        for turn in given {
            // If nobody takes it, it is dropped here, and its turn with it.
            let _ = turn.send(GenerationPermit { generations: self.clone(), admin_api: admin_api.to_owned() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue<oneshot::Sender<GenerationPermit>>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GenerationPermit {
    fn drop(&mut self) {
        self.generations.change(&self.admin_api, |queue| queue.running = queue.running.saturating_sub(1));
    }
}

/// Who waits at one admin API: a queue for each namespace, and the namespaces in turn.
struct Queue<Turn> {
    limit: usize,
    running: usize,
    namespaces: VecDeque<(String, VecDeque<Turn>)>,
}

impl<Turn> Default for Queue<Turn> {
    fn default() -> Self {
        Self { limit: 1, running: 0, namespaces: VecDeque::new() }
    }
}

impl<Turn> Queue<Turn> {
    fn push(&mut self, namespace: &str, turn: Turn) {
        match self.namespaces.iter_mut().find(|(name, _)| name == namespace) {
            Some((_, turns)) => turns.push_back(turn),
            None => self.namespaces.push_back((namespace.to_owned(), VecDeque::from([turn]))),
        }
    }

    /// The next turn, if one is free. Its namespace goes behind the others.
    fn take(&mut self) -> Option<Turn> {
        if self.running >= self.limit {
            return None;
        }
        let (namespace, mut turns) = self.namespaces.pop_front()?;
        let turn = turns.pop_front()?;
        if !turns.is_empty() {
            self.namespaces.push_back((namespace, turns));
        }
        self.running += 1;
        Some(turn)
    }

    fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn namespaces_take_turns() {
        let mut queue = Queue { limit: 100, ..Queue::default() };
        for number in 0..3 {
            queue.push("greedy", format!("greedy-{number}"));
        }
        queue.push("modest", "modest-0".to_owned());
        let order: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(order, ["greedy-0", "modest-0", "greedy-1", "greedy-2"]);
    }

    #[tokio::test]
    async fn no_more_than_the_limit_run_and_the_next_one_follows() {
        let generations = Generations::default();
        let first = generations.permit("api", 2, "a").await;
        let second = generations.permit("api", 2, "a").await;
        let mut third = Box::pin(generations.permit("api", 2, "b"));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(generations.permit("other", 2, "b").now_or_never().is_some(), "another admin API has turns of its own");
        drop(first);
        let third = third.await;
        drop((second, third));
        assert!(generations.lock().is_empty(), "nothing is kept of what is over");
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_nobodys_turn() {
        let generations = Generations::default();
        let running = generations.permit("api", 1, "a").await;
        let mut gone = Box::pin(generations.permit("api", 1, "a"));
        let mut waiting = Box::pin(generations.permit("api", 1, "a"));
        assert!(gone.as_mut().now_or_never().is_none() && waiting.as_mut().now_or_never().is_none());
        drop(gone);
        drop(running);
        assert!(waiting.now_or_never().is_some());

        // One that was given a turn and never took it.
        let running = generations.permit("api", 1, "a").await;
        let mut gone = Box::pin(generations.permit("api", 1, "a"));
        assert!(gone.as_mut().now_or_never().is_none());
        drop(running);
        drop(gone);
        assert!(generations.permit("api", 1, "a").now_or_never().is_some());
    }

    proptest! {
        /// Between two turns of one namespace every other one that waits has its turn; inside one the order is kept.
        #[test]
        fn every_namespace_has_its_turn_before_another_has_two(asked in proptest::collection::vec(0..4usize, 0..40)) {
            let mut queue = Queue { limit: usize::MAX, ..Queue::default() };
            for (number, namespace) in asked.iter().enumerate() {
                queue.push(&namespace.to_string(), (*namespace, number));
            }
            let order: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
            prop_assert_eq!(order.len(), asked.len());
            for (index, (namespace, number)) in order.iter().enumerate() {
                if let Some(next) = order[index + 1..].iter().position(|(other, _)| other == namespace) {
                    let between = &order[index + 1..=index + next];
                    prop_assert!(order[index + 1 + next].1 > *number);
                    for other in (0..4).filter(|other| other != namespace) {
                        let waits = order[index + 1..].iter().any(|(waiting, _)| *waiting == other);
                        prop_assert!(!waits || between.iter().any(|(took, _)| *took == other));
                    }
                }
            }
        }
    }
}
