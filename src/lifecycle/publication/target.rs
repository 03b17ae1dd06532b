//! The objects that hold the keys: what they should contain, what they contain, and whether the two differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use aws_lc_rs::digest;

use super::document::{self, Document, in_hexadecimal};
use super::{form::PublicKeys, target_id::TargetId, wanted::Target};
use crate::api::{
    FIELD_MANAGER, FORM_ANNOTATION, KeyState, LAST_APPLIED_ANNOTATION, MANAGED_BY_LABEL, MANAGED_METADATA_ANNOTATION, PublicForm,
    SET_ANNOTATION,
};
use crate::jwk::{Jwk, Kid, PublicJwk};
use crate::lifecycle::{record::Record, set_id::SetId, uid::Uid};

/// What was found where a target should be.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetState {
    /// Nothing.
    Absent,
    /// An object that the operator does not control. It is not touched, and nothing is known of it but that.
    Foreign,
    /// The operator's own object.
    Held(HeldTarget),
    /// It could not be written in this pass.
    Failed {
        /// Why.
        why: TargetFailure,
        /// What was there before, as far as it is known: it may be there still.
        last: Option<Box<HeldTarget>>,
    },
}

/// Why a target could not be written or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFailure {
    /// What happened, in words that a tenant may read.
    pub message: String,
    /// Whether somebody has to act before a repetition can succeed: a quota, a policy, a name or a size is in the way.
    pub stalled: bool,
}

/// An object that the operator controls, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldTarget {
    /// The UID that every write must carry, so that a replaced object is refused by the server.
    pub uid: Uid,
    /// The version that a write replaces.
    pub resource_version: String,
    /// Whether somebody made it immutable: the API server refuses every change of its data.
    pub is_immutable: bool,
    /// What it contains.
    pub content: TargetContent,
}

impl HeldTarget {
    /// Whether a change of the object can bring it to this content. Else another one has to take its place: the type of a Secret cannot change,
    /// nor the data of what is immutable.
    pub fn can_become(&self, content: &TargetContent) -> bool {
        self.content.secret_type == content.secret_type && !(self.is_immutable && self.content.data != content.data)
    }
}

/// One effect on one target.
#[derive(Clone, Debug)]
pub enum TargetStep {
    /// Write it. An object that cannot become what it shall contain is removed and made again.
    Write {
        /// Which.
        id: TargetId,
        /// What it shall contain.
        content: Box<TargetContent>,
        /// The object to replace; `None` creates it.
        replaces: Option<Box<HeldTarget>>,
    },
    /// Take keys out of what it holds, private halves included, and leave the rest: nobody remembers its text.
    Withdraw {
        /// Which.
        id: TargetId,
        /// The kids that leave.
        kids: BTreeSet<Kid>,
        /// The object as it was read.
        held: Box<HeldTarget>,
    },
    /// Delete it: it is no longer asked for.
    Remove {
        /// Which.
        id: TargetId,
        /// The UID it must have.
        uid: Uid,
    },
}

impl TargetStep {
    /// Which target.
    pub fn id(&self) -> &TargetId {
        match self {
            Self::Write { id, .. } | Self::Withdraw { id, .. } | Self::Remove { id, .. } => id,
        }
    }
}

/// The metadata that the operator writes on its own account.
const ALWAYS_OWN: [&str; 4] = [MANAGED_BY_LABEL, SET_ANNOTATION, MANAGED_METADATA_ANNOTATION, FORM_ANNOTATION];

/// The content of a target. `Debug` shows names and hashes: labels and annotations of somebody else may hold a key, too.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TargetContent {
    /// The data, all of it.
    pub data: BTreeMap<String, Document>,
    /// The type of a Secret.
    pub secret_type: Option<String>,
    /// The labels, of an object that was read those that the operator wrote.
    pub labels: BTreeMap<String, String>,
    /// The annotations, of an object that was read those that the operator wrote.
    pub annotations: BTreeMap<String, String>,
}

impl fmt::Debug for TargetContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetContent")
            .field("data", &self.data)
            .field("secret_type", &self.secret_type)
            .field("labels", &self.labels.keys().collect::<Vec<_>>())
            .field("annotations", &self.annotations.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl TargetContent {
    /// The content of an object as it was read. Labels and annotations that the operator did not write are left out: nothing compares them.
    pub fn read(
        data: BTreeMap<String, Document>,
        secret_type: Option<String>,
        labels: &BTreeMap<String, String>,
        annotations: &BTreeMap<String, String>,
    ) -> Self {
        let managed: Vec<&str> = managed_metadata(annotations).collect();
        let kept = |names: &BTreeMap<String, String>| {
            let is_kept = |name: &str| ALWAYS_OWN.contains(&name) || (managed.contains(&name) && name != LAST_APPLIED_ANNOTATION);
            names.iter().filter(|(name, _)| is_kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        Self { data, secret_type, labels: kept(labels), annotations: kept(annotations) }
    }

    /// The form of its public halves. It is written beside them, since few keys look the same in several forms.
    pub(super) fn form(&self) -> PublicForm {
        self.annotations.get(FORM_ANNOTATION).and_then(|form| form.parse().ok()).unwrap_or_else(|| self.apparent_form())
    }

    /// The form by the content alone, for somebody may have taken the annotation away.
    fn apparent_form(&self) -> PublicForm {
        let keys: Vec<_> = self.keys().collect();
        if keys.first().is_none_or(|key| key.kid().is_some()) {
            return PublicForm::Jwks;
        }
        match self.data.keys().next() {
            Some(name) if self.data.len() == 1 && name == PublicForm::PemSigner.default_data_key() => PublicForm::PemSigner,
            // The data key of a kid has no dot.
            Some(name) if self.data.len() == 1 && (name.contains('.') || keys.len() > 1) => PublicForm::Pem,
            _ => PublicForm::PemPerKey,
        }
    }

    /// Whether it changes with the signer alone.
    pub(in crate::lifecycle) fn follows_signer(&self) -> bool {
        matches!(self.form(), PublicForm::Pem | PublicForm::PemSigner)
    }

    /// The keys that a reader finds in this content by their kids. What is no JWK Set publishes none.
    pub fn published(&self) -> BTreeMap<Kid, PublicJwk> {
        self.data.values().flat_map(Document::published).collect()
    }

    /// The keys that this content publishes. One that stands there without a kid gets the kid under which the record has it, and is left out if the
    /// record does not have it.
    pub(in crate::lifecycle) fn published_by(&self, record: &Record) -> BTreeMap<Kid, PublicJwk> {
        // A key may be recorded under several kids: it does not stand there for one that leaves while another one stays.
        let named = |key: PublicJwk| {
            let recorded = record.keys.iter().filter(|(_, known)| known.is(&key));
            let (kid, known) = recorded.max_by_key(|(_, known)| !matches!(known.state, KeyState::Retired | KeyState::Revoked))?;
            // What stands there may lack members, for example alg in PEM.
            let whole = known.jwk.clone().or_else(|| key.as_jwk().clone().with("kid", kid.as_str()).public_half())?;
            Some((kid.clone(), whole))
        };
        let mut published: BTreeMap<_, _> = self.keys().filter(|key| key.kid().is_none()).filter_map(named).collect();
        published.extend(self.published());
        published
    }

    /// The public halves that it holds, with and without kids.
    pub(super) fn keys(&self) -> impl Iterator<Item = PublicJwk> {
        self.data.values().flat_map(Document::keys)
    }

    /// Whether it holds private keys.
    pub fn is_private(&self) -> bool {
        self.data.values().any(Document::is_private)
    }

    /// Whether it holds private keys, or something that cannot be read and may be one.
    pub fn may_be_private(&self) -> bool {
        self.data.values().any(Document::may_be_private)
    }

    /// The kids of the private keys it holds.
    pub(in crate::lifecycle) fn private_kids(&self) -> Vec<Kid> {
        self.data.values().flat_map(Document::private_kids).cloned().collect()
    }

    /// SHA-256 of the data as far as anybody may know it, the first 16 hexadecimal digits. See [`Document::shown_hash`].
    pub fn hash(&self) -> String {
        let mut hashed = digest::Context::new(&digest::SHA256);
        for (key, document) in &self.data {
            hashed.update(key.as_bytes());
            hashed.update(&[0]);
            hashed.update(&document.shown_hash());
            hashed.update(&[0]);
        }
        in_hexadecimal(hashed.finish().as_ref())
    }

    /// The names of the labels and annotations that an earlier `publish` entry asked for.
    fn managed_metadata(&self) -> impl Iterator<Item = &str> {
        managed_metadata(&self.annotations)
    }

    /// The part of an object's content that the operator wrote: all of the data, and of the metadata what it manages.
    pub fn own_part(&self) -> Self {
        let is_own = |name: &str| ALWAYS_OWN.contains(&name) || self.managed_metadata().any(|managed| managed == name);
        let mut own = self.clone();
        own.labels.retain(|name, _| is_own(name));
        own.annotations.retain(|name, _| is_own(name));
        own
    }

    /// The labels of `self` that must go when `wanted` is written.
    pub fn stale_labels<'held>(&'held self, wanted: &'held Self) -> impl Iterator<Item = &'held str> {
        self.managed_metadata().filter(|name| self.labels.contains_key(*name) && !wanted.labels.contains_key(*name))
    }

    /// The annotations of `self` that must go when `wanted` is written.
    pub fn stale_annotations<'held>(&'held self, wanted: &'held Self) -> impl Iterator<Item = &'held str> {
        let markers = [MANAGED_METADATA_ANNOTATION, FORM_ANNOTATION];
        let is_stale = |name: &&str| self.annotations.contains_key(*name) && !wanted.annotations.contains_key(*name);
        self.managed_metadata().chain(markers).filter(is_stale)
    }

    /// Whether `wanted` must be written over `self`. What others added to the metadata does not count; the data is wholly the operator's.
    pub fn differs_from(&self, wanted: &Self) -> bool {
        let lacks = |held: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
            wanted.iter().any(|(name, value)| held.get(name) != Some(value))
        };
        self.data != wanted.data
            || lacks(&self.labels, &wanted.labels)
            || lacks(&self.annotations, &wanted.annotations)
            || self.stale_labels(wanted).next().is_some()
            || self.stale_annotations(wanted).next().is_some()
    }
}

fn managed_metadata(annotations: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    annotations.get(MANAGED_METADATA_ANNOTATION).map_or("", String::as_str).split(',').filter(|name| !name.is_empty())
}

/// What a target should contain when these public halves are published, and these keys are private, the signer first.
pub(super) fn content(target: &Target, set: &SetId, keys: PublicKeys<'_>, private: &[&Jwk]) -> TargetContent {
    let data = match target.private {
        Some(layout) => BTreeMap::from([(target.data_key.clone(), document::private(layout, private, keys.keys))]),
        None => keys.data(target.form, &target.data_key),
    };
    let asked = &target.asked;
    let mut labels = asked.labels.clone();
    labels.insert(MANAGED_BY_LABEL.to_owned(), FIELD_MANAGER.to_owned());
    let mut annotations = asked.annotations.clone();
    annotations.insert(SET_ANNOTATION.to_owned(), set.to_string());
    let mut managed: Vec<&str> = asked.labels.keys().chain(asked.annotations.keys()).map(String::as_str).collect();
    managed.sort_unstable();
    managed.dedup();
    if !managed.is_empty() {
        annotations.insert(MANAGED_METADATA_ANNOTATION.to_owned(), managed.join(","));
    }
    let secret_type = asked.secret.as_ref().map(|secret| secret.secret_type.clone().unwrap_or_else(|| "Opaque".to_owned()));
    if target.form != PublicForm::Jwks {
        annotations.insert(FORM_ANNOTATION.to_owned(), target.form.as_str().to_owned());
    }
    TargetContent { data, secret_type, labels, annotations }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::lifecycle::record::KeyRecord;

    fn key(kid: Option<&str>, x: &str) -> Value {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        if let Some(kid) = kid {
            key["kid"] = kid.into();
        }
        key
    }

    fn half(key: &Value) -> PublicJwk {
        serde_json::from_value(key.clone()).expect("a public half")
    }

    fn held(keys: &[Value]) -> [TargetContent; 2] {
        let text = json!({ "keys": keys }).to_string();
        [Document::read(&text), Document::read_secret(text.as_bytes())]
            .map(|document| TargetContent { data: BTreeMap::from([("jwks.json".to_owned(), document)]), ..TargetContent::default() })
    }

    #[test]
    fn a_key_without_a_kid_gets_the_one_that_the_record_gives_it() {
        let known = key(Some("known"), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let nameless = key(None, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let strange = key(None, "2-Jj2UvNCvQiUPNYRgSi0cJSPiJI6Rs6D0UTeEpQVj8");
        let forged = key(Some("known"), "2-Jj2UvNCvQiUPNYRgSi0cJSPiJI6Rs6D0UTeEpQVj8");
        let mut record = Record::default();
        let thumbprint = half(&known).thumbprint().ok();
        record.keys.insert("known".into(), KeyRecord { thumbprint, ..KeyRecord::new(None, KeyState::Active) });

        for content in held(&[nameless.clone(), strange]) {
            assert_eq!(content.published_by(&record), BTreeMap::from([("known".into(), half(&known))]), "with its kid");
            assert!(content.published_by(&Record::default()).is_empty(), "nobody knows whose they are");
            assert!(content.published().is_empty(), "nobody finds them by a kid");
        }
        for content in held(&[nameless, forged.clone()]) {
            assert_eq!(
                content.published_by(&record),
                BTreeMap::from([("known".into(), half(&forged))]),
                "what a reader finds under the kid"
            );
        }
    }
}
