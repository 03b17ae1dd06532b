//! What goes on for long is told when it begins, and then now and then with a count: a log of the same line hides the others.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How often the log repeats what goes on.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// How often one thing happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repeated {
    told: Option<Instant>,
    since_told: u32,
}

impl Repeated {
    /// It happened. Answers how often since it was told last, this time included, if it is to be told now: the first time, and every ten
    /// minutes.
    pub(super) fn note(&mut self, now: Instant) -> Option<u32> {
        self.since_told = self.since_told.saturating_add(1);
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= AGAIN_AFTER);
        is_due.then(|| {
            self.told = Some(now);
            std::mem::take(&mut self.since_told)
        })
    }

    /// It was told by something else.
    pub(super) fn was_told(&mut self, now: Instant) {
        *self = Self { told: Some(now), since_told: 0 };
    }
}

/// What goes wrong with a resource for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wrong {
    /// It is not ready, for the reason that its status says.
    Pass,
    /// Kubernetes cannot be asked for it.
    Reconcile,
    /// A target cannot be written.
    Target,
    /// A Secret cannot be read.
    Source,
}

/// How often each of them happened.
#[derive(Default)]
pub(super) struct Repeats(BTreeMap<Wrong, Repeated>);

impl Repeats {
    /// One of them.
    pub(super) fn of(&mut self, what: Wrong) -> &mut Repeated {
        self.0.entry(what).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_told_at_once_and_every_ten_minutes_with_a_count() {
        let mut repeated = Repeated::default();
        let start = Instant::now();
        let told: Vec<_> = (0..=1200).step_by(5).filter_map(|second| repeated.note(start + Duration::from_secs(second))).collect();
        assert_eq!(told, [1, 120, 120]);
        repeated.was_told(start + Duration::from_secs(1200));
        assert_eq!(repeated.note(start + Duration::from_secs(1205)), None);
    }
}
