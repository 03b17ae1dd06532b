//! Carries out one step and folds its answer into what was seen. Nothing is decided here.

use std::time::Duration;

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::{connections::late_answers, error::PassError, finalizer, pass::Pass, report, targets};
use crate::{
    api::Algorithm,
    hydra::{self, CreateJsonWebKeySet},
    jwk::{Jwk, symmetric},
    lifecycle::{self, Desired, Observed, Outcome, Step},
};

/// Carries out one step.
pub(super) async fn apply(step: Step, desired: &Desired, seen: &mut Observed, pass: &mut Pass<'_>) -> Result<(), PassError> {
    tracing::debug!(namespace = %desired.namespace, name = %desired.name, set = %desired.set, step = ?step, "step");
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
            report::write_status(desired, Some(&ahead), &Outcome::Underway, pass).await?;
            *seen = ahead;
        }
        Step::ReadLive => read_live(desired, seen, pass).await?,
        Step::Wait { until } => {
            let wait = Duration::try_from(until.duration_since(pass.now())).unwrap_or_default();
            tokio::time::sleep(wait).await;
        }
        Step::CreateKey { kid, alg, key_use, .. } => {
            let request = CreateJsonWebKeySet { alg: alg.as_str().to_owned(), kid: kid.clone(), key_use: key_use.as_str().to_owned() };
            let created = write(pass, true, async |client| client.create_json_web_key_set(&desired.set, &request).await).await;
            match created {
                Ok(answer) => seen.key_was_written(answer.value, answer.date, pass.now()),
                Err(PassError::CallAdminApi(error)) if error.is_conflict() => note_existing(kid, desired, seen, pass)?,
                Err(error) => return Err(error),
            }
        }
        Step::CreateSymmetricKey { kid, alg, key_use, .. } => {
            let key = symmetric::from_bytes(&kid, alg.as_str(), key_use.as_str(), &random_bytes(alg)?)
                .map_err(|_| PassError::MakeSymmetricKey)?;
            put(&key, desired, seen, pass).await?;
            // A PUT that somebody else sent at the same time may have won: what counts is what is there.
            read_live(desired, seen, pass).await?;
        }
        Step::PutKey { key, .. } => put(&key, desired, seen, pass).await?,
        Step::DeleteKey { kid, .. } => {
            write(pass, false, async |client| client.delete_json_web_key(&desired.set, &kid).await).await?;
            seen.key_was_deleted(&kid);
        }
        Step::DeleteSet => {
            write(pass, false, async |client| client.delete_json_web_key_set(&desired.set).await).await?;
            seen.set_was_deleted();
        }
        Step::WriteTarget { id, content, replaces } => {
            let state = targets::write(&pass.resource, &id, &content, replaces.as_deref(), pass.cx).await;
            seen.targets.insert(id, state);
        }
        Step::RemoveTarget { id, uid } => {
            let state = targets::remove(&pass.resource, &id, &uid, pass.cx).await;
            seen.targets.insert(id, state);
        }
    }
    if let Some(notice) = notice {
        tracing::info!(namespace = %desired.namespace, name = %desired.name, set = %desired.set, reason = notice.reason.as_str(), kids = ?notice.kids, "{}", notice.sentence(&desired.set));
        lifecycle::add_notice(&mut pass.notices, notice);
    }
    Ok(())
}

/// Reads the live set.
pub(super) async fn read_live(desired: &Desired, seen: &mut Observed, pass: &Pass<'_>) -> Result<(), PassError> {
    let answer = pass.connection.client.get_json_web_key_set(&desired.set).await?;
    seen.live_was_read(answer.value.unwrap_or_default(), answer.date, pass.now());
    Ok(())
}

async fn put(key: &Jwk, desired: &Desired, seen: &mut Observed, pass: &Pass<'_>) -> Result<(), PassError> {
    let kid = key.kid().unwrap_or_default();
    match write(pass, key.is_private(), async |client| client.set_json_web_key(&desired.set, kid, key).await).await {
        Ok(answer) => seen.key_was_written(answer.value, answer.date, pass.now()),
        // A race with another writer: read the set again and decide again.
        Err(PassError::CallAdminApi(error)) if error.is_conflict() => seen.live_is_stale(),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Sends one write. From before it is sent until it is answered, it counts as in flight.
async fn write<T>(
    pass: &Pass<'_>,
    private: bool,
    call: impl AsyncFnOnce(&hydra::Client) -> Result<T, hydra::Error>,
) -> Result<T, PassError> {
    let before = pass.cx.writes.begin(&pass.remote, late_answers(pass.connection.timeout));
    let answer = call(&pass.connection.client).await;
    let may_land_later = answer.as_ref().is_err_and(hydra::Error::may_have_taken_effect);
    if !may_land_later {
        pass.cx.writes.end(&pass.remote, before, private && answer.is_ok());
    }
    Ok(answer?)
}

/// A kid that exists already: an earlier request for it arrived. The set tells.
fn note_existing(kid: String, desired: &Desired, seen: &mut Observed, pass: &mut Pass<'_>) -> Result<(), PassError> {
    if pass.refused_kid.as_ref() == Some(&kid) {
        return Err(PassError::CreateHiddenKey { set: desired.set.clone(), kid });
    }
    pass.refused_kid = Some(kid);
    seen.live_is_stale();
    Ok(())
}

/// As many bytes as the algorithm wants.
fn random_bytes(alg: Algorithm) -> Result<Zeroizing<Vec<u8>>, PassError> {
    let mut bytes = Zeroizing::new(vec![0; symmetric::length(alg.as_str()).ok_or(PassError::MakeSymmetricKey)?]);
    rand::fill(&mut bytes).map_err(|_| PassError::MakeSymmetricKey)?;
    Ok(bytes)
}
