//! What an answer means.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{
    error::{Error, ErrorKind},
    operation::Call,
    received::Received,
    waits,
};
use crate::jwk::{Jwk, JwkSet};

/// How Hydra begins to say that a set or a key is absent. In an `error` that is an object, which Hydra's router and gateways write too, for a
/// route or a project that they do not know, it shows whose words they are.
const ABSENT: &str = "Unable to locate the re";

/// How much of a kid of an answer is repeated.
const MOST_REPEATED: usize = 128;

/// The error bodies of the admin API. Handlers and router write different ones; a proxy in front may write anything.
struct Complaint {
    words: String,
    is_the_apis_own: bool,
}

fn complaint(received: &Received) -> Complaint {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    match serde_json::from_slice::<Value>(&received.body) {
        Ok(Value::Object(members)) => match members.get("error") {
            Some(Value::String(error)) => {
                let description = text(members.get("error_description"));
                let words = if description.is_empty() { error.clone() } else { format!("{error}: {description}") };
                Complaint { words: received.redact(&words), is_the_apis_own: members.contains_key("error_description") }
            }
            Some(Value::Object(error)) => {
                let (message, reason) = (text(error.get("message")), text(error.get("reason")));
                let is_the_apis_own = error.contains_key("code") && [&message, &reason].iter().any(|text| text.contains(ABSENT));
                Complaint { words: received.redact(&format!("{message}: {reason}")), is_the_apis_own }
            }
            _ => Complaint { words: String::new(), is_the_apis_own: false },
        },
        // No JSON at all: a proxy's page. Its head helps to recognise it. Redacted before it is cut, or half a secret would look harmless.
        _ => Complaint { words: received.redact(&String::from_utf8_lossy(&received.body)), is_the_apis_own: false },
    }
}

/// Whether an answer says that the set or key is absent. A 404 of anything but the API itself says nothing.
pub(super) fn is_absent(received: &Received) -> bool {
    received.status == 404 && complaint(received).is_the_apis_own
}

/// The error that an answer without success is.
pub(super) fn failure(call: &Call<'_>, received: &Received) -> Error {
    let complaint = complaint(received);
    let retry_after = waits::retry_after(received);
    let kind = match received.status {
        300..=399 => ErrorKind::Redirected,
        400 if complaint.words.contains("Unable to serialize access") => ErrorKind::ConcurrentUpdate,
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 | 405 if !complaint.is_the_apis_own => ErrorKind::NotTheAdminApi,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::RateLimited { retry_after },
        400..=499 => ErrorKind::Rejected,
        500..=599 => ErrorKind::ServerFailed { retry_after },
        _ => ErrorKind::Undecodable,
    };
    Error::new(call, kind, Some(received.status)).said_by_the_api(complaint.is_the_apis_own).with_words(complaint.words)
}

/// A set in an answer. Every key has a kid of its own, or nothing may be concluded from the answer.
pub(super) fn set(call: &Call<'_>, received: &Received) -> Result<JwkSet, Error> {
    let set: JwkSet = parse(call, received)?;
    let mut kids = BTreeSet::new();
    for (index, key) in set.keys.iter().enumerate() {
        let Some(kid) = key.kid().filter(|kid| !kid.is_empty()) else {
            return Err(undecodable(call, received, &format!("key {} of {} has no kid", index + 1, set.keys.len())));
        };
        if !kids.insert(kid) {
            return Err(undecodable(call, received, &format!("two keys have the kid {}", head(kid))));
        }
    }
    Ok(set)
}

/// A kid of an answer as it may be repeated in a message.
fn head(kid: &str) -> String {
    kid.chars().take(MOST_REPEATED).collect::<String>().escape_debug().to_string()
}

/// The only key of a set in an answer, which must be the one that was asked for.
pub(super) fn only_key(call: &Call<'_>, received: &Received, kid: &str) -> Result<Jwk, Error> {
    let mut keys = set(call, received)?.keys;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => named(call, received, key, kid),
        _ => Err(undecodable(call, received, "the answer must hold exactly the requested key")),
    }
}

/// A key in an answer, which must be the one that was asked for.
pub(super) fn key(call: &Call<'_>, received: &Received, kid: &str) -> Result<Jwk, Error> {
    let key = parse(call, received)?;
    named(call, received, key, kid)
}

fn named(call: &Call<'_>, received: &Received, key: Jwk, kid: &str) -> Result<Jwk, Error> {
    if key.kid() == Some(kid) { Ok(key) } else { Err(Error::new(call, ErrorKind::WrongKey, Some(received.status))) }
}

/// What the API says to a deletion is 204. A page of somebody else, with 200, must not pass for it: the key may be there still.
pub(super) fn deleted(call: &Call<'_>, received: &Received) -> Result<(), Error> {
    if received.status == 204 { Ok(()) } else { Err(undecodable(call, received, "a deletion must be answered with 204")) }
}

/// Whether an answer says that the server is ready, in the words of the API.
pub(super) fn ready(call: &Call<'_>, received: &Received) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Readiness {
        status: String,
    }
    let Readiness { status } = parse(call, received)?;
    if status == "ok" { Ok(()) } else { Err(undecodable(call, received, "the status is not ok")) }
}

/// The version in an answer.
pub(super) fn version(call: &Call<'_>, received: &Received) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    let Version { version } = parse(call, received)?;
    Ok(version.chars().filter(|character| !character.is_control()).take(64).collect())
}

fn parse<T: serde::de::DeserializeOwned>(call: &Call<'_>, received: &Received) -> Result<T, Error> {
    serde_json::from_slice(&received.body).map_err(|error| {
        // The parser's own message may repeat a value.
        undecodable(call, received, &format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column()))
    })
}

fn undecodable(call: &Call<'_>, received: &Received, why: &str) -> Error {
    Error::new(call, ErrorKind::Undecodable, Some(received.status)).because(why)
}
