//! Publication that needs no admin API: looks at the targets, and brings them to what the record shows.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::targets;
use crate::operator::{
    context::Context,
    error::PassError,
    key_set::{claims::Surroundings, current, report},
    watch::stores::Watched,
};
use crate::{
    api::{FINALIZER, JsonWebKeySet},
    lifecycle::{self, Local, LocalStep, Pace, Progress, Record, TargetId, Uid, Wanted, spec::claim},
};

/// What is known without the admin API. A target that could not be read is left out, and the first such failure is answered.
pub(in crate::operator) async fn look(resource: &JsonWebKeySet, wanted: &Wanted, cx: &Context) -> (Local, Option<PassError>) {
    let mut local = Local::new(resource.status.as_ref().map(Record::from_status).unwrap_or_default());
    let named = wanted.targets.iter().map(|target| &target.id).chain(&wanted.withheld).cloned();
    let known: BTreeSet<TargetId> = named.chain(local.record.targets.iter().cloned()).chain(targets::owned(resource, cx)).collect();
    let mut failure = None;
    for id in known {
        match targets::observe(resource, &id, cx).await {
            Ok(state) => _ = local.targets.insert(id, state),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if failure.is_none() {
        cx.memory.note_looked(&Uid::of(resource));
    }
    (local, failure)
}

/// Brings the targets to what the record shows. What could not be written is an answer, and stays in `local`.
///
/// # Errors
/// If the record cannot be stored, this process may not write any more, or somebody undoes each write.
pub(in crate::operator) async fn by_record(
    resource: &mut Arc<JsonWebKeySet>,
    wanted: &Wanted,
    local: &mut Local,
    cx: &Context,
) -> Result<(), PassError> {
    let mut progress = Progress::default();
    while let Some(step) = lifecycle::next_by_record(wanted, local, Timestamp::now()) {
        current::require_leadership(resource, cx)?;
        if progress.note(&step.clone().into()) != Pace::GoOn {
            return Err(PassError::ReachFixedPoint { set: wanted.set.clone() });
        }
        match step {
            LocalStep::StoreRecord(record) => {
                let mut status = resource.status.clone().unwrap_or_default();
                record.write_into(&mut status);
                if let Some(written) = report::write_if_different(resource, &status, None, cx).await? {
                    *resource = written;
                }
                local.record_was_stored(*record);
            }
            LocalStep::Target(step) => {
                let state = targets::apply(resource, &step, cx).await;
                tracing::info!(published_to = %step.id(), "a target was updated from the status, without the admin API");
                local.target_was_written(step.id().clone(), state);
            }
        }
    }
    Ok(())
}

/// Looks at the targets of a resource whose remote set is not acted on, and brings them to what the record shows. What failed is answered: it
/// keeps nobody from reporting why the set is not acted on.
pub(in crate::operator) async fn keep(resource: &mut Arc<JsonWebKeySet>, wanted: &Wanted, cx: &Context) -> (Local, Option<PassError>) {
    let (mut local, failure) = look(resource, wanted, cx).await;
    let published = by_record(resource, wanted, &mut local, cx).await;
    (local, failure.or(published.err()))
}

/// Keeps the targets of a resource up to date while its admin API is known not to answer: they must not wait for a turn there. What
/// blocks them is reported by the pass.
pub(in crate::operator) async fn while_unanswered(watched: &Watched, cx: &Context) {
    let Ok(resource) = &watched.0 else { return };
    let admin_api = claim::admin_api_name(resource);
    if cx.connections.answered(admin_api) || cx.connections.get(admin_api).is_none_or(|connection| connection.is_err()) {
        // The pass does not wait for it, or not for long.
        return;
    }
    if let Err(error) = alone(resource, cx).await {
        tracing::debug!(%error, "the targets were not kept up to date");
    }
}

/// Keeps the targets of a resource up to date without its admin API. Answers whether all hold what the record shows.
pub(in crate::operator) async fn alone(cached: &JsonWebKeySet, cx: &Context) -> Result<bool, PassError> {
    let was_worked_on = cached.status.is_some() && cached.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    let surroundings = Surroundings::of(cached, cx);
    let may_act = cx.readiness.is_set() && cx.is_ours(cached.labels()) && surroundings.labels().is_some();
    if !may_act || !was_worked_on {
        return Ok(false);
    }
    let Some(mut resource) = current::resource(cached, cx).await? else { return Ok(false) };
    let wanted = Wanted::without_admin_api(&resource, surroundings.granting(), surroundings.labels());
    match keep(&mut resource, &wanted, cx).await {
        (_, Some(error)) => Err(error),
        (local, None) => Ok(!local.has_failures()),
    }
}
