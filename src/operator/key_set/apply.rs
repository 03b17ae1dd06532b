//! Carries out one step. Nothing is decided here: what became of it is an [`Answer`], which is folded into what was seen.

use std::time::Duration;

use super::{finalizer, pass::Pass, remote, report};
use crate::lifecycle::{self, Answer, Desired, Notice, Observed, Outcome, RefusedWrite, Sight, Step};
use crate::operator::{error::PassError, publication::targets};

/// Carries out one step and folds its answer in. That the admin API refuses one key is an answer: the others go on.
///
/// # Errors
/// If the step could not be carried out, or nobody knows whether it was.
pub(super) async fn apply(step: Step, desired: &Desired, seen: &mut Observed, pass: &mut Pass<'_>) -> Result<(), PassError> {
    tracing::debug!(step = ?step, "step");
    pass.require_leadership()?;
    let is_write_of_a_key = RefusedWrite::of(&step).is_some() && !desired.deleting;
    let answer = match carry_out(&step, desired, seen, pass).await {
        Err(error) if is_write_of_a_key && error.refuses_the_key() => {
            pass.note_failure(&error);
            Answer::Refused { message: error.failure(true).message }
        }
        answer => answer?,
    };
    if let Some(notice) = lifecycle::notice(&step, &answer) {
        note(notice, &step, desired, pass).await;
    }
    seen.fold(&step, answer, pass.now());
    Ok(())
}

async fn carry_out(step: &Step, desired: &Desired, seen: &Observed, pass: &mut Pass<'_>) -> Result<Answer, PassError> {
    match step {
        Step::AddFinalizer => finalizer::add(pass).await?,
        Step::RemoveFinalizer { .. } => finalizer::remove(pass).await?,
        Step::StoreRecord(_) => {
            let mut ahead = seen.clone();
            ahead.fold(step, Answer::Done, pass.now());
            report::write_status(desired, Sight::Everything(&ahead), &Outcome::Underway, pass).await?;
        }
        Step::Wait { until } => {
            let wait = Duration::try_from(until.duration_since(pass.now())).unwrap_or_default();
            pass.pause(wait).await?;
        }
        // The event about it is all that it is.
        Step::TellUnmanagedLeave { .. } => {}
        Step::Target(step) => return Ok(Answer::Target(targets::apply(&pass.resource, step, pass.cx).await)),
        Step::ReadLive
        | Step::ReadStaged
        | Step::CreateKey { .. }
        | Step::CreateSymmetricKey { .. }
        | Step::ImportKey { .. }
        | Step::PutKey { .. }
        | Step::DeleteKey { .. }
        | Step::DeleteSet => return remote::ask(step, desired, pass).await,
    }
    Ok(Answer::Done)
}

/// Notes what was done, for events. What will happen to keys of others is said before it does.
async fn note(notice: Notice, step: &Step, desired: &Desired, pass: &mut Pass<'_>) {
    if matches!(step, Step::TellUnmanagedLeave { .. }) {
        return report::publish_events(&pass.resource, &desired.set, &[notice], pass.cx).await;
    }
    tracing::info!(reason = notice.reason.as_str(), kids = ?notice.kids, "{}", notice.sentence(&desired.set));
    pass.cx.metrics.acted(notice.reason);
    lifecycle::add_notice(&mut pass.notices, notice);
}
