//! The reconcile of a JsonWebKeySet, as a table of contents.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _, runtime::controller::Action};
use tracing::Instrument as _;

use super::{
    claims::Surroundings,
    converge::Seen,
    course::{self, Course},
    current, finalizer,
    pass::{Pass, Work},
    report, unparsable,
};
use crate::operator::{
    admin_api::connections::{self, Unconnected},
    contained::{Panicked, contained},
    context::Context,
    error::PassError,
    memory::Rest,
    metrics::{Ending, Kind},
    publication::{local, repairs},
    repeats::Wrong,
    span,
    waits::{
        admission,
        turns::{Admission, Asking},
    },
    watch::stores::Watched,
};
use crate::{
    api::{JsonWebKeySet, Reason},
    lifecycle::{self, Failure, Notice, Observed, Outcome, SpecRefusal, Uid, Wanted},
};

/// When to look again at a resource that somebody else wrote meanwhile, or of which not everything is known yet.
const OVERTAKEN: Duration = Duration::from_secs(1);
/// How long after its start the operator waits for what unreadable resources claim.
const CLAIMS_ARE_READ: Duration = Duration::from_secs(30);
/// How long a resource is left alone whose AdminApi cannot be read: a change of it is seen.
const UNREADABLE: Duration = Duration::from_secs(600);
/// Added to what falls due, so that it is due for sure, and so that nothing is asked without a pause.
const SOON: Duration = Duration::from_secs(1);

/// Runs one reconcile: what needs no pass, then the pass if it may begin. If it has to wait for its turn, another reconcile comes when it has
/// it. Panics are contained: one resource must not stop the others.
pub(in crate::operator) async fn reconcile(guard: Arc<Watched>, cx: Arc<Context>) -> Result<Action, std::convert::Infallible> {
    let uid = Uid::of(guard.as_ref());
    let _alone = cx.locks.lock(&uid).await;
    let has_waited = cx.waiting.take(&uid);
    if cx.departed.holds(&uid) || !cx.leadership.may_write() {
        return Ok(Action::await_change());
    }
    let admitted = match has_waited {
        Some(admitted) => admitted,
        None => {
            match contained("a reconcile", Box::pin(ahead(&guard, &cx))).await {
                Ok(None) => {}
                Ok(Some(action)) => return Ok(action),
                Err(Panicked) => return Ok(Action::requeue(cx.memory.pause(&uid))),
            }
            let Some(admitted) = admission::wait(&guard, &cx) else { return Ok(Action::await_change()) };
            admitted
        }
    };
    let Ok(admitted) = admitted else { return Ok(Action::requeue(cx.memory.pause(&uid))) };
    let Some(guard) = admission::latest(&guard, &cx) else { return Ok(Action::await_change()) };
    if cx.departed.holds(&uid) || !cx.leadership.may_write() {
        return Ok(Action::await_change());
    }
    let action = Box::pin(work(&guard, admitted, &cx)).await;
    if let Some(watched) = admission::latest(&guard, &cx).filter(|watched| watched.0.is_ok()) {
        cx.memory.is_shown(&uid, watched.meta().resource_version.as_deref());
    }
    Ok(action)
}

/// What needs no turn: edited targets, and all targets while the admin API does not answer. Answers when nothing else is to be done, as for a
/// resource that waits for its turn already.
async fn ahead(guard: &Watched, cx: &Context) -> Option<Action> {
    if cx.waiting.holds(&Uid::of(guard)) {
        return Some(repairs::while_waiting(guard, cx).await);
    }
    let repaired = repairs::repair(guard, cx).await;
    if repaired.is_none() {
        local::while_unanswered(guard, cx).await;
    }
    repaired
}

/// Works on a resource whose turn it is.
async fn work(guard: &Watched, admitted: Option<Admission>, cx: &Context) -> Action {
    let uid = Uid::of(guard);
    if let Some(waited) = cx.memory.take_waiting(&uid) {
        cx.metrics.waited_in_queue(waited);
    }
    let started = Instant::now();
    let span = span::of_json_web_key_set(guard);
    let result = contained("a reconcile", reconcile_guarded(guard, admitted, cx)).instrument(span.clone()).await;
    let _told_of_it = span.entered();
    cx.metrics.reconciled(Kind::JsonWebKeySet, Ending::of(&result), started.elapsed());
    match result {
        Ok(Ok(action)) => action,
        // It was deleted meanwhile: there is no status to write.
        Ok(Err(error)) if error.kubernetes_code() == Some(404) => Action::requeue(OVERTAKEN),
        Ok(Err(error)) => {
            if let Some(times) = cx.memory.goes_wrong(&uid, Wrong::Reconcile) {
                tracing::warn!(%error, times, "a reconcile failed");
            }
            Action::requeue(cx.memory.pause(&uid))
        }
        Err(Panicked) => Action::requeue(cx.memory.pause(&uid)),
    }
}

async fn reconcile_guarded(guard: &Watched, admitted: Option<Admission>, cx: &Context) -> Result<Action, PassError> {
    // One that cannot be read is looked at by all: it may own a set, and each has to know of it.
    if guard.0.is_ok() && !cx.is_ours(guard.labels()) {
        cx.memory.leave(&Uid::of(guard));
        return Ok(Action::await_change());
    }
    cx.memory.join(&Uid::of(guard));
    if !cx.readiness.is_set() {
        // Without the AdminApis and the targets nothing can be concluded.
        return Ok(Action::requeue(OVERTAKEN));
    }
    if guard.0.is_ok() && cx.started.elapsed() < CLAIMS_ARE_READ && unparsable::is_claim_unknown(cx) {
        // A resource that cannot be read may own this one's set: it is about to be looked at.
        return Ok(Action::requeue(OVERTAKEN));
    }
    match &guard.0 {
        Err(invalid) => unparsable::tell(invalid, cx).await,
        Ok(cached) => match current::resource(cached, cx).await? {
            Some(resource) => reconcile_resource(resource, admitted, cx).await,
            None => Ok(Action::await_change()),
        },
    }
}

/// Brings the remote set of a resource to what it asks for, and says so. Without a turn at its AdminApi it does what needs none.
pub(in crate::operator) async fn reconcile_resource(
    resource: Arc<JsonWebKeySet>,
    admitted: Option<Admission>,
    cx: &Context,
) -> Result<Action, PassError> {
    let surroundings = Surroundings::of(&resource, cx);
    match course::of(&resource, &surroundings, cx) {
        Course::Nothing => Ok(Action::await_change()),
        Course::Later(after) => Ok(Action::requeue(after)),
        Course::LetGo(reason) => let_go(&resource, reason, cx).await,
        Course::WaitForAdminApi(why) => wait_for_admin_api(resource, &surroundings, why, cx).await,
        Course::Refuse(refusal) => refuse(resource, &surroundings, &refusal, cx).await,
        Course::Pass(work) => {
            span::is_about(&work.desired.set);
            let at_its_admin_api = admitted.filter(|admitted| admitted.turn.is_at(&work.admin_api));
            let (Some(admission), Some(asking)) = (at_its_admin_api, admission::of(&resource, cx)) else {
                // Its AdminApi has become usable since the look before.
                return Ok(Action::requeue(Duration::ZERO));
            };
            look_and_act(&work, resource, (admission, asking), cx).await
        }
    }
}

/// Makes a pass, and says what came of it.
async fn look_and_act(
    work: &Work,
    resource: Arc<JsonWebKeySet>,
    (admission, asking): (Admission, Asking),
    cx: &Context,
) -> Result<Action, PassError> {
    let desired = &work.desired;
    let wishes = begin(&resource, cx);
    cx.memory.note_waiting_for_key(&Uid::of(resource.as_ref()), false);
    let mut pass = Pass::new(work, resource, (admission, asking), cx);
    let (seen, outcome) = pass.converge(desired).await;
    if pass.was_overtaken {
        // Nothing is wrong: it is read again, and decided again.
        report::publish_events(&pass.resource, &desired.set, &pass.notices, cx).await;
        return Ok(Action::requeue(OVERTAKEN));
    }
    if !(desired.deleting && pass.resource.finalizers().is_empty()) {
        report::write_status(desired, seen.sight(), &outcome, &mut pass).await?;
    }
    report::publish_events(&pass.resource, &desired.set, &pass.notices, cx).await;
    if pass.made_room {
        return Ok(Action::requeue(Duration::ZERO));
    }
    let is_settled = !matches!(outcome, Outcome::Failed(_)) && !seen.everything().is_some_and(Observed::has_failures);
    let after = next_look(work, &pass, &seen, is_settled);
    let rest = Rest { until: Instant::now() + after, is_settled };
    cx.memory.comes_to_rest(&Uid::of(pass.resource.as_ref()), wishes, rest);
    Ok(Action::requeue(after))
}

/// How long nothing has to be done after a pass.
fn next_look(work: &Work, pass: &Pass<'_>, seen: &Seen, is_settled: bool) -> Duration {
    let uid = Uid::of(pass.resource.as_ref());
    if is_settled {
        pass.cx.memory.reset_pause(&uid);
        let wake = seen.everything().and_then(|seen| lifecycle::wake(&work.desired, seen, pass.now()));
        return until_next_look(wake, work.resync, pass.now());
    }
    let pause = pass.cx.memory.pause(&uid);
    let longest = pass.retry_after.map_or(pause, |asked| asked.max(pause));
    until_next_look(next_step(&pass.resource, pass.now()), longest, pass.now())
}

/// How long nothing has to be done: until something falls due, at most for `longest`.
fn until_next_look(wake: Option<Timestamp>, longest: Duration, now: Timestamp) -> Duration {
    let until_wake = wake.map(|wake| Duration::try_from(wake.duration_since(now)).unwrap_or_default() + SOON);
    until_wake.map_or(longest, |until| until.min(longest))
}

/// When the next step falls due, as the status has it: while the set cannot be read, nothing is known beyond it.
fn next_step(resource: &JsonWebKeySet, now: Timestamp) -> Option<Timestamp> {
    let step = resource.status.as_ref()?.next_step.as_ref()?.0;
    (step > now).then_some(step)
}

/// Releases a resource without a look at its remote set, and says so.
async fn let_go(resource: &JsonWebKeySet, reason: Reason, cx: &Context) -> Result<Action, PassError> {
    finalizer::release(resource, cx).await?;
    let set = lifecycle::set_id(resource, None);
    let notice = Notice { reason, kids: Vec::new() };
    span::is_about(&set);
    tracing::info!(reason = reason.as_str(), "the resource is released, and the remote set stays");
    report::publish_events(resource, &set, &[notice], cx).await;
    Ok(Action::await_change())
}

/// Reports a resource whose remote set is not acted on. It is looked at again when it or its AdminApi changes, and on resync. What was published
/// stays up to date, and private keys do not stay where the grant is gone.
async fn refuse(
    mut resource: Arc<JsonWebKeySet>,
    surroundings: &Surroundings,
    refusal: &SpecRefusal,
    cx: &Context,
) -> Result<Action, PassError> {
    let wishes = begin(&resource, cx);
    let wanted = Wanted::without_spec(&resource, surroundings.granting(), surroundings.labels());
    let (local, unread) = local::keep(&mut resource, &wanted, cx).await;
    let previous = resource.status.clone().unwrap_or_default();
    let generation = resource.metadata.generation.unwrap_or_default();
    let status = lifecycle::refused(&previous, generation, refusal, (&wanted, &local), Timestamp::now());
    report::write_if_different(&resource, &status, None, cx).await?;
    if let Some(error) = unread {
        return Err(error);
    }
    let resync = surroundings.admin_api().and_then(Result::ok).map(|admin_api| connections::resync(&admin_api.spec));
    let after = if local.has_failures() { cx.memory.pause(&Uid::of(resource.as_ref())) } else { resync.unwrap_or(UNREADABLE) };
    Ok(rest(&resource, wishes, after, cx))
}

/// Reports that the AdminApi cannot be used. The AdminApi wakes its sets when it can. What was published stays up to date meanwhile.
async fn wait_for_admin_api(
    mut resource: Arc<JsonWebKeySet>,
    surroundings: &Surroundings,
    why: Unconnected,
    cx: &Context,
) -> Result<Action, PassError> {
    let wishes = begin(&resource, cx);
    let wanted = Wanted::without_admin_api(&resource, surroundings.granting(), surroundings.labels());
    let (local, unread) = local::keep(&mut resource, &wanted, cx).await;
    let failure = Failure { reason: why.reason, message: why.message, stalled: true, step_was_due: true };
    let previous = resource.status.clone().unwrap_or_default();
    let status = lifecycle::unconnected(&resource, &previous, &failure, (&wanted, &local), Timestamp::now());
    report::write_if_different(&resource, &status, None, cx).await?;
    if let Some(error) = unread {
        return Err(error);
    }
    let now = Timestamp::now();
    let pause = cx.memory.pause(&Uid::of(resource.as_ref())).max(Duration::from_secs(30));
    Ok(rest(&resource, wishes, until_next_look(next_step(&resource, now), pause, now), cx))
}

/// A look at all targets begins: it answers every edit before. Answers what [`rest`] needs.
fn begin(resource: &JsonWebKeySet, cx: &Context) -> u64 {
    let uid = Uid::of(resource);
    cx.memory.edits(&uid, |edits| edits.close(Instant::now()));
    cx.memory.begins(&uid)
}

/// Nothing is to be done for so long, unless something happens. Edits of targets are put back ever later meanwhile.
fn rest(resource: &JsonWebKeySet, wishes: u64, after: Duration, cx: &Context) -> Action {
    let rest = Rest { until: Instant::now() + after, is_settled: false };
    cx.memory.comes_to_rest(&Uid::of(resource), wishes, rest);
    Action::requeue(after)
}
