//! Carries out one step and folds its answer into what was seen. Nothing is decided here.

use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::{error::PassError, finalizer, pass::Pass, report, sources, targets, turns::Asking};
use crate::{
    api::Algorithm,
    hydra::{self, CreateJsonWebKeySet, Operation},
    jwk::{Jwk, symmetric},
    lifecycle::{self, Desired, Observed, Outcome, Place, RefusedWrite, Sight, SourceKey, Step, limits::late_answers},
};

/// A turn that came this soon is no reason to decide again.
const SHORT_WAIT: Duration = Duration::from_millis(500);

/// Carries out one step and folds its answer in. That the admin API refuses one key is an answer: the others go on.
pub(super) async fn apply(step: Step, desired: &Desired, seen: &mut Observed, pass: &mut Pass<'_>) -> Result<(), PassError> {
    let write = RefusedWrite::of(&step).filter(|_| !desired.deleting);
    match (carry_out(step, desired, seen, pass).await, write) {
        (Err(error), Some(write)) if error.refuses_the_key() => {
            pass.note_failure(&error);
            seen.key_was_refused(write, error.failure(true).message);
            Ok(())
        }
        (result, _) => result,
    }
}

async fn carry_out(step: Step, desired: &Desired, seen: &mut Observed, pass: &mut Pass<'_>) -> Result<(), PassError> {
    tracing::debug!(step = ?step, "step");
    pass.require_leadership()?;
    let notice = lifecycle::notice(&step);
    match step {
        Step::AddFinalizer => {
            finalizer::add(pass).await?;
            seen.finalizer = true;
        }
        Step::RemoveFinalizer { .. } => {
            finalizer::remove(pass).await?;
            seen.finalizer = false;
        }
        Step::StoreRecord(record) => {
            let mut ahead = seen.clone();
            ahead.record_was_stored(*record);
            report::write_status(desired, Sight::Everything(&ahead), &Outcome::Underway, pass).await?;
            *seen = ahead;
        }
        Step::ReadLive => read_live(desired, seen, pass).await?,
        Step::ReadStaged => read_staged(desired, seen, pass).await?,
        Step::Wait { until } => {
            let wait = Duration::try_from(until.duration_since(pass.now())).unwrap_or_default();
            pass.pause(wait).await?;
        }
        Step::CreateKey { place, kid, alg, key_use, .. } => {
            let request = CreateJsonWebKeySet { alg: alg.as_str().to_owned(), kid, key_use: key_use.as_str().to_owned() };
            if create(place, &request, desired, seen, pass).await?.is_waiting() {
                return Ok(());
            }
        }
        Step::CreateSymmetricKey { place, kid, alg, key_use, .. } => {
            let key = symmetric::from_bytes(&kid, alg.as_str(), key_use.as_str(), &random_bytes(alg)?)
                .map_err(|_| PassError::MakeSymmetricKey)?;
            if put(place, &key, desired, seen, pass).await?.is_waiting() {
                return Ok(());
            }
            // A PUT that somebody else sent at the same time may have won: what counts is what is there.
            match place {
                Place::Live => read_live(desired, seen, pass).await?,
                Place::Staged => read_staged(desired, seen, pass).await?,
            }
        }
        Step::ImportKey { name, key: wanted, .. } => match sources::read(desired, &name, pass).await {
            Ok(key) if SourceKey::of(&key).as_ref() == Some(&*wanted) => {
                if put(Place::Live, &key, desired, seen, pass).await?.is_waiting() {
                    return Ok(());
                }
            }
            // It changed since it was looked at: decide again.
            changed => {
                let state = changed.map_or_else(|state| state, |key| sources::state_of(&key));
                seen.sources.insert(name, state);
                return Ok(());
            }
        },
        Step::PutKey { key, .. } => {
            if put(Place::Live, &key, desired, seen, pass).await?.is_waiting() {
                return Ok(());
            }
        }
        Step::DeleteKey { place, kid, .. } => {
            if take_turn(Operation::DeleteJsonWebKey, pass).await?.is_waiting() {
                return Ok(());
            }
            let set = set_in(place, desired);
            write(pass, Operation::DeleteJsonWebKey, false, async |client| client.delete_json_web_key(&set, &kid).await).await?;
            seen.key_was_deleted(place, &kid);
        }
        Step::TellUnmanagedLeave { kids } => {
            // Before anything happens to them.
            if let Some(notice) = notice {
                report::publish_events(&pass.resource, &desired.set, &[notice], pass.cx).await;
            }
            seen.told.extend(kids);
            return Ok(());
        }
        Step::DeleteSet => {
            if take_turn(Operation::DeleteJsonWebKeySet, pass).await?.is_waiting() {
                return Ok(());
            }
            write(pass, Operation::DeleteJsonWebKeySet, false, async |client| client.delete_json_web_key_set(&desired.set).await).await?;
            seen.set_was_deleted();
        }
        Step::Target(step) => {
            let state = targets::apply(&pass.resource, &step, pass.cx).await;
            seen.target_was_written(step.id().clone(), state);
        }
    }
    if let Some(notice) = notice {
        tracing::info!(reason = notice.reason.as_str(), kids = ?notice.kids, "{}", notice.sentence(&desired.set));
        pass.cx.metrics.acted(notice.reason);
        lifecycle::add_notice(&mut pass.notices, notice);
    }
    Ok(())
}

/// Reads the live set.
pub(super) async fn read_live(desired: &Desired, seen: &mut Observed, pass: &Pass<'_>) -> Result<(), PassError> {
    let answer = pass.client().get_json_web_key_set(&desired.set).await?;
    seen.live_was_read(answer.value.unwrap_or_default(), answer.date, pass.now());
    Ok(())
}

/// Reads the keys that wait outside of the live set.
async fn read_staged(desired: &Desired, seen: &mut Observed, pass: &Pass<'_>) -> Result<(), PassError> {
    let answer = pass.client().get_json_web_key_set(&lifecycle::staged_set(&desired.set)).await?;
    seen.staged_was_read(answer.value.unwrap_or_default(), answer.date, pass.now());
    Ok(())
}

/// The id of the remote set that a place is.
fn set_in(place: Place, desired: &Desired) -> String {
    match place {
        Place::Live => desired.set.clone(),
        Place::Staged => lifecycle::staged_set(&desired.set),
    }
}

/// What became of a write.
enum Write {
    /// It was answered, or may be sent.
    Goes,
    /// Others were first: it is decided again, with the turn kept. A look at the set that is too old by now is repeated by the plan.
    Waited,
}

impl Write {
    fn is_waiting(&self) -> bool {
        matches!(self, Self::Waited)
    }
}

/// Has a key generated, when it is this resource's turn.
async fn create(
    place: Place,
    request: &CreateJsonWebKeySet,
    desired: &Desired,
    seen: &mut Observed,
    pass: &mut Pass<'_>,
) -> Result<Write, PassError> {
    if pass.generation.is_none() {
        let asking = Asking { limit: pass.connection.generations, ..pass.asking.clone() };
        pass.generation = pass.cx.generations.try_take(&asking);
    }
    if pass.generation.is_none() {
        pass.wait_for_generation().await?;
        return Ok(Write::Waited);
    }
    if take_turn(Operation::CreateJsonWebKeySet, pass).await?.is_waiting() {
        return Ok(Write::Waited);
    }
    let set = set_in(place, desired);
    let is_private = place == Place::Live;
    let created =
        write(pass, Operation::CreateJsonWebKeySet, is_private, async |client| client.create_json_web_key_set(&set, request).await).await;
    pass.generation = None;
    match created {
        Ok(answer) => seen.key_was_created(place, answer.value, answer.date, pass.now()),
        Err(PassError::CallAdminApi(error)) if error.is_conflict() => note_existing(place, &request.kid, desired, seen, pass)?,
        Err(error) => return Err(error),
    }
    Ok(Write::Goes)
}

/// Waits until the server may be asked for a write. After a long wait it is decided again, with the turn kept.
async fn take_turn(operation: Operation, pass: &mut Pass<'_>) -> Result<Write, PassError> {
    if pass.reserved.is_none() {
        let asked = Instant::now();
        pass.reserved = Some(pass.connection.client.reserve(operation).await?);
        if asked.elapsed() > SHORT_WAIT {
            return Ok(Write::Waited);
        }
    }
    Ok(Write::Goes)
}

async fn put(place: Place, key: &Jwk, desired: &Desired, seen: &mut Observed, pass: &mut Pass<'_>) -> Result<Write, PassError> {
    if take_turn(Operation::SetJsonWebKey, pass).await?.is_waiting() {
        return Ok(Write::Waited);
    }
    let kid = key.kid().unwrap_or_default();
    let set = set_in(place, desired);
    let is_private = key.is_private() && place == Place::Live;
    let put = write(pass, Operation::SetJsonWebKey, is_private, async |client| client.set_json_web_key(&set, kid, key).await).await;
    match (put, place) {
        (Ok(answer), Place::Live) => seen.key_was_written(answer.value, answer.date, pass.now()),
        (Ok(answer), Place::Staged) => seen.key_was_staged(answer.value, answer.date, pass.now()),
        // A race with another writer: read the set again and decide again.
        (Err(PassError::CallAdminApi(error)), _) if error.is_conflict() => seen.is_stale(place),
        (Err(error), _) => return Err(error),
    }
    Ok(Write::Goes)
}

/// Sends one write. From before it is sent until it is answered, it counts as in flight.
async fn write<T>(
    pass: &mut Pass<'_>,
    operation: Operation,
    private: bool,
    call: impl AsyncFnOnce(&hydra::Client) -> Result<T, hydra::Error>,
) -> Result<T, PassError> {
    pass.require_leadership()?;
    let generates_key = operation.generates_key();
    let timeout = if generates_key { pass.connection.generation_timeout } else { pass.connection.request_timeout };
    let before = pass.cx.writes.begin(&pass.remote, generates_key, late_answers(timeout));
    let client = pass.reserved.take().unwrap_or_else(|| pass.connection.client.clone());
    let answer = call(&client).await;
    let may_land_later = answer.as_ref().is_err_and(hydra::Error::may_have_taken_effect);
    if !may_land_later {
        pass.cx.writes.end(&pass.remote, before, private && answer.is_ok());
    }
    Ok(answer?)
}

/// A kid that exists already: an earlier request for it arrived. The set tells.
fn note_existing(place: Place, kid: &str, desired: &Desired, seen: &mut Observed, pass: &mut Pass<'_>) -> Result<(), PassError> {
    if pass.refused_kid.as_deref() == Some(kid) {
        return Err(PassError::CreateHiddenKey { set: set_in(place, desired), kid: kid.to_owned() });
    }
    pass.refused_kid = Some(kid.to_owned());
    seen.is_stale(place);
    Ok(())
}

/// As many bytes as the algorithm wants.
fn random_bytes(alg: Algorithm) -> Result<Zeroizing<Vec<u8>>, PassError> {
    let mut bytes = Zeroizing::new(vec![0; symmetric::length(alg.as_str()).ok_or(PassError::MakeSymmetricKey)?]);
    rand::fill(&mut bytes).map_err(|_| PassError::MakeSymmetricKey)?;
    Ok(bytes)
}
