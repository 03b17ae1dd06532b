//! Rules 13 to 15 over one write or removal of a target.

use std::collections::{BTreeMap, BTreeSet};

use jwk_operator::{
    api::{FORM_ANNOTATION, Generate, JsonWebKeySetStatus, KeySource, KeyState, KeyUse},
    jwk::{Kid, PublicJwk},
    lifecycle::{HeldTarget, TargetId},
};

use super::oracle::TargetWrite;

/// One target that is removed.
pub struct TargetRemoval<'look> {
    pub id: &'look TargetId,
    pub held: Option<&'look HeldTarget>,
    /// The targets that the spec names.
    pub named: &'look [TargetId],
    pub objects: &'look BTreeMap<TargetId, HeldTarget>,
    /// Whether it may hold private keys that are not granted.
    pub is_withdrawn: bool,
    /// The kids of the keys that sign, and of those that it shows and verifiers still need.
    pub shown: BTreeSet<String>,
}

/// What a document must show and must not. `signing` are the kids of the keys that sign.
pub fn check_document(write: &TargetWrite<'_>, signing: &BTreeSet<String>) -> Result<(), String> {
    let (id, published) = (write.id, write.content.published());
    if let Some(kid) = published.keys().find(|kid| is_revoked(write, kid)) {
        return Err(format!("rule 13: {id} is written with {kid}, which is revoked"));
    }
    let none = JsonWebKeySetStatus::default();
    let status = write.status.unwrap_or(&none);
    let was_lost = status.origin.is_none() && status.keys.is_empty() && status.slots.is_empty();
    let is_recorded = |kid: &Kid, key: &PublicJwk| {
        status
            .keys
            .iter()
            .any(|record| record.kid == kid.as_str() && record.thumbprint.is_some() && record.thumbprint == key.thumbprint().ok())
    };
    if let Some((kid, _)) = published.iter().find(|(kid, key)| !was_lost && !is_recorded(kid, key)) {
        return Err(format!("rule 15: {id} is written with {kid}, which the status does not hold"));
    }
    if let Some(kid) = signing.iter().find(|kid| !published.contains_key(kid.as_str())) {
        return Err(format!("rule 15: {id} is written without {kid}, which signs"));
    }
    check_not_emptied(write, &published)
}

fn is_revoked(write: &TargetWrite<'_>, kid: &Kid) -> bool {
    write.spec.revoke.iter().any(|revoked| revoked == kid.as_str())
}

/// Rule 14: nothing empty is written, unless no keys are requested or all that was there is revoked.
fn check_not_emptied(write: &TargetWrite<'_>, published: &BTreeMap<Kid, PublicJwk>) -> Result<(), String> {
    // Readers of PEM are shown no key for encryption.
    let is_set = !write.content.annotations.contains_key(FORM_ANNOTATION);
    let is_shown = |generate: &Generate| !generate.alg.is_symmetric() && (is_set || generate.key_use != Some(KeyUse::Enc));
    let is_readable = |entry: &KeySource| entry.generate.as_ref().is_none_or(is_shown);
    let asks_for_keys = write.spec.keys.iter().any(is_readable);
    let before = write.before.map(|held| held.content.published()).unwrap_or_default();
    // One that was revoked leaves, also when it is not any more.
    let was_revoked = |kid: &Kid| {
        let mut known = write.status.iter().flat_map(|status| &status.keys);
        known.any(|key| key.kid == kid.as_str() && key.state == KeyState::Revoked)
    };
    let is_withdrawal = before.keys().any(|kid| is_revoked(write, kid) || was_revoked(kid));
    let replaces_nothing = write.before.is_some() && before.is_empty();
    if published.is_empty() && !write.content.is_private() && asks_for_keys && !is_withdrawal && !replaces_nothing {
        return Err(format!("rule 14: {} is written without any key", write.id));
    }
    Ok(())
}

/// Rule 14: what replaces a target holds the keys before it goes.
pub fn check_removal(removal: &TargetRemoval<'_>) -> Result<(), String> {
    let is_private = removal.held.is_some_and(|held| held.content.may_be_private());
    if removal.is_withdrawn && is_private {
        return Ok(());
    }
    for named in removal.named {
        let Some(held) = removal.objects.get(named) else {
            return Err(format!("rule 14: {} is removed before {named} is there", removal.id));
        };
        let published = held.content.published();
        if let Some(kid) = removal.shown.iter().find(|kid| !published.contains_key(kid.as_str())) {
            return Err(format!("rule 14: {} is removed before {named} shows {kid}", removal.id));
        }
    }
    Ok(())
}
