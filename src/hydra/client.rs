//! The seven operations.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    breaker::BreakerState,
    decode,
    error::{Error, ErrorKind},
    gate::Reservation,
    operation::{Call, Operation},
    received::Received,
    transport::Transport,
};
use crate::jwk::{Jwk, JwkSet};

/// A client of the admin API. Clones share their connections and their limits.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
    reservation: Option<Arc<Reservation>>,
}

/// What an operation answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// The result.
    pub value: T,
    /// The server's own time, from its `Date` header: a caller that plans by the clock can see whether the two agree.
    pub date: Option<Timestamp>,
}

/// What key shall be generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreateJsonWebKeySet {
    /// RS256, RS384, RS512 (4096 bit), PS256, PS384, PS512 (2048 bit), ES256, ES384, ES512 or EdDSA. Measured: everything else is a 400, HS256
    /// and HS512 included.
    pub alg: String,
    /// The kid. The API would make one up for an empty one; this client refuses that, because the request could not be repeated.
    pub kid: String,
    /// `sig` or `enc`. Hydra signs with an `enc` key too.
    #[serde(rename = "use")]
    pub key_use: String,
}

impl Client {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport: Arc::new(transport), reservation: None }
    }

    /// Waits for a turn ahead of a write: the client that is answered holds a place at the server until it is dropped, and its next write is
    /// sent without waiting. So a caller can look at a set and then write it, and nothing lies between the two.
    ///
    /// # Errors
    /// [`ErrorKind::HeldBack`] of `operation`.
    pub async fn reserve(&self, operation: Operation) -> Result<Self, Error> {
        let reservation =
            self.transport.gate.reserve().await.map_err(|held| Error::held(&Call { operation, set: None, kid: None }, held))?;
        Ok(Self { transport: self.transport.clone(), reservation: Some(Arc::new(reservation)) })
    }

    /// Whether requests are sent, or held back because the server did not answer.
    pub fn breaker_state(&self) -> BreakerState {
        self.transport.gate.breaker_state()
    }

    async fn send(&self, call: &Call<'_>, body: Option<&[u8]>) -> Result<Received, Error> {
        self.transport.send(call, body, self.reservation.as_deref()).await
    }

    /// Generates a key in a set, in front of the others: it signs at once. The answer is the new key, private members included.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the kid exists: nothing changed then. [`ErrorKind::Rejected`] for an algorithm that cannot be generated.
    pub async fn create_json_web_key_set(&self, set: &str, request: &CreateJsonWebKeySet) -> Result<Answer<Jwk>, Error> {
        let call = Call { operation: Operation::CreateJsonWebKeySet, set: Some(set), kid: Some(&request.kid) };
        if request.kid.is_empty() {
            return Err(Error::new(&call, ErrorKind::InvalidId, None));
        }
        let received = self.send(&call, Some(&encode(&call, request)?)).await?;
        answer(&call, received, decode_created)
    }

    /// Reads a set, newest key first, private members included; `None` if it does not exist.
    ///
    /// # Errors
    /// Any but a 404 of the admin API itself.
    pub async fn get_json_web_key_set(&self, set: &str) -> Result<Answer<Option<JwkSet>>, Error> {
        let call = Call { operation: Operation::GetJsonWebKeySet, set: Some(set), kid: None };
        let received = self.send(&call, None).await?;
        if decode::is_absent(&received) {
            return Ok(Answer { value: None, date: received.date });
        }
        answer(&call, received, |call, received| decode::set(call, received).map(Some))
    }

    /// Replaces a whole set. The next reading has the reverse order: the last key is the newest. An empty list deletes the set.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if one key cannot be stored: then none is.
    pub async fn set_json_web_key_set(&self, set: &str, keys: &JwkSet) -> Result<Answer<JwkSet>, Error> {
        let call = Call { operation: Operation::SetJsonWebKeySet, set: Some(set), kid: None };
        let received = self.send(&call, Some(&encode(&call, keys)?)).await?;
        answer(&call, received, decode::set)
    }

    /// Deletes a set. One that does not exist is no error, except with a hardware security module.
    ///
    /// # Errors
    /// Any but a 404 of the admin API itself.
    pub async fn delete_json_web_key_set(&self, set: &str) -> Result<Answer<()>, Error> {
        self.delete(Call { operation: Operation::DeleteJsonWebKeySet, set: Some(set), kid: None }).await
    }

    /// Reads one key, private members included; `None` if it does not exist.
    ///
    /// # Errors
    /// Any but a 404 of the admin API itself.
    pub async fn get_json_web_key(&self, set: &str, kid: &str) -> Result<Answer<Option<Jwk>>, Error> {
        let call = Call { operation: Operation::GetJsonWebKey, set: Some(set), kid: Some(kid) };
        let received = self.send(&call, None).await?;
        if decode::is_absent(&received) {
            return Ok(Answer { value: None, date: received.date });
        }
        answer(&call, received, |call, received| decode::only_key(call, received, kid).map(Some))
    }

    /// Stores a key in front of a set, in the place of the one with the same kid. The answer is the key as it was stored: members that the
    /// API does not know are dropped. The kid in the key counts; the one in the address is ignored, so that they must be equal here.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if the key cannot be stored, [`ErrorKind::Conflict`] if another writer was faster,
    /// [`ErrorKind::InvalidId`] if the key has another kid.
    pub async fn set_json_web_key(&self, set: &str, kid: &str, key: &Jwk) -> Result<Answer<Jwk>, Error> {
        let call = Call { operation: Operation::SetJsonWebKey, set: Some(set), kid: Some(kid) };
        if key.kid() != Some(kid) {
            return Err(Error::new(&call, ErrorKind::InvalidId, None));
        }
        let received = self.send(&call, Some(&encode(&call, key)?)).await?;
        answer(&call, received, |call, received| decode::key(call, received, kid))
    }

    /// Deletes one key. One that does not exist is no error, except with a hardware security module.
    ///
    /// # Errors
    /// Any but a 404 of the admin API itself.
    pub async fn delete_json_web_key(&self, set: &str, kid: &str) -> Result<Answer<()>, Error> {
        self.delete(Call { operation: Operation::DeleteJsonWebKey, set: Some(set), kid: Some(kid) }).await
    }

    /// Whether the server is ready to serve.
    ///
    /// # Errors
    /// If it does not say so.
    pub async fn ready(&self) -> Result<Answer<()>, Error> {
        let call = Call { operation: Operation::GetReadiness, set: None, kid: None };
        let received = self.send(&call, None).await?;
        answer(&call, received, decode::ready)
    }

    /// The server's version.
    ///
    /// # Errors
    /// If it does not tell.
    pub async fn version(&self) -> Result<Answer<String>, Error> {
        let call = Call { operation: Operation::GetVersion, set: None, kid: None };
        let received = self.send(&call, None).await?;
        answer(&call, received, decode::version)
    }

    async fn delete(&self, call: Call<'_>) -> Result<Answer<()>, Error> {
        let received = self.send(&call, None).await?;
        if decode::is_absent(&received) {
            return Ok(Answer { value: (), date: received.date });
        }
        answer(&call, received, decode::deleted)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.transport.base.as_str()).finish_non_exhaustive()
    }
}

fn decode_created(call: &Call<'_>, received: &Received) -> Result<Jwk, Error> {
    decode::only_key(call, received, call.kid.unwrap_or_default())
}

fn answer<'id, T>(
    call: &Call<'id>,
    received: Received,
    decode: impl FnOnce(&Call<'id>, &Received) -> Result<T, Error>,
) -> Result<Answer<T>, Error> {
    if (200..300).contains(&received.status) {
        Ok(Answer { value: decode(call, &received)?, date: received.date })
    } else {
        Err(decode::failure(call, &received))
    }
}

/// The body of a request. It may hold private keys and is overwritten when it is dropped.
fn encode(call: &Call<'_>, body: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let bytes = serde_json::to_vec(body).map_err(|_| Error::new(call, ErrorKind::InvalidId, None))?;
    Ok(Zeroizing::new(bytes))
}
