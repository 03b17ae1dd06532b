//! The documents of a target: public halves, which anybody may see, or what came out of a Secret, of which nobody keeps the text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use aws_lc_rs::digest::{self, SHA256};
use zeroize::Zeroizing;

use crate::api::PrivateLayout;
use crate::jwk::{Jwk, JwkSet, Kid, PublicJwk, PublicJwkSet, spki};

/// SHA-256.
type Hash = [u8; 32];

/// One document of a target.
///
/// Two are equal if their texts are. `Debug` shows kids and a hash of what anybody may know.
#[derive(Clone)]
pub enum Document {
    /// The text of public halves, a JWK Set or PEM: to be written, or read from a ConfigMap.
    Public(String),
    /// Whatever else: private keys, what came out of a Secret, what holds no keys.
    Sealed(Box<SealedDocument>),
}

/// A document whose text is not kept, but while it is to be written. What may be known of it is the hash that two are compared by, the kids and
/// the public halves.
#[derive(Clone)]
pub struct SealedDocument {
    /// Hash of the whole text. A guess of the text can be tested with it, so it is compared and never shown.
    sha256: Hash,
    /// Hash of the public part.
    shown: Hash,
    form: Form,
    private_kids: Vec<Kid>,
    /// The public halves in their order.
    keys: Vec<PublicJwk>,
    text: Option<Zeroizing<String>>,
}

/// What a sealed document turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Public halves, as a JWK Set or in PEM.
    Public,
    /// A JWK Set or an array with private keys.
    Private,
    /// Neither: nothing is known of it, and it may hold a private key.
    Unreadable,
}

impl Document {
    /// A document as it was read from a ConfigMap.
    ///
    /// What stands there is public, with one exception: private keys that somebody put into it stay unknown, also in a document that cannot be read.
    pub fn read(text: &str) -> Self {
        match SealedDocument::read(text.as_bytes()) {
            sealed if sealed.form == Form::Public => Self::Public(text.to_owned()),
            sealed => Self::Sealed(Box::new(sealed)),
        }
    }

    /// A document as it was read from a Secret: sensitive, whatever it looks like.
    pub fn read_secret(bytes: &[u8]) -> Self {
        Self::Sealed(Box::new(SealedDocument::read(bytes)))
    }

    /// The text to write. Of a sealed document that was read there is none: it is never written back.
    pub fn text(&self) -> &str {
        match self {
            Self::Public(text) => text,
            Self::Sealed(document) => document.text.as_deref().map_or("", String::as_str),
        }
    }

    /// Whether it holds private keys, as far as it can be read.
    pub fn is_private(&self) -> bool {
        matches!(self, Self::Sealed(document) if document.form == Form::Private)
    }

    /// Whether it holds private keys, or cannot be read, so that it may.
    pub fn may_be_private(&self) -> bool {
        matches!(self, Self::Sealed(document) if document.form != Form::Public)
    }

    /// The public halves that it holds, in their order, with and without kids. What is neither a JWK Set nor PEM has none.
    pub(super) fn keys(&self) -> Vec<PublicJwk> {
        match self {
            Self::Public(text) => {
                let set = serde_json::from_str::<PublicJwkSet>(text).map(|set| set.keys);
                let array = || serde_json::from_str::<Vec<PublicJwk>>(text);
                set.or_else(|_| array()).ok().or_else(|| spki::read_pem(text)).unwrap_or_default()
            }
            Self::Sealed(document) => document.keys.clone(),
        }
    }

    /// The keys whose public halves a reader finds in it by their kids.
    pub fn published(&self) -> BTreeMap<Kid, PublicJwk> {
        by_kid(self.keys())
    }

    /// The kids of its private keys.
    pub(super) fn private_kids(&self) -> &[Kid] {
        match self {
            Self::Public(_) => &[],
            Self::Sealed(document) => &document.private_kids,
        }
    }

    /// SHA-256 of what anybody may know of it: of public halves the text, of private keys their kids and public halves.
    ///
    /// No guess of a private value can be tested with it. A symmetric key that is replaced under its kid does not change it.
    pub(super) fn shown_hash(&self) -> Hash {
        match self {
            Self::Public(text) => sha256(text.as_bytes()),
            Self::Sealed(document) => document.shown,
        }
    }

    fn hash(&self) -> Hash {
        match self {
            Self::Public(text) => sha256(text.as_bytes()),
            Self::Sealed(document) => document.sha256,
        }
    }

    /// The same as it may be remembered: without private keys.
    pub fn without_private_text(&self) -> Self {
        match self {
            Self::Public(text) => Self::Public(text.clone()),
            Self::Sealed(document) => Self::Sealed(Box::new(SealedDocument { text: None, ..document.as_ref().clone() })),
        }
    }
}

/// A document without the keys of these kids, public and private halves; everything else stays as it is. `None` if it is neither a JWK Set nor an
/// array of keys, or holds none of them.
pub fn without_keys(bytes: &[u8], kids: &BTreeSet<Kid>) -> Option<Document> {
    let (shape, mut keys) = parse(bytes)?;
    let before = keys.len();
    keys.retain(|key| key.kid().is_none_or(|kid| !kids.contains(kid)));
    (keys.len() < before).then(|| sealed(shape, &keys.iter().collect::<Vec<_>>()))
}

/// How a document lists keys that may be private.
#[derive(Clone, Copy)]
enum Shape {
    /// A JWK Set (RFC 7517 section 5).
    Set,
    /// A JSON array.
    Array,
}

fn parse(bytes: &[u8]) -> Option<(Shape, Vec<Jwk>)> {
    // An empty array is nothing that the operator wrote.
    let array = || serde_json::from_slice::<Vec<Jwk>>(bytes).ok().filter(|keys| !keys.is_empty()).map(|keys| (Shape::Array, keys));
    JwkSet::parse(bytes).ok().map(|set| (Shape::Set, set.keys)).or_else(array)
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Public(ours), Self::Public(theirs)) => ours == theirs,
            _ => self.hash() == other.hash(),
        }
    }
}

impl Eq for Document {}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Public(_) => "Public",
            Self::Sealed(document) if document.form == Form::Unreadable => "Unreadable",
            Self::Sealed(_) => "Sealed",
        };
        let mut shown = f.debug_struct(name);
        shown.field("kids", &self.published().keys().collect::<Vec<_>>()).field("private_kids", &self.private_kids());
        shown.field("hash", &in_hexadecimal(&self.shown_hash())).finish_non_exhaustive()
    }
}

impl fmt::Debug for SealedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedDocument").field("private_kids", &self.private_kids).finish_non_exhaustive()
    }
}

impl SealedDocument {
    fn read(bytes: &[u8]) -> Self {
        if let Some((_, keys)) = parse(bytes) {
            return Self::of(bytes, keys.iter());
        }
        match std::str::from_utf8(bytes).ok().and_then(spki::read_pem) {
            Some(keys) => Self::of(bytes, keys.iter().map(PublicJwk::as_jwk)),
            None => Self { form: Form::Unreadable, ..Self::of(bytes, [].iter()) },
        }
    }

    fn of<'key>(text: &[u8], keys: impl Iterator<Item = &'key Jwk> + Clone) -> Self {
        let halves: Vec<_> = keys.clone().filter_map(Jwk::public_half).collect();
        let private = keys.filter(|key| key.is_private());
        let form = if private.clone().next().is_some() { Form::Private } else { Form::Public };
        let private_kids: Vec<_> = private.filter_map(|key| key.kid().map(Kid::from)).collect();
        let mut shown = public_text(&by_kid(halves.iter().cloned()));
        shown.push_str(&spki::to_pem(halves.iter().filter(|key| key.kid().is_none())));
        for kid in &private_kids {
            shown.push('\0');
            shown.push_str(kid.as_str());
        }
        Self { sha256: sha256(text), shown: sha256(shown.as_bytes()), form, private_kids, keys: halves, text: None }
    }
}

fn by_kid(keys: impl IntoIterator<Item = PublicJwk>) -> BTreeMap<Kid, PublicJwk> {
    keys.into_iter().filter_map(|key| Some((key.kid()?.into(), key))).collect()
}

fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&SHA256, bytes).as_ref());
    hash
}

/// The first 16 hexadecimal digits of a hash.
pub(super) fn in_hexadecimal(hash: &[u8]) -> String {
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A JWK Set of public halves.
pub(super) fn public_text(keys: &BTreeMap<Kid, PublicJwk>) -> String {
    // A map of strings and lists of strings always serializes.
    serde_json::to_string(&PublicJwkSet { keys: keys.values().cloned().collect() }).unwrap_or_default()
}

/// The document that holds private keys, the signer first, and the public halves of the others.
pub(super) fn private(layout: PrivateLayout, private: &[&Jwk], public: &BTreeMap<Kid, PublicJwk>) -> Document {
    let half = |kid: Option<&str>| kid.and_then(|kid| public.get(kid)).map(|key| key.as_jwk());
    let others = |shown: &[&Jwk]| {
        let shown: Vec<_> = shown.iter().filter_map(|key| key.kid()).collect();
        public.iter().filter(|(kid, _)| !shown.contains(&kid.as_str())).map(|(_, key)| key.as_jwk()).collect::<Vec<_>>()
    };
    // Oathkeeper and GoTrue would sign with a key for encryption, too.
    let signs = |key: &&Jwk| !key.is_for_encryption();
    let signer: Vec<_> = private.iter().copied().filter(signs).take(1).collect();
    match layout {
        PrivateLayout::Jwks => sealed(Shape::Set, &private.iter().copied().chain(others(private)).collect::<Vec<_>>()),
        PrivateLayout::Oathkeeper => {
            let its_half = signer.first().and_then(|signer| half(signer.kid()));
            sealed(Shape::Set, &signer.iter().copied().chain(its_half).chain(others(&signer)).collect::<Vec<_>>())
        }
        PrivateLayout::Array => {
            let with = |key: &Jwk, operations: &[&str]| key.clone().with("key_ops", operations);
            let rest = others(&signer).into_iter().filter(signs).map(|key| with(key, &["verify"]));
            let keys: Vec<_> = signer.iter().map(|key| with(key, &["sign", "verify"])).chain(rest).collect();
            sealed(Shape::Array, &keys.iter().collect::<Vec<_>>())
        }
    }
}

/// The document that holds these keys in this order.
fn sealed(shape: Shape, keys: &[&Jwk]) -> Document {
    /// Borrows the keys, so that no copy of a private member is left behind.
    #[derive(serde::Serialize)]
    struct Borrowed<'set> {
        keys: &'set [&'set Jwk],
    }
    let text = match shape {
        Shape::Set => serde_json::to_string(&Borrowed { keys }),
        Shape::Array => serde_json::to_string(keys),
    };
    let text = Zeroizing::new(text.unwrap_or_default());
    if keys.iter().all(|key| !key.is_private()) {
        return Document::Public(text.to_string());
    }
    Document::Sealed(Box::new(SealedDocument { text: Some(text.clone()), ..SealedDocument::of(text.as_bytes(), keys.iter().copied()) }))
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

    fn halves(kids: &[&str]) -> BTreeMap<Kid, PublicJwk> {
        kids.iter().map(|kid| ((*kid).into(), key(kid, false).public_half().expect("a public half"))).collect()
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
        assert_ne!(read, Document::Public(public_text(&halves(&["a"]))));
        let in_a_secret = Document::read_secret(written.text().as_bytes());
        assert_eq!((&in_a_secret, in_a_secret.shown_hash()), (&written, written.shown_hash()));
        assert_eq!(Document::read("no JSON"), Document::Public("no JSON".into()));
    }

    #[test]
    fn public_halves_are_the_same_document_in_a_secret() {
        let written = Document::Public(public_text(&halves(&["a", "b"])));
        let read = Document::read_secret(written.text().as_bytes());
        assert_eq!((&read, read.shown_hash(), read.published()), (&written, written.shown_hash(), written.published()));
        assert!(read.text().is_empty() && !read.is_private() && !read.may_be_private());
    }

    #[test]
    fn what_cannot_be_read_may_be_private() {
        for text in ["", "no JSON", "[]", r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"},{}]}"#, r#"{"keys":[{"kty":"oct","k":"c2Vjc"#] {
            for document in [Document::read(text), Document::read_secret(text.as_bytes())] {
                assert!(document.may_be_private() && !document.is_private() && document.text().is_empty(), "{text}");
            }
        }
        assert!(Document::read_secret(&[0xff, 0xfe]).may_be_private());
    }
}
