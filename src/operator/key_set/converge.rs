//! One pass over one resource: look, take every step that is due, each answer folded in before the next is asked for.

use kube::ResourceExt as _;

use super::{apply, claims::Surroundings, pass::Pass, remote, sources};
use crate::lifecycle::{self, Desired, Local, Observed, Outcome, Pace, Progress, Sight, Step, Uid, Wanted};
use crate::operator::{error::PassError, publication};

/// What a pass saw last.
pub(super) enum Seen {
    /// Nothing: not even the targets could be read.
    Nothing,
    /// The targets: the remote set could not be read.
    Targets(Box<Local>),
    /// Everything.
    Everything(Box<Observed>),
}

impl Seen {
    /// As `lifecycle` takes it.
    pub(super) fn sight(&self) -> Sight<'_> {
        match self {
            Self::Nothing => Sight::Nothing,
            Self::Targets(local) => Sight::Targets(local),
            Self::Everything(seen) => Sight::Everything(seen),
        }
    }

    /// What was seen, if the remote set was.
    pub(super) fn everything(&self) -> Option<&Observed> {
        match self {
            Self::Everything(seen) => Some(seen),
            Self::Nothing | Self::Targets(_) => None,
        }
    }
}

impl Pass<'_> {
    /// Looks, and takes step after step until none is due or one fails. If the remote set cannot be read, the targets are brought to what the
    /// record shows. What was seen last is reported on every outcome.
    pub(super) async fn converge(&mut self, desired: &Desired) -> (Seen, Outcome) {
        let local = match publication::local::look(&self.resource, &desired.publication, self.cx).await {
            (local, None) => local,
            // A target that cannot be read may hold a key or lack it. Then no key may begin to sign, leave the set or be made anew.
            (_, Some(error)) => return (Seen::Nothing, self.failed(&error, false)),
        };
        let mut seen = self.begin(local);
        if let Err(error) = self.observe(desired, &mut seen).await {
            let mut local = seen.local;
            let outcome = self.failed(&error, false);
            if !self.was_overtaken {
                let surroundings = Surroundings::of(&self.resource, self.cx);
                let wanted = Wanted::without_admin_api(&self.resource, surroundings.granting(), surroundings.labels());
                let published = publication::local::by_record(&mut self.resource, &wanted, &mut local, self.cx).await;
                if let Err(error) = published {
                    return (Seen::Targets(Box::new(local)), self.failed(&error, true));
                }
            }
            return (Seen::Targets(Box::new(local)), outcome);
        }
        let (seen, outcome) = self.take_steps(desired, seen).await;
        (Seen::Everything(Box::new(seen)), outcome)
    }

    async fn take_steps(&mut self, desired: &Desired, mut seen: Observed) -> (Observed, Outcome) {
        let mut progress = Progress::default();
        loop {
            let Some(step) = lifecycle::next(desired, &seen, self.now()) else {
                return (seen, Outcome::Done);
            };
            match progress.note(&step) {
                Pace::GoOn => {}
                Pace::MakeRoom => {
                    self.made_room = true;
                    return (seen, Outcome::Done);
                }
                Pace::Stuck => {
                    let error = PassError::ReachFixedPoint { set: desired.set.clone() };
                    return (seen, self.failed(&error, true));
                }
            }
            if let Err(error) = apply::apply(step, desired, &mut seen, self).await {
                self.note_writes(&mut seen);
                self.publish_all_the_same(desired, &mut seen).await;
                return (seen, self.failed(&error, true));
            }
        }
    }

    /// A failed step of the remote set does not keep the targets from being written: what signs already must reach its verifiers.
    async fn publish_all_the_same(&mut self, desired: &Desired, seen: &mut Observed) {
        let mut progress = Progress::default();
        while let Some(step) = lifecycle::next_publication(desired, seen, self.now()) {
            if progress.note(&step) != Pace::GoOn || apply::apply(step, desired, seen, self).await.is_err() {
                return;
            }
        }
    }

    /// The beginning of an observation: what is known without the admin API.
    fn begin(&self, local: Local) -> Observed {
        let mut seen = Observed::new(local);
        seen.note_finalizer(self.resource.finalizers().iter().any(|finalizer| finalizer == crate::api::FINALIZER));
        seen
    }

    /// Looks at the remote set, and at what its entries import from.
    async fn observe(&mut self, desired: &Desired, seen: &mut Observed) -> Result<(), PassError> {
        let answer = remote::ask(&Step::ReadLive, desired, self).await?;
        seen.fold(&Step::ReadLive, answer, self.now());
        if seen.is_first_look {
            self.cx.memory.note_new(&Uid::of(self.resource.as_ref()));
        }
        self.note_writes(seen);
        seen.sources = sources::observe(desired, self).await;
        Ok(())
    }
}
