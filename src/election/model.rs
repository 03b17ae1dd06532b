//! Three processes, one Lease, and everything that can go wrong between them, looked at exhaustively.
//!
//! Requests and answers are lost, late, or arrive after their sender gave up; processes pause for as long as it takes, end and begin anew, and
//! give the Lease back; their clocks start anywhere and run at different speeds. In each state that can come of it at most one may write.

use std::time::Duration;

use stateright::{Checker, Model, Property};

use super::{Action, Candidate, Lease, LeaseTiming, Moment};

/// What a request asks of the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Request {
    Create { holder: String },
    Write { version: String, holder: Option<String> },
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Written(Lease),
    Conflict,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    candidate: Candidate,
    /// Whether it ended. What began in its place would be somebody else: one of the others.
    has_ended: bool,
    /// What it waits for: when it was sent by its own clock, and the answer once there is one.
    waits: Option<(Moment, Request, Option<Answer>)>,
    /// A request that its sender does not wait for any more, and that may still arrive.
    late: Option<Request>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    time: u8,
    lease: Option<Lease>,
    versions: u8,
    processes: Vec<Process>,
}

#[derive(Clone, Debug, PartialEq)]
enum Event {
    TimePasses,
    Acts(usize),
    Arrives(usize),
    ArrivesLate(usize),
    IsAnswered(usize),
    GivesUp(usize),
    Ends(usize),
}

impl World {
    /// A late request that the server will refuse whenever it arrives makes no difference.
    fn forget_what_is_refused(&mut self) {
        for process in &mut self.processes {
            let is_refused = match (&process.late, &self.lease) {
                (Some(Request::Create { .. }), Some(_)) => true,
                (Some(Request::Write { version, .. }), Some(lease)) => *version != lease.version,
                _ => false,
            };
            if is_refused {
                process.late = None;
            }
        }
    }
}

struct Election {
    timing: LeaseTiming,
    /// How much of its own time passes for each process in one step of time.
    speeds: &'static [u64],
    /// For how many steps of time it is looked at.
    end: u8,
}

impl Election {
    fn clock(&self, process: usize, time: u8) -> Moment {
        Duration::from_millis(1000 * process as u64 + self.speeds[process] * u64::from(time))
    }

    fn may_write(&self, world: &World, process: usize) -> bool {
        world.processes[process].candidate.may_write(self.clock(process, world.time))
    }

    fn fresh(&self, process: usize, has_ended: bool, late: Option<Request>) -> Process {
        Process { candidate: Candidate::new(process.to_string(), self.timing), has_ended, waits: None, late }
    }

    fn arrive(&self, world: &mut World, request: &Request) -> Answer {
        let holder = match (request, &world.lease) {
            (Request::Create { holder }, None) => Some(holder.clone()),
            (Request::Write { version, holder }, Some(lease)) if lease.version == *version => holder.clone(),
            _ => return Answer::Conflict,
        };
        world.versions += 1;
        let lease = Lease { version: world.versions.to_string(), holder, duration: self.timing.lease };
        world.lease = Some(lease.clone());
        Answer::Written(lease)
    }

    fn asks(&self, world: &World, process: usize) -> Option<Action> {
        let action = world.processes[process].candidate.decide(self.clock(process, world.time));
        (world.processes[process].waits.is_none() && !world.processes[process].has_ended && !matches!(action, Action::Wait { .. }))
            .then_some(action)
    }
}

impl Model for Election {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let processes = (0..self.speeds.len()).map(|process| self.fresh(process, false, None)).collect();
        vec![World { time: 0, lease: None, versions: 0, processes }]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        if world.time < self.end {
            events.push(Event::TimePasses);
        }
        for (index, process) in world.processes.iter().enumerate() {
            if self.asks(world, index).is_some() {
                events.push(Event::Acts(index));
            }
            match &process.waits {
                Some((_, _, None)) => events.extend([Event::Arrives(index), Event::GivesUp(index)]),
                // That an answer is lost is that the request arrives late.
                Some((_, _, Some(_))) => events.push(Event::IsAnswered(index)),
                None => {}
            }
            if process.late.is_some() {
                events.push(Event::ArrivesLate(index));
            }
            let may_end = process.waits.is_none() && process.late.is_none();
            if may_end && process.candidate.version_to_release().is_some() {
                events.push(Event::Ends(index));
            }
        }
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        let mut next = world.clone();
        match event {
            Event::TimePasses => next.time += 1,
            Event::Acts(index) => {
                let action = self.asks(world, index)?;
                let process = &mut next.processes[index];
                let holder = index.to_string();
                let request = match action {
                    // One that is lost, or answered late, only makes its sender wait longer.
                    Action::Read => {
                        process.candidate.was_read(world.lease.clone(), self.clock(index, world.time));
                        return Some(next);
                    }
                    Action::Create => Request::Create { holder },
                    Action::Write { version } => Request::Write { version, holder: Some(holder) },
                    Action::Wait { .. } => return None,
                    Action::StepDown => {
                        *process = self.fresh(index, true, process.late.take());
                        return Some(next);
                    }
                };
                process.waits = Some((self.clock(index, world.time), request, None));
            }
            Event::Arrives(index) => {
                let (sent, request, _) = next.processes[index].waits.take()?;
                let answer = self.arrive(&mut next, &request);
                next.processes[index].waits = Some((sent, request, Some(answer)));
            }
            Event::ArrivesLate(index) => {
                let request = next.processes[index].late.take()?;
                self.arrive(&mut next, &request);
            }
            Event::IsAnswered(index) => {
                let now = self.clock(index, world.time);
                let process = &mut next.processes[index];
                let (sent, _, answer) = process.waits.take()?;
                match answer? {
                    Answer::Written(lease) => process.candidate.was_written(lease, sent, now),
                    Answer::Conflict => process.candidate.failed(now),
                }
            }
            Event::GivesUp(index) => {
                let now = self.clock(index, world.time);
                let process = &mut next.processes[index];
                let (_, request, _) = process.waits.take()?;
                process.candidate.failed(now);
                // At most one on its way besides.
                process.late = Some(request);
            }
            Event::Ends(index) => {
                let process = &mut next.processes[index];
                let version = process.candidate.version_to_release()?.to_owned();
                *process = self.fresh(index, true, Some(Request::Write { version, holder: None }));
            }
        }
        next.forget_what_is_refused();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("at most one may write", |election: &Self, world| {
                (0..election.speeds.len()).filter(|process| election.may_write(world, *process)).count() <= 1
            }),
            Property::sometimes("somebody may write", |election, world| {
                (0..election.speeds.len()).any(|process| election.may_write(world, process))
            }),
            Property::sometimes("another one takes over from one that only paused", |election, world| {
                let leads = |process: &usize| election.may_write(world, *process);
                let was_cut_off = |process: &Process| !process.has_ended && process.candidate.held_until().is_some();
                (0..election.speeds.len()).any(|one| {
                    leads(&one) && world.processes.iter().enumerate().any(|(other, process)| other != one && was_cut_off(process))
                })
            }),
        ]
    }
}

fn steps(count: u64) -> Duration {
    Duration::from_millis(10 * count)
}

fn election(speeds: &'static [u64], end: u8) -> Election {
    Election { timing: LeaseTiming { lease: steps(3), deadline: steps(2), renewal: steps(1), retry: steps(1) }, speeds, end }
}

#[test]
fn whatever_happens_at_most_one_may_write() {
    // Half as fast again is as far apart as the deadline and the lease are.
    for (speeds, end) in [(&[10, 12, 15][..], 3), (&[10, 15], 5)] {
        let checker = election(speeds, end).checker().threads(2).spawn_bfs().join();
        eprintln!("{} states of {} processes in {end} steps of time", checker.unique_state_count(), speeds.len());
        checker.assert_properties();
    }
}

#[test]
fn clocks_that_run_three_times_as_fast_as_others_are_found_to_break_it() {
    let checker = election(&[10, 30], 4).checker().threads(2).spawn_bfs().join();
    assert!(checker.discovery("at most one may write").is_some(), "the model cannot fail");
}
