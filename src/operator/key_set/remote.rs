//! The steps that ask the admin API.

use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::{pass::Pass, sources};
use crate::operator::{error::PassError, waits::turns::Asking};
use crate::{
    api::Algorithm,
    hydra::{self, CreateJsonWebKeySet, Operation},
    jwk::{Jwk, Kid, symmetric},
    lifecycle::{Answer, Desired, Place, SetId, SourceKey, Step, spec::settings::late_answers},
};

/// A turn that came this soon is no reason to decide again.
const SHORT_WAIT: Duration = Duration::from_millis(500);

/// Asks the admin API for what a step says. Other steps need nothing of it.
pub(super) async fn ask(step: &Step, desired: &Desired, pass: &mut Pass<'_>) -> Result<Answer, PassError> {
    let set = set_in(step.place(), desired);
    match step {
        Step::ReadLive | Step::ReadStaged => read(&set, pass).await,
        Step::CreateKey { kid, alg, key_use, .. } => {
            let (alg, key_use) = (alg.as_str().to_owned(), key_use.as_str().to_owned());
            create(step, &set, CreateJsonWebKeySet { alg, kid: kid.to_string(), key_use }, pass).await
        }
        Step::CreateSymmetricKey { kid, alg, key_use, .. } => {
            let key = symmetric::from_bytes(kid.as_str(), alg.as_str(), key_use.as_str(), &random_bytes(*alg)?);
            match put(step, &set, &key.map_err(|_| PassError::MakeSymmetricKey)?, pass).await? {
                // A PUT that somebody else sent at the same time may have won: what counts is what is there.
                Answer::Written { .. } => read(&set, pass).await,
                other => Ok(other),
            }
        }
        Step::ImportKey { name, key: wanted, .. } => match sources::read(desired, name, pass).await {
            Ok(imported) if SourceKey::of_imported(&imported).as_ref() == Some(&**wanted) => put(step, &set, &imported.key, pass).await,
            // It changed since it was looked at: decide again.
            changed => Ok(Answer::SourceChanged(changed.map_or_else(|state| state, |imported| sources::state_of(&imported)))),
        },
        Step::PutKey { key, .. } => put(step, &set, key, pass).await,
        Step::DeleteKey { kid, .. } => {
            delete(Operation::DeleteJsonWebKey, pass, async |client| client.delete_json_web_key(set.as_str(), kid.as_str()).await).await
        }
        Step::DeleteSet => {
            delete(Operation::DeleteJsonWebKeySet, pass, async |client| client.delete_json_web_key_set(set.as_str()).await).await
        }
        Step::AddFinalizer
        | Step::RemoveFinalizer { .. }
        | Step::StoreRecord(_)
        | Step::Wait { .. }
        | Step::TellUnmanagedLeave { .. }
        | Step::Target(_) => Ok(Answer::Done),
    }
}

/// The id of the remote set that a place is.
fn set_in(place: Place, desired: &Desired) -> SetId {
    match place {
        Place::Live => desired.set.clone(),
        Place::Staged => desired.set.staged(),
    }
}

/// Reads a set.
async fn read(set: &SetId, pass: &Pass<'_>) -> Result<Answer, PassError> {
    let answer = pass.client().get_json_web_key_set(set.as_str()).await?;
    Ok(Answer::Read { set: answer.value.unwrap_or_default(), server_time: answer.date })
}

/// Has a key generated, when it is this resource's turn.
async fn create(step: &Step, set: &SetId, request: CreateJsonWebKeySet, pass: &mut Pass<'_>) -> Result<Answer, PassError> {
    if pass.generation.is_none() {
        let asking = Asking { limit: pass.connection.generations, ..pass.asking.clone() };
        pass.generation = pass.cx.generations.try_take(&asking);
    }
    if pass.generation.is_none() {
        pass.wait_for_generation().await?;
        return Ok(Answer::Waited);
    }
    if !take_turn(Operation::CreateJsonWebKeySet, pass).await? {
        return Ok(Answer::Waited);
    }
    let is_private = step.place() == Place::Live;
    let created = write(pass, Operation::CreateJsonWebKeySet, is_private, async |client| {
        client.create_json_web_key_set(set.as_str(), &request).await
    })
    .await;
    pass.generation = None;
    match created {
        Ok(answer) => Ok(Answer::Written { key: Box::new(answer.value), server_time: answer.date }),
        Err(PassError::CallAdminApi(error)) if error.is_conflict() => existing(set, request.kid.into(), pass),
        Err(error) => Err(error),
    }
}

/// A kid that exists already: an earlier request for it arrived. The set shows it.
fn existing(set: &SetId, kid: Kid, pass: &mut Pass<'_>) -> Result<Answer, PassError> {
    if pass.refused_kid.as_ref() == Some(&kid) {
        return Err(PassError::CreateHiddenKey { set: set.clone(), kid });
    }
    pass.refused_kid = Some(kid);
    Ok(Answer::Conflict)
}

async fn put(step: &Step, set: &SetId, key: &Jwk, pass: &mut Pass<'_>) -> Result<Answer, PassError> {
    if !take_turn(Operation::SetJsonWebKey, pass).await? {
        return Ok(Answer::Waited);
    }
    let kid = key.kid().unwrap_or_default();
    let is_private = key.is_private() && step.place() == Place::Live;
    match write(pass, Operation::SetJsonWebKey, is_private, async |client| client.set_json_web_key(set.as_str(), kid, key).await).await {
        Ok(answer) => Ok(Answer::Written { key: Box::new(answer.value), server_time: answer.date }),
        // A race with another writer.
        Err(PassError::CallAdminApi(error)) if error.is_conflict() => Ok(Answer::Conflict),
        Err(error) => Err(error),
    }
}

async fn delete<T>(
    operation: Operation,
    pass: &mut Pass<'_>,
    call: impl AsyncFnOnce(&hydra::Client) -> Result<T, hydra::Error>,
) -> Result<Answer, PassError> {
    if !take_turn(operation, pass).await? {
        return Ok(Answer::Waited);
    }
    write(pass, operation, false, call).await?;
    Ok(Answer::Done)
}

/// Waits until the server may be asked for a write. After a long wait it is decided again, with the turn kept: then it answers `false`.
async fn take_turn(operation: Operation, pass: &mut Pass<'_>) -> Result<bool, PassError> {
    if pass.reserved.is_some() {
        return Ok(true);
    }
    let asked = Instant::now();
    pass.reserved = Some(pass.connection.client.reserve(operation).await?);
    Ok(asked.elapsed() <= SHORT_WAIT)
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

/// As many bytes as the algorithm wants.
fn random_bytes(alg: Algorithm) -> Result<Zeroizing<Vec<u8>>, PassError> {
    let mut bytes = Zeroizing::new(vec![0; symmetric::length(alg.as_str()).ok_or(PassError::MakeSymmetricKey)?]);
    rand::fill(&mut bytes).map_err(|_| PassError::MakeSymmetricKey)?;
    Ok(bytes)
}
