//! From a request to an answer.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde_json::{Value, json};

use super::{
    Calls, Change, Effect, EmulatedOperation, Faults, Journal, ReceivedCall, Refusal, Store,
    answer::{Answer, Ordered, OrderedSet},
    connection::Cut,
    faults::Target,
    file, generate, go_json,
    route::{Route, escaped, location, route},
};
use crate::jwk::{Jwk, JwkSet, PublicJwk};

/// The largest body that is read: 16 MiB.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// What all requests share.
pub(super) struct Shared {
    pub(super) store: Mutex<Store>,
    pub(super) file: Option<PathBuf>,
    pub(super) broadcast: Vec<String>,
    /// `http://address:port`, which `Location` begins with.
    pub(super) url: String,
    pub(super) faults: Faults,
    pub(super) calls: Calls,
    pub(super) journal: Journal,
    /// Seconds that `Date` is ahead of the real time.
    pub(super) clock_offset: AtomicI64,
}

/// Answers one request, or cuts its connection.
pub(super) async fn handle(State(shared): State<Arc<Shared>>, ConnectInfo(cut): ConnectInfo<Cut>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return Answer { status: StatusCode::PAYLOAD_TOO_LARGE, headers: http::HeaderMap::new(), body: Bytes::new() }.into_response();
    };
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    let traceparent = parts.headers.get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let on_get = method == Method::GET;
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&shared.now());
    // In a task of its own: a caller that gives up does not stop what was begun, as with a real server.
    let answer = tokio::spawn(met(shared, cut, method, path, traceparent, body)).await;
    let mut answer = answer.unwrap_or_else(|_| Answer::refusal(&Refusal::Internal("the emulator failed")));
    if on_get {
        answer = answer.with(header::CACHE_CONTROL, "private, no-cache, no-store, must-revalidate");
    }
    let mut response = answer.into_response();
    if let Ok(date) = date.map_err(|_| ()).and_then(|date| HeaderValue::from_str(&date).map_err(|_| ())) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Does what was asked, with the fault that waits for it.
async fn met(shared: Arc<Shared>, Cut(cut): Cut, method: Method, path: String, traceparent: Option<String>, body: Bytes) -> Answer {
    let route = route(&method, &path);
    let (operation, set, kid) = match &route {
        Route::Keys { operation, set, kid, .. } => (Some(*operation), Some(set.clone()), kid.clone()),
        _ => (None, None, None),
    };
    let target = Target { method: &method, path: &path, operation, set: set.as_deref(), kid: kid.as_deref() };
    let fault = shared.faults.take(&target);
    let mut call = ReceivedCall { method: method.clone(), path, operation, set, kid, status: None, traceparent };
    let work = {
        let shared = Arc::clone(&shared);
        async move {
            let done = tokio::task::spawn_blocking(move || shared.answer(&method, &route, &body)).await;
            done.unwrap_or_else(|_| Answer::refusal(&Refusal::Internal("the emulator failed")))
        }
    };
    let mut answer = match fault {
        None => work.await,
        Some(Effect::Answer(status, headers, body)) => Answer { status, headers, body },
        Some(Effect::AnswerAfterEffect(status, headers, body)) => {
            work.await;
            Answer { status, headers, body }
        }
        Some(Effect::DelayBefore(time)) => {
            tokio::time::sleep(time).await;
            work.await
        }
        Some(Effect::DelayAfter(time)) => {
            let answer = work.await;
            tokio::time::sleep(time).await;
            answer
        }
        Some(Effect::LoseRequest) => {
            shared.calls.push(call);
            cut.cancel();
            return Answer::nothing();
        }
        Some(Effect::LoseReply) => {
            let answer = work.await;
            cut.cancel();
            answer
        }
        Some(Effect::LateEffect(time)) => {
            cut.cancel();
            tokio::time::sleep(time).await;
            work.await
        }
    };
    if call.method == Method::HEAD {
        answer.body = Bytes::new();
    }
    call.status = Some(answer.status);
    shared.calls.push(call);
    answer
}

impl Shared {
    /// The store. A panic while it was held has left it whole: operations change it in one step.
    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_secs(self.clock_offset.load(Ordering::Relaxed));
        Timestamp::now().checked_add(offset).unwrap_or(Timestamp::MAX)
    }

    /// The answer to a request, once what it asks for is done. Blocks: keys are generated and files are written in here.
    fn answer(&self, method: &Method, route: &Route, body: &[u8]) -> Answer {
        match route {
            Route::Health => Answer::json(StatusCode::OK, &json!({ "status": "ok" })),
            Route::Version => Answer::json(StatusCode::OK, &json!({ "version": "master" })),
            Route::Unclean(path) => Answer::redirect(&escaped(path.as_bytes()), method),
            Route::Unknown => Answer::no_route(),
            Route::WellKnown => self.well_known().unwrap_or_else(|refusal| Answer::refusal(&refusal)),
            Route::Keys { operation, set, kid } => {
                let kid = kid.as_deref().unwrap_or_default();
                let done = self.operate(*operation, set, kid, body).unwrap_or_else(|refusal| Answer::refusal(&refusal));
                if done.status == StatusCode::CREATED {
                    return done.with(header::LOCATION, &format!("{}{}", self.url, location(set)));
                }
                done
            }
        }
    }

    fn operate(&self, operation: EmulatedOperation, set: &str, kid: &str, body: &[u8]) -> Result<Answer, Refusal> {
        match operation {
            EmulatedOperation::GetSet => self.lock().get_set(set).map(|keys| Answer::json(StatusCode::OK, &OrderedSet::new(&keys.keys))),
            EmulatedOperation::GetKey => self.lock().get_key(set, kid).map(|key| Answer::json(StatusCode::OK, &OrderedSet::new([&key]))),
            EmulatedOperation::CreateKey => {
                let request = go_json::object(body, "jwk.createJsonWebKeySetBody")?;
                let text = |name| go_json::text(&request, name);
                let (alg, key_use, new_kid) = (text("alg")?, text("use")?, text("kid")?);
                let generator = self.lock().generator();
                let key = generate::labelled(&*generator, Some(&new_kid), &alg, &key_use)?;
                let key = self.change(operation, set, |store| store.add(set, key))?;
                Ok(Answer::json(StatusCode::CREATED, &OrderedSet::new([&key])))
            }
            EmulatedOperation::PutSet => {
                let sent = keys_of(go_json::object(body, "jose.JSONWebKeySet")?)?;
                let keys = self.change(operation, set, |store| store.put_set(set, sent.as_ref().unwrap_or(&JwkSet::default())))?;
                // Go writes a list that was never made as null.
                Ok(match sent {
                    Some(_) => Answer::json(StatusCode::OK, &OrderedSet::new(&keys.keys)),
                    None => Answer::json(StatusCode::OK, &json!({ "keys": null })),
                })
            }
            EmulatedOperation::PutKey => {
                let key = Jwk::from_members(go_json::object(body, "jose.rawJSONWebKey")?);
                let key = self.change(operation, set, |store| store.put_key(set, &key))?;
                Ok(Answer::json(StatusCode::OK, &Ordered(&key)))
            }
            EmulatedOperation::DeleteSet => {
                self.change(operation, set, |store| {
                    store.delete_set(set);
                    Ok(())
                })?;
                Ok(Answer::nothing())
            }
            EmulatedOperation::DeleteKey => {
                self.change(operation, set, |store| {
                    store.delete_key(set, kid);
                    Ok(())
                })?;
                Ok(Answer::nothing())
            }
        }
    }

    fn well_known(&self) -> Result<Answer, Refusal> {
        let empty: Vec<String> = self.lock().without_private_key(&self.broadcast).into_iter().map(str::to_owned).collect();
        for set in empty {
            let generator = self.lock().generator();
            let key = generate::labelled(&*generator, None, "RS256", "sig")?;
            self.change(EmulatedOperation::CreateKey, &set, |store| store.add(&set, key))?;
        }
        let keys = self.lock().broadcast(&self.broadcast)?;
        Ok(Answer::json(StatusCode::OK, &OrderedSet::new(keys.keys.iter().map(PublicJwk::as_jwk))))
    }

    /// Changes a set, and writes it into the journal if that is open.
    fn change<T>(
        &self,
        operation: EmulatedOperation,
        set: &str,
        change: impl FnOnce(&mut Store) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut store = self.lock();
        if !self.journal.is_open() {
            return self.change_store(&mut store, change);
        }
        let keys = |store: &Store| store.get_set(set).map(|set| set.keys).unwrap_or_default();
        let before = keys(&store);
        let done = self.change_store(&mut store, change)?;
        self.journal.push(Change { at: Timestamp::now(), operation, set: set.to_owned(), before, after: keys(&store) });
        Ok(done)
    }

    /// With a file, a change counts only when it is on disk.
    fn change_store<T>(&self, store: &mut Store, change: impl FnOnce(&mut Store) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let Some(path) = &self.file else { return change(store) };
        let mut changed = store.clone();
        let done = change(&mut changed)?;
        file::save(path, &changed).map_err(|error| {
            tracing::error!(%error, file = %path.display(), "the content cannot be written");
            Refusal::Internal("the content cannot be written to the file")
        })?;
        *store = changed;
        Ok(done)
    }
}

/// The keys of a set; `None` for null, and for a set without `keys`, in capitals or not.
fn keys_of(body: serde_json::Map<String, Value>) -> Result<Option<JwkSet>, Refusal> {
    let keys = body.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("keys")).map(|(_, value)| value).next_back();
    let values = match keys {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(values)) => values,
        Some(other) => return Err(go_json::wrong_type(&other, "struct field JSONWebKeySet.keys of type []jose.JSONWebKey")),
    };
    let keys = values.into_iter().map(|value| go_json::members(value, "jose.rawJSONWebKey").map(Jwk::from_members));
    Ok(Some(JwkSet { keys: keys.collect::<Result<_, _>>()? }))
}
