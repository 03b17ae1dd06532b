//! What targets show, in one form for the oracle: a JWK Set with kids.

use std::collections::{BTreeMap, BTreeSet};

use jwk_operator::{
    jwk::{Jwk, PublicJwk, spki},
    lifecycle::{Document, HeldTarget, TargetContent, TargetId},
};
use serde_json::json;

use super::world::World;

/// The kids of keys, by their thumbprints: PEM has no kids.
pub type Kids = BTreeMap<String, BTreeSet<String>>;

impl World {
    /// The targets, with the kids of what stands there without.
    pub fn shown(&self) -> BTreeMap<TargetId, HeldTarget> {
        let with_kids = |held: &HeldTarget| HeldTarget { content: self.with_kids(&held.content), ..held.clone() };
        self.objects.iter().map(|(id, held)| (id.clone(), with_kids(held))).collect()
    }

    /// The same content as JWK Sets. A key that nobody knows any more is left out.
    pub fn with_kids(&self, content: &TargetContent) -> TargetContent {
        let data = content.data.iter().map(|(key, document)| match spki::read_pem(document.text()) {
            Some(keys) => (key.clone(), self.as_set(&keys)),
            None if document.text().is_empty() && content.annotations.contains_key("jwk-operator.dev/form") => {
                (key.clone(), self.as_set(&[]))
            }
            None => (key.clone(), document.clone()),
        });
        TargetContent { data: data.collect(), ..content.clone() }
    }

    fn as_set(&self, keys: &[PublicJwk]) -> Document {
        let current = self.current_kids();
        let named = keys.iter().flat_map(|key| {
            let thumbprint = key.thumbprint().expect("a thumbprint").to_string();
            let kids = current.get(&thumbprint).or_else(|| self.known.get(&thumbprint)).cloned().unwrap_or_default();
            kids.into_iter().map(|kid| key.as_jwk().clone().with("kid", kid.as_str()))
        });
        Document::read(&json!({ "keys": named.collect::<Vec<_>>() }).to_string())
    }

    /// Remembers the kids of all keys that there are.
    pub fn note_kids(&mut self) {
        let current = self.current_kids();
        self.known.extend(current);
    }

    /// The kids of all keys that there are, by thumbprint.
    fn current_kids(&self) -> Kids {
        let recorded = self.status().keys.into_iter().filter_map(|key| Some((key.thumbprint?.to_string(), key.kid)));
        let (live, staged) = (self.live(), self.staged());
        let of_spec = self.resource.spec.keys.iter().filter_map(|entry| serde_json::to_value(entry.public.as_ref()?).ok());
        let of_spec: Vec<Jwk> = of_spec.filter_map(|key| serde_json::from_value(key).ok()).collect();
        let there = live.iter().chain(&staged).chain(&of_spec);
        let there = there.filter_map(|key| Some((key.public_thumbprint()?.to_string(), key.kid()?.to_owned())));
        let mut kids = Kids::new();
        for (thumbprint, kid) in recorded.chain(there) {
            kids.entry(thumbprint).or_default().insert(kid);
        }
        kids
    }
}
