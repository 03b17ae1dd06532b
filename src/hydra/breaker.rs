//! Stops asking a server that does not answer, and asks now and then whether it does again. Pure: the time is an argument.

use std::time::{Duration, Instant};

use strum::{IntoStaticStr, VariantArray};

/// How many failures in a row open the breaker.
const MOST_FAILURES: u32 = 5;
/// How long it is open the first time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// How long it is open at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What is told to those who come while the one probe is under way.
const WHILE_PROBED: Duration = Duration::from_secs(1);

/// Whether requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum BreakerState {
    /// All are.
    Closed,
    /// None is, until the pause is over.
    Open,
    /// One is, and decides.
    HalfOpen,
}

/// A circuit breaker.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    openings: u32,
    open_until: Option<Instant>,
    is_probing: bool,
}

impl Breaker {
    /// Whether a request may be sent now: else for how long not. Whoever may, has to tell how it went.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        self.check(now)?;
        self.is_probing = self.open_until.is_some();
        Ok(())
    }

    /// Whether a request would be let through.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        match self.open_until {
            None => Ok(()),
            Some(_) if self.is_probing => Err(WHILE_PROBED),
            Some(until) if now < until => Err(until - now),
            Some(_) => Ok(()),
        }
    }

    /// The server answered.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The server did not answer, `is_probe` if that was the one request that decides.
    pub(super) fn failed(&mut self, is_probe: bool, now: Instant) {
        if self.open_until.is_some() {
            // What was sent before it opened tells nothing new.
            if is_probe {
                self.open(now);
            }
            return;
        }
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            self.open(now);
        }
    }

    fn open(&mut self, now: Instant) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.openings.min(8)).min(LONGEST_PAUSE);
        self.openings = self.openings.saturating_add(1);
        self.open_until = Some(now + pause);
        self.is_probing = false;
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match self.open_until {
            None => BreakerState::Closed,
            Some(until) if now < until && !self.is_probing => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..MOST_FAILURES {
            breaker.admit(now).expect("closed");
            breaker.failed(false, now);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..MOST_FAILURES {
                breaker.failed(false, now);
            }
            breaker.succeeded();
        }
        assert!(breaker.admit(now).is_ok());
        assert_eq!(opened(now).admit(now), Err(FIRST_PAUSE));
    }

    #[test]
    fn one_request_decides_and_a_failure_opens_it_for_longer() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let mut moment = now;
        let mut last = Duration::ZERO;
        for _ in 0..8 {
            let pause = breaker.admit(moment).expect_err("open");
            assert!(pause >= last && pause <= LONGEST_PAUSE);
            last = pause;
            moment += pause;
            assert!(breaker.admit(moment).is_ok());
            assert_eq!((breaker.admit(moment), breaker.state(moment)), (Err(WHILE_PROBED), BreakerState::HalfOpen));
            breaker.failed(false, moment);
            assert_eq!(breaker.admit(moment), Err(WHILE_PROBED), "an older request tells nothing new");
            breaker.failed(true, moment);
        }
        assert_eq!(last, LONGEST_PAUSE);
        breaker.succeeded();
        assert!(breaker.admit(moment).is_ok() && breaker.admit(moment).is_ok());
    }

    proptest! {
        /// Whatever happens: between two moments in which it is closed, at most one request is under way at a time, and after each pause one is
        /// let through.
        #[test]
        fn it_never_lets_two_probes_go_and_never_stays_shut(events in proptest::collection::vec((0..4u8, 0..30u64), 0..60)) {
            let mut breaker = Breaker::default();
            let mut now = Instant::now();
            let mut probes = 0;
            for (event, seconds) in events {
                let is_closed = breaker.open_until.is_none();
                match event {
                    0 => now += Duration::from_secs(seconds),
                    1 => {
                        let admitted = breaker.admit(now).is_ok();
                        prop_assert!(!is_closed || admitted);
                        if admitted && !is_closed {
                            probes += 1;
                        }
                        prop_assert!(probes <= 1);
                    }
                    2 => {
                        breaker.failed(probes == 1, now);
                        probes = 0;
                    }
                    _ => {
                        breaker.succeeded();
                        probes = 0;
                        prop_assert!(breaker.check(now).is_ok());
                    }
                }
                if probes == 0 {
                    prop_assert!(breaker.check(now + LONGEST_PAUSE).is_ok());
                }
            }
        }
    }
}
