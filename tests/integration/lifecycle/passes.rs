//! One pass over the world, step by step as the shell takes it. It can crash, fail, lose an answer or deliver a write late at each of them.

use jiff::SignedDuration;
use jwk_operator::{
    api::Reason,
    lifecycle::{self, Answer, Desired, Failure, Observed, Outcome, Pace, Progress, RefusedWrite, Sight, Step, TargetState, TargetStep},
};

use super::{
    steps::refused,
    world::{End, Fault, LATE, LATE_WRITE, Logged, SET, Unanswered, World},
};

impl World {
    /// One pass. `faults` tells what happens at each step; behind its end nothing does.
    pub fn pass(&mut self, faults: &[Fault]) -> End {
        if self.gone {
            return End::Done(0);
        }
        let desired = match self.acted_on() {
            Ok(desired) => desired,
            Err(_) => {
                self.pass_without_admin_api();
                return End::Done(0);
            }
        };
        let mut faults = faults.iter().copied();
        let mut seen = self.observe(&desired);
        let mut steps = 0;
        let mut progress = Progress::default();
        self.is_refusing = false;
        loop {
            let Some(step) = lifecycle::next(&desired, &seen, self.operator_time()) else {
                self.report(&desired, &seen, &Outcome::Done);
                return End::Done(steps);
            };
            match progress.note(&step) {
                Pace::GoOn => {}
                Pace::MakeRoom => {
                    self.report(&desired, &seen, &Outcome::Done);
                    return End::Done(steps);
                }
                Pace::Stuck => panic!("no fixed point: {step:?}\n{}", self.history()),
            }
            if !matches!(step, Step::ReadLive | Step::ReadStaged | Step::Wait { .. }) {
                steps += 1;
            }
            let fault = if step.writes_remote() || matches!(step, Step::Target(TargetStep::Write { .. }) | Step::StoreRecord(_)) {
                faults.next().unwrap_or(Fault::None)
            } else {
                Fault::None
            };
            self.log.push(Logged { at: self.now, what: format!("{fault:?}"), step: Some(step.clone()) });
            match fault {
                Fault::CrashBefore => {
                    self.restart();
                    return End::Crashed;
                }
                Fault::CrashAfter => {
                    self.take(&step, &desired, &mut seen);
                    self.restart();
                    return End::Crashed;
                }
                _ if self.refuses(&step, fault, &desired) => {
                    self.is_refusing = true;
                    assert!(RefusedWrite::of(&step).is_some(), "a write of a key");
                    let answer = Answer::Refused { message: "the admin API refuses the request".into() };
                    seen.fold(&step, answer, self.operator_time());
                }
                Fault::Refused if let Step::Target(target) = &step => {
                    let last = self.objects.get(target.id()).cloned().map(Box::new);
                    let failed = Answer::Target(TargetState::Failed { why: refused(), last });
                    seen.fold(&step, failed, self.operator_time());
                }
                Fault::Refused => {
                    let failure = Failure {
                        reason: Reason::AdminApiUnavailable,
                        message: "the admin API failed".into(),
                        stalled: false,
                        step_was_due: true,
                    };
                    self.report(&desired, &seen, &Outcome::Failed(failure));
                    return End::Stopped;
                }
                Fault::LostReply | Fault::Late(_) if step.writes_remote() => {
                    let late = self.note_unanswered(&step);
                    self.unanswered = Some(self.now);
                    match fault {
                        Fault::Late(delay) => {
                            let key = self.prepare(&step, &desired);
                            let lands = self.now + SignedDuration::from_secs(delay.clamp(1, late - 1));
                            let (spec, changes, is_refusing) = (self.resource.spec.clone(), self.changes, self.is_refusing);
                            self.in_flight.push(Unanswered { lands, step, key, spec, changes, is_refusing });
                            self.in_flight.sort_by_key(|write| write.lands);
                        }
                        _ => {
                            self.take(&step, &desired, &mut seen.clone());
                            self.note_unanswered(&step);
                        }
                    }
                    seen.in_flight_until = self.in_flight_until.map(|moment| self.as_read(moment));
                    seen.generating_until = self.generating_until.map(|moment| self.as_read(moment));
                    seen.answered_since = self.operator_time();
                    let failure =
                        Failure { reason: Reason::AdminApiUnavailable, message: "no answer".into(), stalled: false, step_was_due: true };
                    self.report(&desired, &seen, &Outcome::Failed(failure));
                    return End::Stopped;
                }
                Fault::Disturbed(kind) => {
                    self.take(&step, &desired, &mut seen);
                    if matches!(step, Step::CreateSymmetricKey { .. }) {
                        // What it read back is fresh for a second. No reading helps against an outsider who is faster than that.
                        self.advance(2);
                    }
                    self.disturb(kind);
                }
                Fault::None | Fault::LostReply | Fault::Late(_) | Fault::RefusedKey => self.take(&step, &desired, &mut seen),
            }
            if let Some(meanwhile) = self.meanwhile.take() {
                meanwhile(self);
            }
        }
    }

    /// Whether the server refuses a write of one key. What is deleted must go, or nothing would be learned after it.
    fn refuses(&self, step: &Step, fault: Fault, desired: &Desired) -> bool {
        let Some(write) = RefusedWrite::of(step).filter(|_| !desired.deleting) else { return false };
        let number: usize = write.kid.as_str().bytes().map(usize::from).sum::<usize>() + usize::from(write.is_removal);
        fault == Fault::RefusedKey || self.refuses_one_of.is_some_and(|of| number.is_multiple_of(of))
    }

    pub fn report(&mut self, desired: &Desired, seen: &Observed, outcome: &Outcome) {
        if self.gone {
            return;
        }
        let status = lifecycle::status(desired, Sight::Everything(seen), &self.status(), outcome, self.operator_time());
        self.oracle.check_status(&status, &self.store, &self.secret_keys());
        self.resource.status = Some(status);
        self.oracle.note_published(&self.live(), &self.shown(), self.resource.status.as_ref());
    }

    /// An outsider changes the set in the middle of a pass.
    fn disturb(&mut self, kind: usize) {
        let live = self.live();
        let kid = live.get(kind / 3 % live.len().max(1)).and_then(|key| key.kid().map(str::to_owned));
        self.outsider(&format!("changes the set meanwhile ({kind})"), |store| match (kind % 3, kid) {
            (0, Some(kid)) => store.delete_key(SET, &kid),
            (1, _) => store.delete_set(SET),
            _ => {
                store.create(SET, None, "ES256", "").expect("a key");
            }
        });
    }

    /// Lets time pass until something falls due by itself, and passes.
    pub fn pass_when_due(&mut self) -> End {
        let seconds = self.seconds_until_due().expect("something falls due");
        self.advance(seconds);
        self.pass(&[])
    }

    /// Lets time pass; late writes land on the way.
    pub fn advance(&mut self, seconds: i64) {
        let end = self.now + SignedDuration::from_secs(seconds);
        self.in_flight.sort_by_key(|write| write.lands);
        while self.in_flight.first().is_some_and(|write| write.lands <= end) {
            let write = self.in_flight.remove(0);
            self.now = write.lands.max(self.now);
            self.log.push(Logged { at: self.now, what: "LATE".into(), step: Some(write.step.clone()) });
            self.perform(&write.step, write.key.clone(), Some(&write));
        }
        self.now = end;
    }

    /// A new process: it remembers nothing, and knows of no unanswered write.
    pub fn restart(&mut self) {
        self.started = self.now;
        self.in_flight_until = None;
        self.generating_until = None;
        self.unanswered = None;
        self.private_written_at = None;
    }

    /// A write was sent and not answered: answers for how many seconds it may still land.
    fn note_unanswered(&mut self, step: &Step) -> i64 {
        let (until, late) = match step {
            Step::CreateKey { .. } => (&mut self.generating_until, LATE),
            _ => (&mut self.in_flight_until, LATE_WRITE),
        };
        *until = Some(self.now + SignedDuration::from_secs(late));
        late
    }
}
