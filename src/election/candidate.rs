//! One process that competes for the Lease.

use std::time::Duration;

/// A moment on the process' own clock, which only goes forward and counts while the machine sleeps: the time since the machine booted.
pub type Moment = Duration;

/// How long everything takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseTiming {
    /// How long others wait after they last saw the Lease renewed.
    pub lease: Duration,
    /// How long the holder may write after it last asked for the Lease with success. Shorter than `lease`.
    pub deadline: Duration,
    /// How often the holder renews the Lease.
    pub renewal: Duration,
    /// How often others look at it, and how long to pause after a failure.
    pub retry: Duration,
}

impl LeaseTiming {
    /// The usual proportions: the holder stops after two thirds of the lease, and renews it every fifth.
    pub fn of_lease(lease: Duration) -> Self {
        Self { lease, deadline: lease * 2 / 3, renewal: lease / 5, retry: (lease / 8).min(Duration::from_secs(2)) }
    }

    /// How long one request may take: two must fit between a renewal and the deadline.
    pub fn request(&self) -> Duration {
        (self.deadline - self.renewal - self.retry) / 2
    }
}

/// What the Lease says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The version of the object, which every write changes.
    pub version: String,
    /// Who holds it. `None` if it was given back.
    pub holder: Option<String>,
    /// How long others have to wait, as the holder wrote it.
    pub duration: Duration,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the Lease, and tell [`Candidate::was_read`].
    Read,
    /// Create the Lease with oneself as its holder, and tell [`Candidate::was_written`] or [`Candidate::failed`].
    Create,
    /// Write oneself as the holder if the Lease still has this version, and tell the same.
    Write {
        /// The version that was read.
        version: String,
    },
    /// Nothing until then.
    Wait {
        /// When to ask again.
        until: Moment,
    },
    /// The Lease is lost for good: the process must end, and may compete again as a new one.
    StepDown,
}

/// One process that competes for the Lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    identity: String,
    timing: LeaseTiming,
    /// The Lease as it was last seen, `None` inside for one that is not there, and since when it was seen so.
    seen: Option<(Option<Lease>, Moment)>,
    /// Whether a look must come before anything else: a write was refused, or its fate is not known.
    is_stale: bool,
    /// When to look or renew again.
    next: Moment,
    /// Until when this process may write.
    held_until: Option<Moment>,
    /// Whether somebody else was seen to hold the Lease of this leader.
    is_over: bool,
}

impl Candidate {
    /// A process that has seen nothing yet. Its identity must be its own: a second process of the same name would take itself for the first.
    pub fn new(identity: impl Into<String>, timing: LeaseTiming) -> Self {
        Self { identity: identity.into(), timing, seen: None, is_stale: true, next: Moment::ZERO, held_until: None, is_over: false }
    }

    /// Whether this process may write now.
    pub fn may_write(&self, now: Moment) -> bool {
        !self.is_over && self.held_until.is_some_and(|until| now < until)
    }

    /// Until when this process may write, if it leads.
    pub fn held_until(&self) -> Option<Moment> {
        self.held_until.filter(|_| !self.is_over)
    }

    /// Who was last seen to hold the Lease.
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref()?.0.as_ref()?.holder.as_deref()
    }

    /// What to do now.
    pub fn decide(&self, now: Moment) -> Action {
        if self.is_over || self.held_until.is_some_and(|until| now >= until) {
            return Action::StepDown;
        }
        if now < self.next && (self.is_stale || self.held_until.is_some()) {
            return Action::Wait { until: self.held_until.map_or(self.next, |until| until.min(self.next)) };
        }
        let Some((lease, since)) = self.seen.as_ref().filter(|_| !self.is_stale) else { return Action::Read };
        let free_from = self.free_from(lease.as_ref(), *since);
        match (lease, free_from <= now) {
            (Some(lease), true) => Action::Write { version: lease.version.clone() },
            (None, true) => Action::Create,
            (_, false) if self.next <= now => Action::Read,
            (_, false) => Action::Wait { until: self.next.min(free_from) },
        }
    }

    /// From when this process may write the Lease that it has seen since then.
    fn free_from(&self, lease: Option<&Lease>, since: Moment) -> Moment {
        match lease {
            Some(lease) => match &lease.holder {
                Some(holder) if *holder != self.identity => since + lease.duration,
                _ => Moment::ZERO,
            },
            // One that was there and is not any more may still be believed by who held it: then `since` lies ahead.
            None => since,
        }
    }

    /// The Lease was read; `None` if it is not there.
    pub fn was_read(&mut self, lease: Option<Lease>, now: Moment) {
        let is_own = lease.as_ref().is_some_and(|lease| lease.holder.as_ref() == Some(&self.identity));
        if self.held_until.is_some() && lease.is_some() && !is_own {
            self.is_over = true;
        }
        let since = match (&self.seen, &lease) {
            (Some((seen, since)), lease) if seen == lease => *since,
            (Some((Some(gone), _)), None) if self.held_until.is_none() && gone.holder.is_some() => now + gone.duration,
            _ => now,
        };
        self.seen = Some((lease, since));
        self.is_stale = false;
        if self.held_until.is_none() {
            self.next = now + self.timing.retry;
        }
    }

    /// The Lease was written as asked, and is this now. `sent` is a moment before the request was sent.
    pub fn was_written(&mut self, lease: Lease, sent: Moment, now: Moment) {
        self.seen = Some((Some(lease), now));
        self.is_stale = false;
        let until = sent + self.timing.deadline;
        // An answer that came too late tells only that this process is the holder: it may try again.
        if self.held_until.is_some() || now < until {
            self.held_until = Some(until);
            self.next = sent + self.timing.renewal;
        }
    }

    /// The request was refused, because somebody else was first, or was not answered and may have arrived.
    pub fn failed(&mut self, now: Moment) {
        self.is_stale = true;
        self.next = now + self.timing.retry;
    }

    /// The version to write when the Lease is given back, if it is held and that version is known.
    pub fn version_to_release(&self) -> Option<&str> {
        let (lease, _) = self.seen.as_ref().filter(|_| self.held_until.is_some() && !self.is_over && !self.is_stale)?;
        lease.as_ref().map(|lease| lease.version.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: LeaseTiming = LeaseTiming {
        lease: Duration::from_secs(15),
        deadline: Duration::from_secs(10),
        renewal: Duration::from_secs(3),
        retry: Duration::from_secs(2),
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_secs(seconds)
    }

    fn lease(version: &str, holder: Option<&str>) -> Lease {
        Lease { version: version.to_owned(), holder: holder.map(str::to_owned), duration: TIMING.lease }
    }

    fn write(version: &str) -> Action {
        Action::Write { version: version.to_owned() }
    }

    #[test]
    fn the_usual_proportions_leave_time_for_two_requests() {
        let timing = LeaseTiming::of_lease(Duration::from_secs(15));
        assert_eq!((timing.deadline, timing.renewal), (at(10), at(3)));
        assert!(timing.request() > Duration::from_secs(2));
        assert!(timing.renewal + timing.request() * 2 + timing.retry <= timing.deadline);
    }

    #[test]
    fn a_lease_that_is_not_there_is_created_and_renewed() {
        let mut one = Candidate::new("one", TIMING);
        assert_eq!(one.decide(at(0)), Action::Read);
        one.was_read(None, at(0));
        assert_eq!(one.decide(at(0)), Action::Create);
        one.was_written(lease("1", Some("one")), at(1), at(2));
        assert!(one.may_write(at(10)) && !one.may_write(at(11)), "it counts from before it asked");
        assert_eq!(one.decide(at(2)), Action::Wait { until: at(4) });
        assert_eq!(one.decide(at(4)), write("1"));
        one.was_written(lease("2", Some("one")), at(4), at(4));
        assert!(one.may_write(at(13)));
        assert_eq!(one.version_to_release(), Some("2"));
    }

    #[test]
    fn another_one_waits_for_the_whole_lease_after_each_change_it_sees() {
        let mut two = Candidate::new("two", TIMING);
        two.was_read(Some(lease("1", Some("one"))), at(0));
        assert_eq!(two.decide(at(0)), Action::Wait { until: at(2) });
        assert_eq!(two.decide(at(2)), Action::Read);
        two.was_read(Some(lease("2", Some("one"))), at(14));
        assert_eq!(two.decide(at(15)), Action::Wait { until: at(16) });
        two.was_read(Some(lease("2", Some("one"))), at(28));
        assert_eq!(two.decide(at(28)), Action::Wait { until: at(29) });
        assert_eq!(two.decide(at(29)), write("2"));
        two.failed(at(29));
        assert_eq!(two.decide(at(30)), Action::Wait { until: at(31) });
        two.was_read(Some(lease("3", Some("three"))), at(31));
        assert_eq!(two.decide(at(32)), Action::Wait { until: at(33) });
    }

    #[test]
    fn what_was_given_back_is_taken_at_once() {
        let mut two = Candidate::new("two", TIMING);
        two.was_read(Some(lease("7", None)), at(0));
        assert_eq!(two.decide(at(0)), write("7"));
    }

    #[test]
    fn a_lease_that_somebody_deletes_is_not_free_at_once() {
        let mut two = Candidate::new("two", TIMING);
        two.was_read(Some(lease("1", Some("one"))), at(0));
        two.was_read(None, at(2));
        assert_eq!(two.decide(at(3)), Action::Wait { until: at(4) });
        two.was_read(None, at(4));
        assert_eq!(two.decide(at(16)), Action::Read);
        assert_eq!(two.decide(at(17)), Action::Create);
    }

    #[test]
    fn a_write_without_an_answer_is_looked_for_and_the_time_goes_on() {
        let mut one = Candidate::new("one", TIMING);
        one.was_read(None, at(0));
        one.was_written(lease("1", Some("one")), at(0), at(0));
        one.failed(at(5));
        assert_eq!(one.version_to_release(), None);
        assert_eq!(one.decide(at(6)), Action::Wait { until: at(7) });
        assert_eq!(one.decide(at(7)), Action::Read);
        one.was_read(Some(lease("2", Some("one"))), at(8));
        assert_eq!(one.decide(at(8)), write("2"));
        one.failed(at(9));
        assert_eq!(one.decide(at(10)), Action::StepDown);
        assert!(!one.may_write(at(10)));
    }

    #[test]
    fn a_leader_that_sees_another_holder_ends_before_its_time() {
        let mut one = Candidate::new("one", TIMING);
        one.was_read(None, at(0));
        one.was_written(lease("1", Some("one")), at(0), at(0));
        one.failed(at(3));
        one.was_read(Some(lease("2", Some("two"))), at(5));
        assert!(!one.may_write(at(5)) && one.held_until().is_none());
        assert_eq!(one.decide(at(5)), Action::StepDown);
    }

    #[test]
    fn an_acquisition_that_was_answered_too_late_is_repeated() {
        let mut one = Candidate::new("one", TIMING);
        one.was_read(None, at(0));
        one.was_written(lease("1", Some("one")), at(0), at(12));
        assert!(!one.may_write(at(12)));
        assert_eq!(one.decide(at(12)), write("1"));
    }
}
