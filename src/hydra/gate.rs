//! What all requests to one admin API share: so many in a second, so many at a time, and none while the server asks to wait or does not
//! answer.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    breaker::{Breaker, BreakerState},
    operation::Operation,
    waits::LONGEST_WAIT,
};

/// The rest of a pause that is waited for. What is longer is told at once, so that nobody hangs.
const WAITED_FOR: Duration = Duration::from_secs(2);

/// How much may be asked of an admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Requests in a second, on average; 0 counts as 1. `None` sets no rate: the requests at the same time follow the server's own speed.
    pub requests_per_second: Option<u32>,
    /// Requests at once after a quiet time, where there is a rate; 0 counts as 1.
    pub burst: u32,
    /// Requests at the same time; 0 counts as 1.
    pub concurrency: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self { requests_per_second: None, burst: 100, concurrency: 16 }
    }
}

/// The gate of one admin API.
pub(super) struct Gate {
    rate: Option<DefaultDirectRateLimiter>,
    slots: Arc<Semaphore>,
    shared: Mutex<Shared>,
    /// How long a turn is waited for.
    patience: Duration,
}

#[derive(Default)]
struct Shared {
    breaker: Breaker,
    paused_until: Option<Instant>,
}

/// Why a request is not sent now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// How long to wait before asking again.
    pub(super) wait: Duration,
    /// Whether the server asked for it.
    pub(super) is_asked_for: bool,
}

impl Held {
    fn by_us(wait: Duration) -> Self {
        Self { wait, is_asked_for: false }
    }
}

/// A slot and a paid request, taken ahead: the next write need not wait.
pub(super) struct Reservation {
    _slot: OwnedSemaphorePermit,
    is_paid: AtomicBool,
}

/// A request that may be sent. It has to be told how it went; one that is dropped before counts as not answered.
pub(super) struct Turn<'gate> {
    gate: &'gate Gate,
    _slot: Option<OwnedSemaphorePermit>,
    is_probe: bool,
    is_told: bool,
}

impl Gate {
    pub(super) fn new(limits: CallLimits, patience: Duration) -> Self {
        let positive = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota = |rate| Quota::per_second(positive(rate)).allow_burst(positive(limits.burst));
        Self {
            rate: limits.requests_per_second.map(|rate| RateLimiter::direct(quota(rate))),
            slots: Arc::new(Semaphore::new(limits.concurrency.clamp(1, Semaphore::MAX_PERMITS))),
            shared: Mutex::default(),
            patience,
        }
    }

    /// Waits for a turn: else answers how long to wait before asking again.
    ///
    /// What asks whether the server is there waits for nothing: it is what opens the gate again.
    pub(super) async fn admit(&self, operation: Operation, reservation: Option<&Reservation>) -> Result<Turn<'_>, Held> {
        if operation.is_probe() {
            return Ok(Turn { gate: self, _slot: None, is_probe: true, is_told: false });
        }
        self.wait_for_pause().await?;
        let is_paid = reservation.is_some_and(|reservation| !operation.is_read() && reservation.is_paid.swap(false, Ordering::Relaxed));
        let slot = self.wait_for(reservation.is_none(), !is_paid).await?;
        let mut shared = self.lock();
        let now = Instant::now();
        shared.check_pause(now)?;
        shared.breaker.admit(now).map_err(Held::by_us)?;
        let is_probe = shared.breaker.state(now) == BreakerState::HalfOpen;
        Ok(Turn { gate: self, _slot: slot, is_probe, is_told: false })
    }

    /// Takes a slot and pays for a request ahead.
    pub(super) async fn reserve(&self) -> Result<Reservation, Held> {
        self.wait_for_pause().await?;
        self.lock().breaker.check(Instant::now()).map_err(Held::by_us)?;
        let slot = self.wait_for(true, true).await?;
        slot.map(|slot| Reservation { _slot: slot, is_paid: AtomicBool::new(true) }).ok_or(Held::by_us(WAITED_FOR))
    }

    async fn wait_for(&self, needs_slot: bool, must_pay: bool) -> Result<Option<OwnedSemaphorePermit>, Held> {
        let wait = async {
            let slot = if needs_slot { self.slots.clone().acquire_owned().await.ok() } else { None };
            if let Some(rate) = self.rate.as_ref().filter(|_| must_pay) {
                rate.until_ready().await;
            }
            slot
        };
        tokio::time::timeout(self.patience, wait).await.map_err(|_| Held::by_us(WAITED_FOR))
    }

    async fn wait_for_pause(&self) -> Result<(), Held> {
        let pause = self.lock().check_pause(Instant::now());
        match pause {
            Err(held) if held.wait < WAITED_FOR => tokio::time::sleep(held.wait).await,
            Err(held) => return Err(held),
            Ok(()) => {}
        }
        Ok(())
    }

    /// The server asked everybody to wait.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_WAIT);
        let mut shared = self.lock();
        shared.paused_until = shared.paused_until.max(Some(until));
    }

    pub(super) fn breaker_state(&self) -> BreakerState {
        self.lock().breaker.state(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn check_pause(&self, now: Instant) -> Result<(), Held> {
        match self.paused_until.filter(|until| now < *until) {
            Some(until) => Err(Held { wait: until - now, is_asked_for: true }),
            None => Ok(()),
        }
    }
}

impl Turn<'_> {
    /// How it went: whether the server answered.
    pub(super) fn tell(mut self, answered: bool) {
        self.settle(answered);
    }

    /// It was not sent after all.
    pub(super) fn tell_nothing(mut self) {
        // A probe that was not sent must not keep the others waiting.
        if !self.is_probe {
            self.is_told = true;
        }
    }

    fn settle(&mut self, answered: bool) {
        if !std::mem::replace(&mut self.is_told, true) {
            let mut shared = self.gate.lock();
            if answered {
                shared.breaker.succeeded();
            } else {
                shared.breaker.failed(self.is_probe, Instant::now());
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.settle(false);
    }
}
