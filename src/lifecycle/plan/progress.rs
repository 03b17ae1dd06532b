//! Whether the steps of a pass lead anywhere.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
};

use crate::{jwk::Kid, lifecycle::step::Step};

/// After so many steps others come first. A set of hundreds of keys needs more, and goes on when it is its turn again.
const BEFORE_OTHERS: usize = 512;
/// So often one step may be needed in one pass: somebody else may undo it, but not as often as that.
const MOST_REPEATS: usize = 64;

/// What has been done in a pass.
#[derive(Debug, Default)]
pub struct Progress {
    steps: usize,
    /// How many steps in a row changed nothing but what is known.
    without_effect: usize,
    taken: HashMap<(Discriminant<Step>, String), usize>,
}

/// How a pass goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The step may be taken.
    GoOn,
    /// Enough was done: the rest follows in the next pass, after others.
    MakeRoom,
    /// The same again and again: a defect, or somebody who undoes it each time.
    Stuck,
}

impl Progress {
    /// Notes that `step` is about to be taken, and answers whether it may be.
    pub fn note(&mut self, step: &Step) -> Pace {
        let repeats = match subject(step) {
            Some(subject) => {
                self.without_effect = 0;
                let taken = self.taken.entry((discriminant(step), subject)).or_default();
                *taken += 1;
                *taken
            }
            None => {
                self.without_effect += 1;
                self.without_effect
            }
        };
        self.steps += 1;
        if repeats > MOST_REPEATS {
            Pace::Stuck
        } else if self.steps > BEFORE_OTHERS {
            Pace::MakeRoom
        } else {
            Pace::GoOn
        }
    }
}

/// What a step has an effect on; `None` for one that only looks, waits or remembers.
fn subject(step: &Step) -> Option<String> {
    match step {
        Step::StoreRecord(_) | Step::ReadLive | Step::ReadStaged | Step::Wait { .. } => None,
        Step::Target(step) => Some(step.id().to_string()),
        Step::TellUnmanagedLeave { kids } => Some(kids.iter().map(Kid::as_str).collect::<Vec<_>>().join(" ")),
        _ => Some(step.kid().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::{DeleteCause, Place};

    fn delete(kid: &str) -> Step {
        Step::DeleteKey { place: Place::Live, kid: kid.into(), cause: DeleteCause::Expired }
    }

    #[test]
    fn many_different_steps_are_progress_and_let_others_come_first() {
        let mut progress = Progress::default();
        let paces: Vec<_> =
            (0..400).flat_map(|index| [Step::ReadLive, delete(&index.to_string())]).map(|step| progress.note(&step)).collect();
        assert!(paces[..BEFORE_OTHERS].iter().all(|pace| *pace == Pace::GoOn));
        assert!(paces[BEFORE_OTHERS..].iter().all(|pace| *pace == Pace::MakeRoom));
    }

    #[test]
    fn the_same_step_again_and_again_leads_nowhere() {
        for steps in [vec![delete("a")], vec![Step::ReadLive], vec![delete("a"), Step::ReadLive], vec![Step::ReadLive, Step::ReadStaged]] {
            let mut progress = Progress::default();
            let stuck = steps.iter().cycle().position(|step| progress.note(step) != Pace::GoOn).expect("an end");
            assert_eq!(progress.note(&steps[stuck % steps.len()]), Pace::Stuck, "{steps:?}");
            assert!(stuck < BEFORE_OTHERS);
        }
    }
}
