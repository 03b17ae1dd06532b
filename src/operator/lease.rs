//! Competes for the Lease and says whether this process may write. The rules are those of [`crate::election`].

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{
    channel::oneshot,
    future::{self, Either},
};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease as LeaseObject, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ObjectMeta, PostParams},
};

use super::repeats::Repeated;
use crate::api::HANDOVER_ANNOTATION;
use crate::election::{Action, Candidate, Lease, LeaseTiming, Moment};

/// The value of the annotation when everything that the last holder sent was answered.
const HANDOVER_IS_DONE: &str = "done";

/// The Lease that decides which of several processes works.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// The name of the Lease in the operator's own namespace.
    pub name: String,
    /// Who this process is: as no other process ever was.
    pub identity: String,
    /// How long others wait after it was last renewed.
    pub duration: Duration,
}

/// Whether this process may write, as the last answer about the Lease and the clock have it.
#[derive(Clone, Debug)]
pub(super) struct Leadership(Arc<AtomicU64>);

impl Leadership {
    /// Without a Lease: always.
    pub(super) fn unlimited() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    fn none() -> Self {
        Self(Arc::default())
    }

    /// Whether this process may write now.
    pub(super) fn may_write(&self) -> bool {
        u128::from(self.0.load(Ordering::Acquire)) > now().as_millis()
    }

    fn is_held_until(&self, until: Option<Moment>) {
        let until = until.map_or(0, |until| u64::try_from(until.as_millis()).unwrap_or(u64::MAX));
        self.0.store(until, Ordering::Release);
    }
}

/// The Lease is lost: the process must end, so that what it still has in its hands cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[error("this process lost the Lease {name} to {holder}: it exits, and competes for the Lease again after a restart")]
pub struct LostLease {
    name: String,
    holder: String,
}

/// How the holder before released the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predecessor {
    /// It gave the Lease back when everything that it had sent was answered.
    WasDone,
    /// It may have left writes on their way, or nothing is known of it.
    MayHaveLeftWrites,
}

/// This process' part in the election.
pub(super) struct Election {
    api: Api<LeaseObject>,
    settings: LeaseSettings,
    timing: LeaseTiming,
    candidate: Candidate,
    leadership: Leadership,
    /// The object as it was last read or written.
    last: Option<LeaseObject>,
    predecessor: Predecessor,
    /// How often the Lease could not be read or written.
    trouble: Repeated,
}

impl Election {
    /// A new candidate, for a Lease in the client's default namespace.
    pub(super) fn new(client: &Client, settings: LeaseSettings) -> Self {
        let timing = LeaseTiming::of_lease(settings.duration);
        Self {
            api: Api::default_namespaced(client.clone()),
            candidate: Candidate::new(&settings.identity, timing),
            settings,
            timing,
            leadership: Leadership::none(),
            last: None,
            predecessor: Predecessor::MayHaveLeftWrites,
            trouble: Repeated::default(),
        }
    }

    /// What shows the rest of the process whether it may write.
    pub(super) fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Competes until this process may write. `has_looked` is called when the Lease was first read.
    pub(super) async fn acquire(&mut self, has_looked: impl Fn()) -> Predecessor {
        let mut told = None;
        while !self.candidate.may_write(now()) {
            if self.step().await.is_err() {
                // It never led, and begins again.
                self.candidate = Candidate::new(&self.settings.identity, self.timing);
            }
            if self.last.is_some() {
                has_looked();
            }
            let holder = self.candidate.holder().map(str::to_owned);
            if holder.as_deref() != Some(&self.settings.identity) && holder != told {
                tracing::info!(lease = self.settings.name, holder = holder.as_deref().unwrap_or("nobody"), "standing by");
                told = holder;
            }
        }
        tracing::info!(lease = self.settings.name, identity = self.settings.identity, "leading");
        self.predecessor
    }

    /// Renews the Lease until the work has `ended`, and gives it back then.
    ///
    /// # Errors
    /// If the Lease is lost.
    pub(super) async fn hold(mut self, ended: oneshot::Receiver<Predecessor>) -> Result<(), LostLease> {
        let ended = match future::select(pin!(self.renew()), ended).await {
            Either::Left((lost, _)) => return Err(lost),
            Either::Right((ended, _)) => ended,
        };
        // Whoever stopped waiting for the end has dropped the work in the middle.
        if let Ok(ended) = ended {
            self.release(ended).await;
        }
        Ok(())
    }

    /// Renews the Lease until it is lost.
    async fn renew(&mut self) -> LostLease {
        while self.step().await.is_ok() {}
        let holder = self.candidate.holder().filter(|holder| *holder != self.settings.identity).unwrap_or("nobody known");
        LostLease { name: self.settings.name.clone(), holder: holder.to_owned() }
    }

    /// Gives the Lease back: the next process takes it at once. It need not wait for answers if this one was done.
    async fn release(mut self, ended: Predecessor) {
        self.leadership.is_held_until(None);
        if self.candidate.version_to_release().is_none() {
            return;
        }
        let Some(mut lease) = self.last.take() else { return };
        if ended == Predecessor::WasDone {
            lease.annotations_mut().insert(HANDOVER_ANNOTATION.to_owned(), HANDOVER_IS_DONE.to_owned());
        }
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = None;
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        match self.within(self.api.replace(&self.settings.name, &PostParams::default(), &lease)).await {
            Some(Ok(_)) => tracing::info!(lease = self.settings.name, "the Lease is released"),
            _ => tracing::warn!(lease = self.settings.name, "the Lease could not be released: the next process waits until it expires"),
        }
    }

    /// One decision, carried out.
    async fn step(&mut self) -> Result<(), ()> {
        let sent = now();
        match self.candidate.decide(sent) {
            Action::Read => match self.within(self.api.get_opt(&self.settings.name)).await {
                Some(Ok(found)) => {
                    self.candidate.was_read(found.as_ref().map(lease), now());
                    self.last = found;
                }
                Some(Err(error)) => self.failed("read", &error.to_string()),
                None => self.failed("read", "no answer in time"),
            },
            Action::Create => {
                let object = self.object(None);
                let answer = self.within(self.api.create(&PostParams::default(), &object)).await;
                self.was_written(answer, sent, Predecessor::MayHaveLeftWrites);
            }
            Action::Write { .. } => {
                let before = match self.candidate.holder() {
                    Some(holder) if holder == self.settings.identity => self.predecessor,
                    None if self.last.as_ref().is_some_and(was_handed_over) => Predecessor::WasDone,
                    Some(_) | None => Predecessor::MayHaveLeftWrites,
                };
                let object = self.object(self.last.clone());
                let answer = self.within(self.api.replace(&self.settings.name, &PostParams::default(), &object)).await;
                self.was_written(answer, sent, before);
            }
            Action::Wait { until } => tokio::time::sleep(until.saturating_sub(sent)).await,
            Action::StepDown => {
                self.leadership.is_held_until(None);
                return Err(());
            }
        }
        self.leadership.is_held_until(self.candidate.held_until());
        Ok(())
    }

    fn was_written(&mut self, answer: Option<kube::Result<LeaseObject>>, sent: Moment, predecessor: Predecessor) {
        match answer {
            Some(Ok(written)) => {
                self.candidate.was_written(lease(&written), sent, now());
                self.last = Some(written);
                self.predecessor = predecessor;
            }
            Some(Err(error)) => self.failed("write", &error.to_string()),
            None => self.failed("write", "no answer in time"),
        }
    }

    fn failed(&mut self, action: &str, why: &str) {
        if let Some(times) = self.trouble.note(std::time::Instant::now()) {
            tracing::warn!(lease = self.settings.name, why, times, "cannot {action} the Lease");
        }
        self.candidate.failed(now());
    }

    async fn within<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Option<kube::Result<T>> {
        tokio::time::timeout(self.timing.request(), call).await.ok()
    }

    /// The Lease with this process as its holder. What else it carries is kept.
    fn object(&self, last: Option<LeaseObject>) -> LeaseObject {
        let time = MicroTime(Timestamp::now());
        let mut lease = last.unwrap_or_else(|| LeaseObject {
            metadata: ObjectMeta { name: Some(self.settings.name.clone()), ..Default::default() },
            spec: None,
        });
        lease.metadata.managed_fields = None;
        lease.annotations_mut().remove(HANDOVER_ANNOTATION);
        let spec: &mut LeaseSpec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.settings.identity) {
            spec.acquire_time = Some(time.clone());
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count.saturating_add(1)));
        }
        spec.holder_identity = Some(self.settings.identity.clone());
        spec.lease_duration_seconds = Some(i32::try_from(self.timing.lease.as_secs()).unwrap_or(i32::MAX));
        spec.renew_time = Some(time);
        lease
    }
}

/// Whether its last holder was done with everything when it gave the Lease back.
fn was_handed_over(lease: &LeaseObject) -> bool {
    lease.annotations().get(HANDOVER_ANNOTATION).is_some_and(|handover| handover == HANDOVER_IS_DONE)
}

/// What the object says. Without a duration, a minute: longer than anybody's.
fn lease(object: &LeaseObject) -> Lease {
    let spec = object.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(60);
    Lease {
        version: object.resource_version().unwrap_or_default(),
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: Duration::from_secs(seconds),
    }
}

/// The time since the machine booted, with the time that it slept.
fn now() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Moment::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
