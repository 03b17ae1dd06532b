//! The targets of one resource that somebody else edited, and when each may be looked at.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use crate::lifecycle::TargetId;

/// The first pause between two repairs of one target. The first repair waits for nothing.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A target that was left alone for so long is repaired at once again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// The targets of one resource that were edited.
#[derive(Default)]
pub(in crate::operator) struct Edits(BTreeMap<TargetId, Edited>);

/// One target that was edited.
struct Edited {
    /// Whether it was edited since it was last looked at.
    is_open: bool,
    /// When it may be looked at.
    allowed_at: Instant,
    pauses: ExponentialBackoff,
}

impl Edits {
    /// Somebody else changed or removed a target.
    pub(in crate::operator) fn note(&mut self, target: TargetId) {
        let edited = self.0.entry(target);
        edited.or_insert_with(|| Edited { is_open: true, allowed_at: Instant::now(), pauses: pauses() }).is_open = true;
    }

    /// A pass looks at every target: nothing is left to look at. What was left alone for long is forgotten.
    pub(in crate::operator) fn close(&mut self, now: Instant) {
        self.0.values_mut().for_each(|edited| edited.is_open = false);
        self.0.retain(|_, edited| now < edited.allowed_at + FORGIVEN_AFTER);
    }

    /// When the next edited target may be looked at; `None` if none was edited.
    pub(in crate::operator) fn next(&self) -> Option<Instant> {
        self.0.values().filter(|edited| edited.is_open).map(|edited| edited.allowed_at).min()
    }

    /// Takes the targets that are to be looked at now; the next edits of them wait longer.
    pub(in crate::operator) fn take(&mut self, now: Instant) -> Vec<TargetId> {
        let mut due = Vec::new();
        for (id, edited) in self.0.iter_mut().filter(|(_, edited)| edited.is_open && edited.allowed_at <= now) {
            if now >= edited.allowed_at + FORGIVEN_AFTER {
                edited.pauses = pauses();
            }
            edited.is_open = false;
            edited.allowed_at = now + edited.pauses.next().unwrap_or(LONGEST_PAUSE);
            due.push(id.clone());
        }
        due
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_delay(LONGEST_PAUSE).without_max_times().with_jitter().build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TargetKind;

    fn target(name: &str) -> TargetId {
        TargetId { kind: TargetKind::ConfigMap, namespace: "shop".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn the_first_edit_is_looked_at_at_once_and_the_next_ones_ever_later() {
        let (mut edits, mut now) = (Edits::default(), Instant::now());
        edits.note(target("a"));
        now += Duration::from_millis(1);
        assert_eq!(edits.take(now), [target("a")]);
        assert!(edits.take(now).is_empty() && edits.next().is_none(), "nothing new");
        let mut looked = 0;
        let end = now + Duration::from_secs(600);
        while now < end {
            edits.note(target("a"));
            let due = edits.take(now);
            looked += due.len();
            assert_eq!(due.is_empty(), edits.next().is_some_and(|next| next > now));
            now += Duration::from_millis(7);
        }
        assert!((4..=12).contains(&looked), "{looked} looks in ten minutes of edits");

        edits.note(target("b"));
        assert_eq!(edits.take(now), [target("b")], "another target waits for nothing");
        now += LONGEST_PAUSE * 2 + FORGIVEN_AFTER;
        edits.note(target("a"));
        assert_eq!(edits.take(now), [target("a")], "it was left alone for long");
    }

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let mut edits = Edits::default();
        let now = Instant::now() + Duration::from_millis(1);
        edits.note(target("a"));
        edits.close(now);
        assert!(edits.take(now).is_empty(), "a pass looked at it");
        edits.close(now + FORGIVEN_AFTER + LONGEST_PAUSE);
        assert!(edits.0.is_empty());
    }
}
