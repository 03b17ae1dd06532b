//! What goes on for long is logged when it begins, and now and then after that with a count: the same line again and again hides the others.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How often the log repeats what goes on.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// How often one thing happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repeated {
    logged: Option<Instant>,
    since_logged: u32,
}

impl Repeated {
    /// It happened. Answers how often since it was logged last, this time included, if it should be logged now: the first time, and every ten
    /// minutes.
    pub(super) fn note(&mut self, now: Instant) -> Option<u32> {
        self.since_logged = self.since_logged.saturating_add(1);
        let is_due = self.logged.is_none_or(|logged| now.duration_since(logged) >= AGAIN_AFTER);
        is_due.then(|| {
            self.logged = Some(now);
            std::mem::take(&mut self.since_logged)
        })
    }

    /// It was logged by something else.
    pub(super) fn was_logged(&mut self, now: Instant) {
        *self = Self { logged: Some(now), since_logged: 0 };
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
    fn what_goes_on_is_logged_at_once_and_every_ten_minutes_with_a_count() {
        let mut repeated = Repeated::default();
        let start = Instant::now();
        let told: Vec<_> = (0..=1200).step_by(5).filter_map(|second| repeated.note(start + Duration::from_secs(second))).collect();
        assert_eq!(told, [1, 120, 120]);
        repeated.was_logged(start + Duration::from_secs(1200));
        assert_eq!(repeated.note(start + Duration::from_secs(1205)), None);
    }
}
