//! The forms of public halves: which documents hold them, and how a reader of each form finds a key.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{self, Document};
use crate::api::PublicForm;
use crate::jwk::{Kid, PublicJwk, Thumbprint, spki};
use crate::{api::KeyState, lifecycle::record::Record};

/// How long the name of a data key may be.
const LONGEST_DATA_KEY: usize = 253;

/// What is to be published in a form.
#[derive(Clone, Copy)]
pub(super) struct PublicKeys<'keys> {
    /// The public halves, by kid.
    pub(super) keys: &'keys BTreeMap<Kid, PublicJwk>,
    /// The kid of the key that signs.
    pub(super) signer: Option<&'keys Kid>,
    /// What is remembered of them.
    pub(super) record: &'keys Record,
    /// The kids that are revoked.
    pub(super) revoked: &'keys BTreeSet<Kid>,
    /// What the target holds now, by data key.
    pub(super) held: Option<&'keys BTreeMap<String, Document>>,
}

/// Why `PEMPerKey` has no data key for a kid.
pub(super) enum LeftOut {
    /// Another kid has the same name.
    TakenBy(Kid),
    /// The name would be longer than a data key may be.
    TooLong,
}

impl<'keys> PublicKeys<'keys> {
    /// The documents of a form, by data key; `data_key` is that of a form with one document.
    pub(super) fn data(self, form: PublicForm, data_key: &str) -> BTreeMap<String, Document> {
        let text = match form {
            PublicForm::Jwks => document::public_text(self.keys),
            PublicForm::Pem => {
                let others = self.nameless().filter(|(kid, _)| Some(*kid) != self.signer);
                spki::to_pem(self.signing().into_iter().chain(others.map(|(_, key)| key)))
            }
            PublicForm::PemSigner => spki::to_pem(self.signing()),
            PublicForm::PemPerKey => return self.per_key().0,
        };
        BTreeMap::from([(data_key.to_owned(), Document::Public(text))])
    }

    /// The kids that a form cannot show, and why.
    pub(super) fn left_out(self, form: PublicForm) -> Vec<(Kid, LeftOut)> {
        if form == PublicForm::PemPerKey { self.per_key().1 } else { Vec::new() }
    }

    /// The documents of `PEMPerKey`, and the kids without one. Of kids with the same name an own one comes before somebody else's, and then the one
    /// that is there keeps it: whoever reads it would get another key under its kid.
    fn per_key(self) -> (BTreeMap<String, Document>, Vec<(Kid, LeftOut)>) {
        let mut by_name = BTreeMap::<String, Vec<(&Kid, &PublicJwk)>>::new();
        let mut left_out = Vec::new();
        for (kid, key) in self.verifying() {
            match data_key(kid) {
                Some(name) => by_name.entry(name).or_default().push((kid, key)),
                None => left_out.push((kid.clone(), LeftOut::TooLong)),
            }
        }
        let mut data = BTreeMap::new();
        for (name, keys) in by_name {
            let held = self.held.and_then(|held| held.get(&name));
            let documents = keys.into_iter().map(|(kid, key)| (kid, Document::Public(spki::to_pem([key]))));
            let mut documents: Vec<_> = documents.collect();
            documents
                .sort_by_key(|(kid, document)| (self.is_of_others(kid), Some(document) != held, Some(*kid) != self.signer, self.rank(kid)));
            let mut documents = documents.into_iter();
            let Some((has_it, chosen)) = documents.next() else { continue };
            // One key under two kids is found under both.
            let others = documents.filter(|(_, document)| *document != chosen);
            left_out.extend(others.map(|(kid, _)| (kid.clone(), LeftOut::TakenBy(has_it.clone()))));
            data.insert(name, chosen);
        }
        (data, left_out)
    }

    fn signing(self) -> Option<&'keys PublicJwk> {
        self.nameless().find(|(kid, _)| Some(*kid) == self.signer).map(|(_, key)| key)
    }

    fn is_of_others(self, kid: &Kid) -> bool {
        self.record.keys.get(kid).is_some_and(|key| key.state == KeyState::Unmanaged)
    }

    /// The sooner a reader needs a key, the lower.
    fn rank(self, kid: &Kid) -> u8 {
        match self.record.keys.get(kid).map(|key| key.state) {
            Some(KeyState::Active) => 0,
            Some(KeyState::Retired) => 1,
            _ => 2,
        }
    }

    /// The keys that a form without kids shows. One that is revoked under another kid is none of them: its reader takes it for any kid.
    fn nameless(self) -> impl Iterator<Item = (&'keys Kid, &'keys PublicJwk)> {
        let revoked: Vec<_> = self.revoked.iter().filter_map(|kid| self.record.keys.get(kid)).collect();
        self.verifying().filter(move |(_, key)| !revoked.iter().any(|known| known.is(key)))
    }

    /// Without the keys for encryption: PEM does not say what a key is for, so that a reader would take signatures of them.
    fn verifying(self) -> impl Iterator<Item = (&'keys Kid, &'keys PublicJwk)> {
        self.keys.iter().filter(|(_, key)| !is_for_encryption(key))
    }
}

/// Whether a reader of a form finds this key in what a target holds.
pub(super) fn finds(form: PublicForm, held: &BTreeMap<String, Document>, kid: &Kid, thumbprint: &Thumbprint) -> bool {
    let is_it = |key: &PublicJwk| key.thumbprint().as_ref() == Ok(thumbprint);
    match form {
        PublicForm::Jwks => held.values().flat_map(Document::published).any(|(held, key)| held == *kid && is_it(&key)),
        PublicForm::Pem | PublicForm::PemSigner => held.values().flat_map(Document::keys).any(|key| is_it(&key)),
        PublicForm::PemPerKey => data_key(kid).and_then(|name| held.get(&name)).is_some_and(|document| document.keys().iter().any(is_it)),
    }
}

/// Whether a reader of this form is to know a key before it signs.
pub(super) fn announces(form: PublicForm, key: Option<&PublicJwk>) -> bool {
    form != PublicForm::PemSigner && key.is_none_or(|key| shows(form, key))
}

/// Whether a form shows a key at all.
pub(super) fn shows(form: PublicForm, key: &PublicJwk) -> bool {
    form == PublicForm::Jwks || !is_for_encryption(key)
}

fn is_for_encryption(key: &PublicJwk) -> bool {
    key.as_jwk().is_for_encryption()
}

/// The data key of a kid, in characters that every reader takes: Trino writes kids so before it looks for the file, and RabbitMQ splits names at
/// dots.
fn data_key(kid: &Kid) -> Option<String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let name: String = kid.as_str().chars().map(|character| if is_plain(character) { character } else { '_' }).collect();
    (!name.is_empty() && name.len() <= LONGEST_DATA_KEY).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: [&str; 4] = [
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "2-Jj2UvNCvQiUPNYRgSi0cJSPiJI6Rs6D0UTeEpQVj8",
        "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE",
        "GljMIQhjsLHMeqLQ1OXjnxlVV-j_rBIVrgFmJLI_DvE",
    ];

    fn half(kid: &str, index: usize) -> PublicJwk {
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": X[index], "kid": kid });
        serde_json::from_value(key).expect("a public half")
    }

    fn keys(kids: &[&str]) -> BTreeMap<Kid, PublicJwk> {
        kids.iter().enumerate().map(|(index, kid)| ((*kid).into(), half(kid, index))).collect()
    }

    /// Without a record: all are own, and none is revoked.
    fn public<'keys>(
        keys: &'keys BTreeMap<Kid, PublicJwk>,
        signer: Option<&'keys Kid>,
        held: Option<&'keys BTreeMap<String, Document>>,
    ) -> PublicKeys<'keys> {
        static RECORD: std::sync::LazyLock<Record> = std::sync::LazyLock::new(Record::default);
        static REVOKED: BTreeSet<Kid> = BTreeSet::new();
        PublicKeys { keys, signer, held, record: &RECORD, revoked: &REVOKED }
    }

    fn shown(data: &BTreeMap<String, Document>) -> Vec<(&str, Vec<&str>)> {
        let of = |document: &Document| {
            let x = |key: &PublicJwk| key.as_jwk().text("x").and_then(|x| X.iter().find(|known| **known == x)).copied();
            document.keys().iter().filter_map(x).collect()
        };
        data.iter().map(|(name, document)| (name.as_str(), of(document))).collect()
    }

    #[test]
    fn the_signer_comes_first_or_alone() {
        let (keys, signer) = (keys(&["a", "b", "c"]), Kid::from("b"));
        let public = public(&keys, Some(&signer), None);
        assert_eq!(shown(&public.data(PublicForm::Pem, "k")), [("k", vec![X[1], X[0], X[2]])]);
        assert_eq!(shown(&public.data(PublicForm::PemSigner, "k")), [("k", vec![X[1]])]);
        let unsigned = PublicKeys { signer: None, ..public };
        assert_eq!(shown(&unsigned.data(PublicForm::Pem, "k")), [("k", vec![X[0], X[1], X[2]])]);
        assert_eq!(unsigned.data(PublicForm::PemSigner, "k")["k"].text(), "");
    }

    #[test]
    fn what_encrypts_is_shown_as_a_jwk_only() {
        let mut keys = keys(&["a", "b"]);
        let sealing = half("b", 1).as_jwk().clone().with("use", "enc").public_half().expect("a public half");
        keys.insert("b".into(), sealing.clone());
        let (signer, thumbprint) = (Kid::from("b"), sealing.thumbprint().expect("a thumbprint"));
        let public = public(&keys, Some(&signer), None);
        for form in [PublicForm::Pem, PublicForm::PemSigner, PublicForm::PemPerKey] {
            let data = public.data(form, "k");
            assert!(data.values().flat_map(Document::keys).all(|key| key.thumbprint().as_ref() != Ok(&thumbprint)), "{form:?}");
            assert!(!shows(form, &sealing));
        }
        assert!(shows(PublicForm::Jwks, &sealing) && finds(PublicForm::Jwks, &public.data(PublicForm::Jwks, "k"), &signer, &thumbprint));
    }

    #[test]
    fn each_kid_has_a_data_key_that_every_reader_takes() {
        let keys = keys(&["shop.payments.signing.20261123T120000Z", "a-b_C", "ä/=", "😀"]);
        let public = public(&keys, None, None);
        let data = public.data(PublicForm::PemPerKey, "ignored");
        assert_eq!(data.keys().collect::<Vec<_>>(), ["_", "___", "a-b_C", "shop_payments_signing_20261123T120000Z"]);
        for (kid, key) in &keys {
            assert!(finds(PublicForm::PemPerKey, &data, kid, &key.thumbprint().expect("a thumbprint")), "{kid}");
        }
        let other = keys.values().next().expect("a key").thumbprint().expect("a thumbprint");
        assert!(!finds(PublicForm::PemPerKey, &data, &"shop.payments.signing.20261123T120000Z".into(), &other), "another key is there");
    }

    #[test]
    fn of_two_kids_with_one_data_key_the_one_that_is_there_keeps_it() {
        let two = keys(&["a.b", "a_b"]);
        let one: BTreeMap<_, _> = two.clone().into_iter().filter(|(kid, _)| kid.as_str() == "a_b").collect();
        let held = public(&one, None, None).data(PublicForm::PemPerKey, "");
        for (held, stays, leaves, x) in [(Some(&held), "a_b", "a.b", X[1]), (None, "a.b", "a_b", X[0])] {
            let public = public(&two, None, held);
            assert_eq!(shown(&public.data(PublicForm::PemPerKey, "")), [("a_b", vec![x])]);
            let left_out = public.left_out(PublicForm::PemPerKey);
            assert!(matches!(&left_out[..], [(kid, LeftOut::TakenBy(other))] if kid.as_str() == leaves && other.as_str() == stays));
            assert!(public.left_out(PublicForm::Pem).is_empty());
        }
        let long = "x".repeat(254);
        let keys = keys(&[&long, "a"]);
        let public = public(&keys, None, None);
        assert_eq!(public.data(PublicForm::PemPerKey, "").len(), 1);
        assert!(matches!(&public.left_out(PublicForm::PemPerKey)[..], [(kid, LeftOut::TooLong)] if kid.as_str() == long));
    }
}
