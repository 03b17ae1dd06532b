//! The documents of a target: public halves, which anybody may see, or private keys, which nobody keeps.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::digest::{self, SHA256};
use zeroize::Zeroizing;

use crate::api::PrivateLayout;
use crate::jwk::{Jwk, JwkSet, PublicJwk, PublicJwkSet};

/// One document of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// Public halves, or whatever else stands there.
    Public(String),
    /// Private keys among others.
    Private(PrivateDocument),
}

/// A document with private keys. Of one that was read, and of one that was written, only the hash and the public halves are kept.
#[derive(Clone)]
pub struct PrivateDocument {
    sha256: Vec<u8>,
    private_kids: Vec<String>,
    published: BTreeMap<String, PublicJwk>,
    text: Option<Zeroizing<String>>,
}

impl Document {
    /// A document as it was read from a target.
    pub fn read(text: &str) -> Self {
        match serde_json::from_str::<JwkSet>(text) {
            Ok(set) if set.keys.iter().any(Jwk::is_private) => Self::Private(PrivateDocument::new(text, set.keys.iter())),
            _ => Self::Public(text.to_owned()),
        }
    }

    /// The text to write. Of a private document that was read there is none: it is never written back.
    pub fn text(&self) -> &str {
        match self {
            Self::Public(text) => text,
            Self::Private(document) => document.text.as_deref().map_or("", String::as_str),
        }
    }

    /// Whether it holds private keys.
    pub fn is_private(&self) -> bool {
        matches!(self, Self::Private(_))
    }

    /// The keys whose public halves a reader finds in it, by kid. What is no JWK Set has none.
    pub fn published(&self) -> BTreeMap<String, PublicJwk> {
        match self {
            Self::Public(text) => {
                let keys = serde_json::from_str::<PublicJwkSet>(text).map(|set| set.keys).unwrap_or_default();
                keys.into_iter().filter_map(|key| Some((key.kid()?.to_owned(), key))).collect()
            }
            Self::Private(document) => document.published.clone(),
        }
    }

    /// The kids of its private keys.
    pub(super) fn private_kids(&self) -> &[String] {
        match self {
            Self::Public(_) => &[],
            Self::Private(document) => &document.private_kids,
        }
    }

    /// SHA-256 of the text.
    pub(super) fn sha256(&self) -> Vec<u8> {
        match self {
            Self::Public(text) => digest::digest(&SHA256, text.as_bytes()).as_ref().to_vec(),
            Self::Private(document) => document.sha256.clone(),
        }
    }
}

impl PrivateDocument {
    fn new<'key>(text: &str, keys: impl Iterator<Item = &'key Jwk> + Clone) -> Self {
        let halves = keys.clone().filter_map(Jwk::public_half).filter_map(|key| Some((key.kid()?.to_owned(), key)));
        Self {
            sha256: digest::digest(&SHA256, text.as_bytes()).as_ref().to_vec(),
            private_kids: keys.clone().filter(|key| key.is_private()).filter_map(|key| key.kid().map(str::to_owned)).collect(),
            published: halves.collect(),
            text: None,
        }
    }

    /// The same without its text, as it may be remembered.
    fn without_text(&self) -> Self {
        Self { text: None, ..self.clone() }
    }
}

impl PartialEq for PrivateDocument {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for PrivateDocument {}

impl fmt::Debug for PrivateDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateDocument").field("private_kids", &self.private_kids).finish_non_exhaustive()
    }
}

impl Document {
    /// The same as it may be remembered: without private keys.
    pub fn without_private_text(&self) -> Self {
        match self {
            Self::Public(text) => Self::Public(text.clone()),
            Self::Private(document) => Self::Private(document.without_text()),
        }
    }
}

/// The document that holds these public halves.
pub(super) fn public(keys: &BTreeMap<String, PublicJwk>) -> Document {
    // A map of strings and lists of strings always serializes.
    Document::Public(serde_json::to_string(&PublicJwkSet { keys: keys.values().cloned().collect() }).unwrap_or_default())
}

/// The document that holds private keys, the signer first, and the public halves of the others.
pub(super) fn private(layout: PrivateLayout, private: &[&Jwk], public: &BTreeMap<String, PublicJwk>) -> Document {
    let half = |kid: Option<&str>| kid.and_then(|kid| public.get(kid)).map(|key| key.as_jwk());
    let others = |shown: &[&Jwk]| {
        let shown: Vec<_> = shown.iter().filter_map(|key| key.kid()).collect();
        public.iter().filter(|(kid, _)| !shown.contains(&kid.as_str())).map(|(_, key)| key.as_jwk()).collect::<Vec<_>>()
    };
    let keys: Vec<&Jwk> = match layout {
        PrivateLayout::Jwks => private.iter().copied().chain(others(private)).collect(),
        PrivateLayout::Oathkeeper => {
            // It would sign with a key for encryption, too.
            let signer: Vec<_> = private.iter().copied().filter(|key| key.key_use() != Some("enc")).take(1).collect();
            let signer = signer.as_slice();
            let its_half = signer.first().and_then(|signer| half(signer.kid()));
            signer.iter().copied().chain(its_half).chain(others(signer)).collect()
        }
    };
    /// Borrows the keys, so that no copy of a private member is left behind.
    #[derive(serde::Serialize)]
    struct Borrowed<'set> {
        keys: &'set [&'set Jwk],
    }
    let text = Zeroizing::new(serde_json::to_string(&Borrowed { keys: &keys }).unwrap_or_default());
    if keys.iter().all(|key| !key.is_private()) {
        return Document::Public(text.to_string());
    }
    Document::Private(PrivateDocument { text: Some(text.clone()), ..PrivateDocument::new(&text, keys.iter().copied()) })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

    fn key(kid: &str, is_private: bool) -> Jwk {
        let mut key = json!({ "kty": "EC", "kid": kid, "crv": "P-256", "alg": "ES256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
        if is_private {
            key["d"] = SECRET.into();
        }
        serde_json::from_value(key).expect("a key")
    }

    fn halves(kids: &[&str]) -> BTreeMap<String, PublicJwk> {
        kids.iter().map(|kid| ((*kid).to_owned(), key(kid, false).public_half().expect("a public half"))).collect()
    }

    fn shown(document: &Document) -> Vec<(String, bool)> {
        let set: Value = serde_json::from_str(document.text()).expect("JSON");
        let keys = set["keys"].as_array().expect("keys");
        keys.iter().map(|key| (key["kid"].as_str().expect("a kid").to_owned(), key.get("d").is_some())).collect()
    }

    #[test]
    fn oathkeeper_finds_the_signer_its_half_and_nothing_else_private() {
        let (new, old) = (key("b", true), key("a", true));
        let document = private(PrivateLayout::Oathkeeper, &[&new, &old], &halves(&["a", "b", "next"]));
        let expected = [("b", true), ("b", false), ("a", false), ("next", false)].map(|(kid, private)| (kid.to_owned(), private));
        assert_eq!(shown(&document), expected);
    }

    #[test]
    fn a_jwks_holds_the_private_keys_first() {
        let (new, old) = (key("b", true), key("a", true));
        let document = private(PrivateLayout::Jwks, &[&new, &old], &halves(&["a", "b", "next"]));
        let expected = [("b", true), ("a", true), ("next", false)].map(|(kid, private)| (kid.to_owned(), private));
        assert_eq!(shown(&document), expected);
        assert_eq!(document.published().into_keys().collect::<Vec<_>>(), ["a", "b", "next"]);
    }

    #[test]
    fn a_shared_secret_has_no_half_beside_it() {
        let shared: Jwk = serde_json::from_value(json!({ "kty": "oct", "kid": "s", "alg": "HS256", "k": SECRET })).expect("a key");
        let document = private(PrivateLayout::Oathkeeper, &[&shared], &BTreeMap::new());
        assert!(document.is_private() && document.published().is_empty() && document.text().contains(SECRET));
    }

    #[test]
    fn what_is_remembered_holds_nothing_private() {
        let key = key("a", true);
        let written = private(PrivateLayout::Jwks, &[&key], &halves(&["a"]));
        let read = Document::read(written.text());
        assert_eq!(read, written);
        assert_eq!(written.without_private_text(), written);
        assert!(read.text().is_empty() && written.without_private_text().text().is_empty());
        assert!(!format!("{written:?}").contains(SECRET));
        assert_ne!(read, public(&halves(&["a"])));
        assert_eq!(Document::read("no JSON"), Document::Public("no JSON".into()));
    }
}
