//! What the emulator remembers, and what each operation does to it. No HTTP and no clock in here.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Generate, RandomKeys, Refusal, decode, generate};
use crate::jwk::{Jwk, JwkSet, PublicJwkSet};

/// The key sets of one Hydra and the seven operations on them, with the semantics that were measured.
///
/// Every set is a list with the newest key first. A set without keys does not exist. An operation that is refused changes nothing.
#[derive(Clone)]
pub struct Store {
    sets: BTreeMap<String, Vec<Jwk>>,
    generator: Arc<dyn Generate>,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(RandomKeys)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("sets", &self.sets).finish_non_exhaustive()
    }
}

impl Store {
    /// An empty store whose keys come from `generator`.
    pub fn new(generator: impl Generate + 'static) -> Self {
        Self { sets: BTreeMap::new(), generator: Arc::new(generator) }
    }

    /// What makes the keys of this store. Generation takes seconds for RSA, so a caller that shares a store does it outside of its lock:
    /// `create` is nothing but `generator`, [`Generate::generate`] and [`Store::add`].
    pub fn generator(&self) -> Arc<dyn Generate> {
        Arc::clone(&self.generator)
    }

    /// All sets by their ids, each with the newest key first.
    pub fn sets(&self) -> &BTreeMap<String, Vec<Jwk>> {
        &self.sets
    }

    /// `POST /keys/{set}`: generates a key in front of the set and returns it. An absent or empty `kid` becomes a UUID, an empty `key_use` `sig`.
    ///
    /// # Errors
    /// [`Refusal::UnsupportedAlgorithm`] for HS*, ES256K and whatever else Hydra cannot generate; [`Refusal::Conflict`] if the `kid` exists.
    pub fn create(&mut self, set: &str, kid: Option<&str>, alg: &str, key_use: &str) -> Result<Jwk, Refusal> {
        let key = generate::labelled(&*self.generator, kid, alg, key_use)?;
        self.add(set, key)
    }

    /// Puts a key in front of a set, unless the set has its `kid` already.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] if the `kid` exists.
    pub fn add(&mut self, set: &str, key: Jwk) -> Result<Jwk, Refusal> {
        if self.position(set, kid_of(&key)).is_some() {
            return Err(Refusal::Conflict);
        }
        self.sets.entry(set.to_owned()).or_default().insert(0, key.clone());
        Ok(key)
    }

    /// `GET /keys/{set}`: the keys, newest first, private members included.
    ///
    /// # Errors
    /// [`Refusal::SetNotFound`] if there is no key in the set.
    pub fn get_set(&self, set: &str) -> Result<JwkSet, Refusal> {
        self.sets.get(set).map(|keys| JwkSet { keys: keys.clone() }).ok_or(Refusal::SetNotFound)
    }

    /// `PUT /keys/{set}`: replaces all keys. The answer has the order of `keys`; they are stored one after the other, so the last is the newest.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if go-jose refuses a key; [`Refusal::Conflict`] if a `kid` is in `keys` twice.
    pub fn put_set(&mut self, set: &str, keys: &JwkSet) -> Result<JwkSet, Refusal> {
        let keys = keys.keys.iter().map(decode::accept).collect::<Result<Vec<_>, _>>()?;
        let mut stored: Vec<Jwk> = Vec::with_capacity(keys.len());
        for key in &keys {
            if stored.iter().any(|other| kid_of(other) == kid_of(key)) {
                return Err(Refusal::Conflict);
            }
            stored.insert(0, key.clone());
        }
        self.replace(set, stored);
        Ok(JwkSet { keys })
    }

    /// `DELETE /keys/{set}`: removes all keys. A missing set is no error.
    pub fn delete_set(&mut self, set: &str) {
        self.sets.remove(set);
    }

    /// `GET /keys/{set}/{kid}`: one key, private members included.
    ///
    /// # Errors
    /// [`Refusal::KeyNotFound`] if there is none, also when there is no such set.
    pub fn get_key(&self, set: &str, kid: &str) -> Result<Jwk, Refusal> {
        let position = self.position(set, kid).ok_or(Refusal::KeyNotFound)?;
        Ok(self.sets[set][position].clone())
    }

    /// `PUT /keys/{set}/{kid}`: deletes the key of the same `kid`, if there is one, and puts this one in front. The `kid` in the path plays no part.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if go-jose refuses the key.
    pub fn put_key(&mut self, set: &str, key: &Jwk) -> Result<Jwk, Refusal> {
        let key = decode::accept(key)?;
        self.delete_key(set, kid_of(&key));
        self.add(set, key)
    }

    /// `DELETE /keys/{set}/{kid}`: removes one key, and with the last one the set. A missing key is no error.
    pub fn delete_key(&mut self, set: &str, kid: &str) {
        if let Some(position) = self.position(set, kid) {
            let mut keys = self.sets.remove(set).unwrap_or_default();
            keys.remove(position);
            self.replace(set, keys);
        }
    }

    /// Those of the `broadcast` sets that have no private key, in which Hydra generates an RS256 key when it is asked for its public ones.
    pub fn without_private_key<'a>(&self, broadcast: &'a [String]) -> Vec<&'a str> {
        let has_private_key = |set: &str| self.sets.get(set).is_some_and(|keys| keys.iter().any(Jwk::is_private));
        broadcast.iter().map(String::as_str).filter(|set| !has_private_key(set)).collect()
    }

    /// `GET /.well-known/jwks.json`: the public halves of all `broadcast` sets, one set after the other.
    ///
    /// # Errors
    /// [`Refusal::SymmetricKeyInBroadcast`] if any of the keys is symmetric.
    pub fn broadcast(&self, broadcast: &[String]) -> Result<PublicJwkSet, Refusal> {
        let keys = broadcast.iter().filter_map(|set| self.sets.get(set)).flatten();
        let keys = keys.map(|key| key.public_half().ok_or(Refusal::SymmetricKeyInBroadcast)).collect::<Result<_, _>>()?;
        Ok(PublicJwkSet { keys })
    }

    /// Puts `keys` in the place of a set as they are, newest first: what the file held. No keys, no set.
    pub(super) fn replace(&mut self, set: &str, keys: Vec<Jwk>) {
        if keys.is_empty() {
            self.sets.remove(set);
        } else {
            self.sets.insert(set.to_owned(), keys);
        }
    }

    fn position(&self, set: &str, kid: &str) -> Option<usize> {
        self.sets.get(set)?.iter().position(|key| kid_of(key) == kid)
    }
}

/// Hydra stores a key without `kid` under the empty one.
fn kid_of(key: &Jwk) -> &str {
    key.kid().unwrap_or_default()
}
