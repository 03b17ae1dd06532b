//! The order in which those who wait come to their turn, decided purely: by urgency, and the namespaces one after the other.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::lifecycle::Urgency;

/// Of so many turns one goes to whoever waits longest, however little urgent: what is always urgent somewhere must not stop the rest.
const OLDEST_EVERY: u32 = 4;

/// Who waits at one admin API.
pub(super) struct Queue<T> {
    limit: usize,
    running: usize,
    /// How many ever came, so that the oldest is known.
    arrivals: u64,
    /// How many turns were given.
    given: u32,
    classes: BTreeMap<Urgency, Class<T>>,
}

/// Those of one urgency: a queue for each namespace, and the order of the namespaces.
struct Class<T> {
    order: VecDeque<String>,
    namespaces: HashMap<String, VecDeque<(u64, T)>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { limit: 1, running: 0, arrivals: 0, given: 0, classes: BTreeMap::new() }
    }
}

impl<T> Queue<T> {
    /// At most so many turns at a time; 0 counts as 1.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    /// Somebody waits from now on.
    pub(super) fn push(&mut self, namespace: &str, urgency: Urgency, waiting: T) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        let class = self.classes.entry(urgency).or_insert_with(|| Class { order: VecDeque::new(), namespaces: HashMap::new() });
        let queue = class.namespaces.entry(namespace.to_owned()).or_insert_with(|| {
            class.order.push_back(namespace.to_owned());
            VecDeque::new()
        });
        queue.push_back((arrival, waiting));
    }

    /// Starts a turn without waiting, if one is free and nobody waits for it.
    pub(super) fn try_start(&mut self) -> bool {
        let is_free = self.running < self.limit && self.classes.is_empty();
        self.running += usize::from(is_free);
        is_free
    }

    /// Starts the next turn, if one is free: of the most urgent the first of the namespace that has waited longest for one.
    pub(super) fn take(&mut self) -> Option<T> {
        if self.running >= self.limit {
            return None;
        }
        let next = if self.given % OLDEST_EVERY == OLDEST_EVERY - 1 { self.take_oldest() } else { self.take_most_urgent() }?;
        self.given = self.given.wrapping_add(1);
        self.running += 1;
        Some(next)
    }

    /// A turn is over.
    pub(super) fn end(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Whether nobody has a turn or waits for one.
    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.classes.is_empty()
    }

    fn take_most_urgent(&mut self) -> Option<T> {
        let urgency = *self.classes.keys().next()?;
        let namespace = self.classes.get(&urgency)?.order.front()?.clone();
        self.take_first_of(urgency, &namespace)
    }

    fn take_oldest(&mut self) -> Option<T> {
        let fronts = self.classes.iter().flat_map(|(urgency, class)| {
            let fronts = class.namespaces.iter().filter_map(|(name, queue)| Some((queue.front()?.0, name)));
            fronts.map(|(arrival, name)| (arrival, *urgency, name))
        });
        let (_, urgency, namespace) = fronts.min_by_key(|(arrival, ..)| *arrival)?;
        let namespace = namespace.clone();
        self.take_first_of(urgency, &namespace)
    }

    /// Takes the first of a namespace, which goes behind the others.
    fn take_first_of(&mut self, urgency: Urgency, namespace: &str) -> Option<T> {
        let class = self.classes.get_mut(&urgency)?;
        let queue = class.namespaces.get_mut(namespace)?;
        let (_, first) = queue.pop_front()?;
        let is_empty = queue.is_empty();
        class.order.retain(|other| other != namespace);
        if is_empty {
            class.namespaces.remove(namespace);
        } else {
            class.order.push_back(namespace.to_owned());
        }
        if class.namespaces.is_empty() {
            self.classes.remove(&urgency);
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URGENCIES: [Urgency; 3] = [Urgency::Revocation, Urgency::Change, Urgency::Resync];

    fn drained<T>(queue: &mut Queue<T>) -> Vec<T> {
        queue.set_limit(usize::MAX);
        std::iter::from_fn(|| queue.take()).collect()
    }

    #[test]
    fn namespaces_alternate() {
        let mut queue = Queue::default();
        for number in 0..3 {
            queue.push("greedy", Urgency::Change, format!("greedy-{number}"));
        }
        queue.push("modest", Urgency::Change, "modest-0".to_owned());
        assert_eq!(drained(&mut queue), ["greedy-0", "modest-0", "greedy-1", "greedy-2"]);
        assert!(!queue.is_idle());
        (0..4).for_each(|_| queue.end());
        assert!(queue.is_idle());
    }

    #[test]
    fn a_revocation_overtakes_and_a_resync_is_not_forgotten() {
        let mut queue = Queue::default();
        queue.push("a", Urgency::Resync, "resync");
        for name in ["1", "2", "3", "4", "5"] {
            queue.push("a", Urgency::Revocation, name);
        }
        assert_eq!(drained(&mut queue), ["1", "2", "3", "resync", "4", "5"]);
    }

    #[test]
    fn nobody_overtakes_those_who_wait() {
        let mut queue = Queue::default();
        assert!(queue.try_start());
        queue.push("a", Urgency::Resync, ());
        assert!(!queue.try_start());
        queue.end();
        assert!(!queue.try_start(), "the free turn is for the one who waits");
        assert_eq!(queue.take(), Some(()));
    }

    proptest! {
        /// Nobody is lost, in a namespace the order is kept for each urgency, no more than the limit run, and each wait is bounded: in four
        /// turns at least one goes to the oldest.
        #[test]
        fn everybody_has_a_turn(asked in proptest::collection::vec((0..4usize, 0..3usize), 0..60), limit in 1..5usize) {
            let mut queue = Queue::default();
            queue.set_limit(limit);
            let mut waiting = Vec::new();
            let mut order = Vec::new();
            for (number, (namespace, urgency)) in asked.iter().enumerate() {
                queue.push(&namespace.to_string(), URGENCIES[*urgency], (number, *namespace, *urgency));
                waiting.push(number);
            }
            let mut turns_without_oldest = 0;
            loop {
                let running: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
                prop_assert!(running.len() <= limit);
                if running.is_empty() {
                    break;
                }
                for next in running {
                    turns_without_oldest = if waiting[0] == next.0 { 0 } else { turns_without_oldest + 1 };
                    prop_assert!(turns_without_oldest < OLDEST_EVERY);
                    waiting.retain(|number| *number != next.0);
                    order.push(next);
                    queue.end();
                }
            }
            prop_assert!(waiting.is_empty() && queue.is_idle());
            for (earlier, later) in order.iter().zip(order.iter().skip(1)) {
                prop_assert!((earlier.1, earlier.2) != (later.1, later.2) || earlier.0 < later.0);
            }
        }

        /// Of one urgency, and without the turns for the oldest, every namespace that waits has a turn between two of another.
        #[test]
        fn every_namespace_has_its_turn_before_another_has_two(asked in proptest::collection::vec(0..4usize, 0..40)) {
            let mut queue = Queue::default();
            for (number, namespace) in asked.iter().enumerate() {
                queue.push(&namespace.to_string(), Urgency::Change, (*namespace, number));
            }
            let order: Vec<_> = std::iter::from_fn(|| queue.take_most_urgent()).collect();
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
