//! What is true, as the user reads it: on every outcome, also when the remote is down.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    outcome::{Failure, Outcome},
    transition::trouble,
};
use crate::api::{ConditionType, JsonWebKeySet, JsonWebKeySetStatus, Mode, Reason, TargetStatus};
use crate::lifecycle::{
    Desired, Observed, deletion,
    findings::{Finding, Severity, Trouble, conditions, finding, is_true},
    plan::assess::{Assessment, assess},
    publication::{Local, Published, Target, TargetId, TargetState, Wanted, by_record},
    record::to_seconds,
    remote::invalid::report_invalid,
    set_id::SetId,
    spec::{
        refusal::SpecRefusal,
        timing::{RotateAt, asked_rotation},
    },
    step::Step,
};

/// How many kids a status lists.
const LISTED_KIDS: usize = 64;

/// What a pass saw last.
#[derive(Clone, Copy, Debug)]
pub enum Sight<'seen> {
    /// Nothing: not even the targets could be read.
    Nothing,
    /// The targets. The remote set could not be read, or was not asked for.
    Targets(&'seen Local),
    /// The remote set, and everything else.
    Everything(&'seen Observed),
}

impl<'seen> Sight<'seen> {
    fn observed(self) -> Option<&'seen Observed> {
        match self {
            Self::Everything(seen) => Some(seen),
            Self::Targets(_) | Self::Nothing => None,
        }
    }
}

/// The status of a resource whose remote set is not acted on, and why. `local` is what is published meanwhile.
pub fn refused(
    previous: &JsonWebKeySetStatus,
    generation: i64,
    refusal: &SpecRefusal,
    (wanted, local): (&Wanted, &Local),
    now: Timestamp,
) -> JsonWebKeySetStatus {
    let mut status = previous.clone();
    status.observed_generation = Some(generation);
    status.set = Some(wanted.set.to_string());
    // Another resource may own the set meanwhile, and stage a key.
    status.staged_key_count = None;
    list_targets(&mut status, local, &by_record(wanted, local, now).written);
    let no = |kind| Finding { kind, holds: false, reason: refusal.reason, message: refusal.message.clone() };
    let mut findings = vec![no(ConditionType::Ready), no(ConditionType::Synced), Finding { holds: true, ..no(ConditionType::Stalled) }];
    findings.extend(publication_finding(previous, wanted, local, now));
    status.conditions = conditions(&previous.conditions, findings, &[ConditionType::Published], generation, now);
    status
}

/// The status of a resource whose AdminApi cannot be used. `local` is what is published meanwhile.
pub fn unconnected(
    resource: &JsonWebKeySet,
    previous: &JsonWebKeySetStatus,
    failure: &Failure,
    (wanted, local): (&Wanted, &Local),
    now: Timestamp,
) -> JsonWebKeySetStatus {
    let generation = resource.metadata.generation.unwrap_or_default();
    let is_deleting = resource.metadata.deletion_timestamp.is_some();
    // Like an outage: the AdminApi reports it, and what is published is still right.
    let is_outage = failure.reason == Reason::CredentialsMissing;
    let is_due = step_due(previous, asked_rotation(resource), now).is_some();
    if is_outage && !is_deleting && is_ready_for(previous, generation) && !is_due {
        let published = by_record(wanted, local, now);
        if is_published(wanted, local, &published) {
            let mut status = previous.clone();
            list_targets(&mut status, local, &published.written);
            return status;
        }
    }
    let refusal = SpecRefusal { reason: failure.reason, message: failure.message.clone() };
    let mut status = refused(previous, generation, &refusal, (wanted, local), now);
    if is_deleting {
        status.conditions = conditions(
            &previous.conditions,
            blocked_findings(&wanted.set, failure.reason, &failure.message),
            &[ConditionType::Published],
            generation,
            now,
        );
    }
    status
}

/// The status of a resource that cannot be read as what its schema says.
pub fn unparsable(previous: &JsonWebKeySetStatus, generation: i64, deleting: bool, error: &str, now: Timestamp) -> JsonWebKeySetStatus {
    let message = format!("the resource cannot be read, and nothing is changed for it: {}", without_values(error));
    let mut status = previous.clone();
    status.observed_generation = Some(generation);
    let no = |kind| Finding { kind, holds: false, reason: Reason::InvalidSpec, message: message.clone() };
    let mut findings = vec![no(ConditionType::Ready), no(ConditionType::Synced), Finding { holds: true, ..no(ConditionType::Stalled) }];
    if deleting {
        findings.push(Finding { holds: true, ..no(ConditionType::DeletionBlocked) });
    }
    status.conditions = conditions(&previous.conditions, findings, &[ConditionType::Published], generation, now);
    status
}

/// The head of a parser's message, up to where it may repeat a value of what it parsed.
pub fn without_values(error: &str) -> String {
    error.split(['"', '`', '\'']).next().unwrap_or_default().trim_end_matches([' ', ':', ',']).chars().take(200).collect()
}

/// The status after a pass.
///
/// An outage during a mere look changes nothing of the conditions while what is published is right.
pub fn status(
    desired: &Desired,
    sight: Sight<'_>,
    previous: &JsonWebKeySetStatus,
    outcome: &Outcome,
    now: Timestamp,
) -> JsonWebKeySetStatus {
    let failure = match outcome {
        Outcome::Failed(failure) => Some(failure),
        Outcome::Done | Outcome::Underway => None,
    };
    let due = step_due(previous, desired.rotate_at.clone(), now);
    let is_mere_outage = |failure: &Failure| !failure.step_was_due && !failure.stalled && due.is_none();
    let seen = sight.observed();
    let mut status = previous.clone();
    let mut by_record_alone = None;
    if let Sight::Targets(local) = sight {
        let published = by_record(&desired.publication, local, now);
        list_targets(&mut status, local, &published.written);
        by_record_alone = Some((local, published));
    }
    let is_published = by_record_alone.as_ref().is_none_or(|(local, published)| is_published(&desired.publication, local, published));
    if failure.is_some_and(is_mere_outage) && is_published && !desired.deleting && is_ready_for(previous, desired.generation) {
        return status;
    }
    status.observed_generation = Some(desired.generation);
    status.set = Some(desired.set.to_string());
    let assessment = seen.map(|seen| assess(desired, seen, now));
    if let (Some(seen), Some(assessment)) = (seen, &assessment) {
        describe(&mut status, desired, seen, assessment);
    }
    let is_reported_at_the_end = || is_undisturbed(previous, desired, assessment.as_ref()) || is_in_trouble(previous);
    if matches!(outcome, Outcome::Underway) && !desired.deleting && is_reported_at_the_end() {
        // A status stored in the middle of a pass records what must be remembered; whether all is well is reported at its end.
        return status;
    }
    let failure = failure.map(|failure| failure.since(due));
    let mut findings = if desired.deleting {
        deletion_findings(desired, seen, failure.as_ref(), now)
    } else {
        findings(desired, seen, assessment.as_ref(), failure.as_ref(), now)
    };
    if let Some((local, _)) = by_record_alone.filter(|_| !desired.deleting) {
        findings.extend(publication_finding(previous, &desired.publication, local, now));
    }
    let kept: &[ConditionType] = if assessment.is_none() || desired.deleting { &[ConditionType::Published] } else { &[] };
    status.conditions = conditions(&previous.conditions, findings, kept, desired.generation, now);
    status
}

/// Whether everything was as planned for this spec, and what is due belongs to the plan: nothing is lost and nothing blocks it.
fn is_undisturbed(previous: &JsonWebKeySetStatus, desired: &Desired, assessment: Option<&Assessment>) -> bool {
    let is_routine = assessment.is_some_and(|assessment| {
        assessment.steps.iter().all(Step::is_routine) && assessment.troubles.iter().all(|trouble| trouble.severity == Severity::Notice)
    });
    is_ready_for(previous, desired.generation) && is_routine
}

/// Whether something is wrong that makes the resource not ready.
fn is_in_trouble(previous: &JsonWebKeySetStatus) -> bool {
    trouble(&previous.conditions).is_some() && !is_true(previous, ConditionType::Ready)
}

/// Whether everything is as this generation of the spec says.
fn is_ready_for(status: &JsonWebKeySetStatus, generation: i64) -> bool {
    status.observed_generation == Some(generation) && is_true(status, ConditionType::Ready)
}

/// Since when a step is due that was not taken, as far as the last pass knew, or as somebody asks since.
fn step_due(previous: &JsonWebKeySetStatus, asked: Option<RotateAt>, now: Timestamp) -> Option<Timestamp> {
    let asked = asked.filter(|asked| previous.last_handled_rotate_at.as_ref() != Some(&asked.text)).and_then(|asked| asked.at);
    previous.next_step.as_ref().map(|step| step.0).into_iter().chain(asked).filter(|due| *due <= now).min()
}

/// What was seen of the set, and what must be remembered.
fn describe(status: &mut JsonWebKeySetStatus, desired: &Desired, seen: &Observed, assessment: &Assessment) {
    if !desired.deleting {
        assessment.record.write_into(status);
    }
    status.next_rotation = assessment.next_rotation.filter(|_| desired.mode == Mode::Enforce && !desired.deleting).map(to_seconds);
    status.next_step = assessment.due.filter(|_| desired.mode == Mode::Enforce && !desired.deleting).map(to_seconds);
    list_targets(status, &seen.local, &assessment.record.targets);
    if desired.deleting {
        status.signer = seen.signer().map(str::to_owned);
    }
    status.kids = seen.live.keys.iter().filter_map(|key| key.kid()).take(LISTED_KIDS).map(str::to_owned).collect();
    status.key_count = i64::try_from(seen.live.keys.len()).ok();
    status.on_delete = Some(deletion::policy(desired, assessment.record.origin));
}

/// Lists the targets that were written. One that is gone stays listed: verifiers may still have what it held.
fn list_targets(status: &mut JsonWebKeySetStatus, local: &Local, written: &BTreeSet<TargetId>) {
    let hash_before = |id: &TargetId| {
        let before = status.targets.iter().find(|target| id.is(target));
        before.map(|target| target.hash.clone()).unwrap_or_default()
    };
    let listed = written.iter().map(|id| TargetStatus {
        kind: id.kind,
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        hash: local.held(id).map_or_else(|| hash_before(id), |held| held.content.hash()),
    });
    status.targets = listed.collect();
}

fn findings(
    desired: &Desired,
    seen: Option<&Observed>,
    assessment: Option<&Assessment>,
    failure: Option<&Failure>,
    now: Timestamp,
) -> Vec<Finding> {
    let troubles = assessment.map_or_else(|| report_invalid(desired).troubles, |assessment| assessment.troubles.clone());
    let failed = failure.map(failure_trouble);
    let waiting = seen.zip(assessment).and_then(|(seen, assessment)| still_due(desired, seen, assessment, now));
    let worst = |publication: bool| {
        troubles
            .iter()
            .filter(move |trouble| trouble.publication == publication && trouble.severity != Severity::Notice)
            .max_by_key(|trouble| trouble.severity)
    };
    let sync_trouble = failed.as_ref().or_else(|| worst(false)).or(waiting.as_ref());
    let publication_trouble = worst(true);

    let mut findings = Vec::with_capacity(4);
    let notice = troubles.iter().find(|trouble| trouble.severity == Severity::Notice);
    match sync_trouble.or(publication_trouble) {
        Some(trouble) => {
            findings.push(Finding { kind: ConditionType::Ready, holds: false, reason: trouble.reason, message: trouble.message.clone() })
        }
        None => findings.push(Finding {
            kind: ConditionType::Ready,
            holds: true,
            reason: notice.map_or(Reason::AsPlanned, |notice| notice.reason),
            message: notice.map_or_else(|| format!("set {} is as planned and published", desired.set), |notice| notice.message.clone()),
        }),
    }
    findings.push(finding(ConditionType::Synced, sync_trouble, || format!("set {} is as planned", desired.set)));
    if let Some((seen, assessment)) = seen.zip(assessment) {
        let due = assessment.steps.iter().filter_map(|step| match step {
            Step::Target(step) => Some(step.id()),
            _ => None,
        });
        let count = count_published(&desired.publication, &seen.local, due);
        findings.push(published_finding(&desired.publication, count, publication_trouble));
    }
    let limitations = assessment.map_or(&[][..], |assessment| &assessment.limitations);
    if !limitations.is_empty() {
        let message = limitations.join("; ");
        findings.push(Finding { kind: ConditionType::KnownLimitation, holds: true, reason: Reason::KnownLimitation, message });
    }
    let is_stalled = |trouble: &Trouble| trouble.severity == Severity::Stalled;
    let blocking = || [sync_trouble, worst(false), publication_trouble].into_iter().flatten();
    // An outage does not hide what somebody has to correct.
    if let Some(trouble) = blocking().find(|trouble| is_stalled(trouble)).or_else(|| blocking().next()) {
        let kind = if is_stalled(trouble) { ConditionType::Stalled } else { ConditionType::Reconciling };
        findings.push(Finding { kind, holds: true, reason: trouble.reason, message: trouble.message.clone() });
    }
    findings
}

/// How many targets hold what they should, of which nothing is due for these.
fn count_published<'id>(wanted: &Wanted, local: &Local, due: impl Iterator<Item = &'id TargetId>) -> usize {
    let due: BTreeSet<_> = due.collect();
    let holds = |target: &&Target| match local.targets.get(&target.id) {
        // Without the admin API a private copy cannot be made again, and one that was emptied is none.
        Some(TargetState::Held(held)) => !due.contains(&target.id) && (target.private.is_none() || !held.content.data.is_empty()),
        _ => false,
    };
    wanted.targets.iter().filter(holds).count()
}

/// Whether every target holds what it should, and nothing is left to do about any.
fn is_published(wanted: &Wanted, local: &Local, published: &Published) -> bool {
    let due = published.steps.iter().map(|(_, step)| step.id());
    published.troubles.is_empty() && published.steps.is_empty() && count_published(wanted, local, due) == wanted.targets.len()
}

/// Whether the targets hold the keys, `published` of them do.
fn published_finding(wanted: &Wanted, published: usize, trouble: Option<&Trouble>) -> Finding {
    let unpublished = (published < wanted.targets.len()).then(|| Trouble {
        reason: Reason::Progressing,
        message: format!("{published} of {} targets hold the public keys", wanted.targets.len()),
        severity: Severity::Waiting,
        publication: true,
    });
    finding(ConditionType::Published, trouble.or(unpublished.as_ref()), || match published {
        0 => "there is nothing to publish".to_owned(),
        count => format!("{count} of {count} targets hold the public keys"),
    })
}

/// What is true of the targets while the remote set is not acted on; `None` if nothing was ever said of them.
fn publication_finding(previous: &JsonWebKeySetStatus, wanted: &Wanted, local: &Local, now: Timestamp) -> Option<Finding> {
    if local.record.is_empty() && !previous.conditions.iter().any(|condition| condition.type_ == ConditionType::Published.as_str()) {
        return None;
    }
    let Published { steps, troubles, .. } = by_record(wanted, local, now);
    let count = count_published(wanted, local, steps.iter().map(|(_, step)| step.id()));
    let worst = troubles.iter().max_by_key(|trouble| trouble.severity);
    Some(published_finding(wanted, count, worst))
}

fn failure_trouble(failure: &Failure) -> Trouble {
    let severity = if failure.stalled { Severity::Stalled } else { Severity::Waiting };
    Trouble { reason: failure.reason, message: failure.message.clone(), severity, publication: false }
}

/// What is left to do, if the pass ended before it.
fn still_due(desired: &Desired, seen: &Observed, assessment: &Assessment, now: Timestamp) -> Option<Trouble> {
    if assessment.steps.is_empty() {
        return None;
    }
    let (reason, message) = match seen.late_answers_until(now) {
        Some(until) => (
            Reason::WaitingForLateAnswer,
            format!(
                "an earlier write to set {} may have got no answer and may still take effect: writes resume after {until:.0}, once the set is read again",
                desired.set
            ),
        ),
        None => (Reason::Progressing, format!("set {} is being updated: {} steps are left", desired.set, assessment.steps.len())),
    };
    Some(Trouble { reason, message, severity: Severity::Waiting, publication: false })
}

fn deletion_findings(desired: &Desired, seen: Option<&Observed>, failure: Option<&Failure>, now: Timestamp) -> Vec<Finding> {
    let set = &desired.set;
    let blocked = match (failure, seen.and_then(|seen| seen.late_answers_until(now))) {
        (Some(failure), _) => Some((failure.reason, failure.message.clone())),
        (None, Some(until)) => Some((Reason::WaitingForLateAnswer, format!("an earlier write may still take effect until {until:.0}"))),
        (None, None) => None,
    };
    match blocked {
        Some((reason, why)) => blocked_findings(set, reason, &why),
        None => {
            let no = |kind| Finding { kind, holds: false, reason: Reason::Progressing, message: format!("set {set} is being deleted") };
            vec![no(ConditionType::Ready), no(ConditionType::Synced)]
        }
    }
}

/// Why a resource cannot be deleted yet, and what to do.
fn blocked_findings(set: &SetId, reason: Reason, why: &str) -> Vec<Finding> {
    let message = format!(
        "set {set} cannot be deleted yet: {why}; to delete the resource and keep the remote set, set spec.deletionPolicy to Retain"
    );
    let no = |kind| Finding { kind, holds: false, reason, message: message.clone() };
    vec![no(ConditionType::Ready), no(ConditionType::Synced), Finding { holds: true, ..no(ConditionType::DeletionBlocked) }]
}
