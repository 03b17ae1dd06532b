//! The entries that the spec of a history can have, and what can be changed in them.

use jwk_operator::{
    api::{
        Algorithm, ConfigMapTarget, Generate, Import, ImportSecretRef, JsonWebKeySetSpec, KeySource, KeyUse, PrivateLayout, PublicKey,
        PublishTarget, Rotation, SecretTarget, TargetContentKind, TargetKind,
    },
    hydra::emulator::{DerivedKeys, Generate as _},
    lifecycle::TargetId,
};

/// How many different entries there are.
pub const ENTRIES: usize = 7;
/// The Secrets that entries import from.
pub const SECRETS: [&str; 2] = ["unnamed", "legacy"];

const HOUR: u64 = 3600;

pub fn hours(hours: u64) -> kube::core::Duration {
    std::time::Duration::from_secs(hours * HOUR).into()
}

/// The `index`th entry, with the `timing`th rotation: generated keys of several kinds, imports with and without a kid, a partner's key.
pub fn entry(index: usize, timing: usize) -> KeySource {
    let generate = |alg, key_use| Some(Generate { alg, key_use });
    let import = |name: &str, kid: Option<&str>| {
        Some(Import { secret_ref: ImportSecretRef { name: name.into(), key: None }, alg: None, key_use: None, kid: kid.map(str::to_owned) })
    };
    let plain = KeySource { rotation: rotation(timing), ..KeySource::default() };
    match index {
        0 => KeySource { name: "signing".into(), generate: generate(Algorithm::ES256, None), ..plain },
        1 => KeySource { name: "other".into(), generate: generate(Algorithm::EdDSA, None), ..plain },
        2 => KeySource { name: "shared".into(), generate: generate(Algorithm::HS256, None), ..plain },
        3 => KeySource { name: "sealing".into(), generate: generate(Algorithm::ES384, Some(KeyUse::Enc)), ..plain },
        4 => KeySource {
            name: "unnamed".into(),
            import: import("unnamed", None),
            rotation: without_interval(timing),
            ..KeySource::default()
        },
        5 => KeySource {
            name: "legacy".into(),
            import: import("legacy", Some("legacy-1")),
            rotation: without_interval(timing),
            ..KeySource::default()
        },
        _ => KeySource { name: "partner".into(), public: Some(partner()), ..KeySource::default() },
    }
}

/// One of several rotations, or none.
pub fn rotation(timing: usize) -> Option<Rotation> {
    let of = |interval: Option<u64>, prepublish: Option<u64>, retain: Option<u64>| {
        Some(Rotation { interval: interval.map(hours), prepublish: prepublish.map(hours), retain: retain.map(hours) })
    };
    match timing % 9 {
        0 => None,
        1 => of(Some(8), Some(1), Some(2)),
        2 => of(Some(24), Some(4), Some(12)),
        3 => of(Some(24), None, None),
        4 => of(Some(24 * 7), Some(1), Some(72)),
        5 => of(Some(24), Some(0), Some(2)),
        6 => of(None, Some(4), Some(12)),
        7 => of(None, Some(0), Some(72)),
        _ => of(Some(8), Some(4), Some(72)),
    }
}

fn without_interval(timing: usize) -> Option<Rotation> {
    rotation(timing).map(|rotation| Rotation { interval: None, ..rotation })
}

/// Gives an entry another rotation, as far as its kind can have one.
pub fn retime(entry: &mut KeySource, timing: usize) {
    if entry.generate.is_some() {
        entry.rotation = rotation(timing);
    } else if entry.import.is_some() {
        entry.rotation = without_interval(timing);
    }
}

/// Makes an import or a public key invalid, each in its own way, or corrects it.
pub fn spoil(entry: &mut KeySource, is_invalid: bool) {
    if let Some(key) = &mut entry.public {
        key.key_use = is_invalid.then_some(KeyUse::Enc);
    }
    if let Some(import) = &mut entry.import {
        let other = if is_invalid { ['-', '/'] } else { ['/', '-'] };
        match &mut import.kid {
            Some(kid) => *kid = kid.replace(other[0], &other[1].to_string()),
            None => import.secret_ref.name = if is_invalid { "../unnamed" } else { "unnamed" }.into(),
        }
    }
}

fn partner() -> PublicKey {
    let keys = DerivedKeys::default();
    let key = keys.generate("ES512").expect("a key").public_half().expect("a public half");
    let mut members = serde_json::to_value(&key).expect("JSON");
    members["kid"] = "partner-1".into();
    serde_json::from_value(members).expect("a public key")
}

/// Whether an entry can have a private key.
pub fn can_sign(entry: &KeySource) -> bool {
    entry.public.is_none()
}

pub fn set_entries(spec: &mut JsonWebKeySetSpec, entries: Vec<KeySource>) {
    let signers: Vec<&KeySource> = entries.iter().filter(|entry| can_sign(entry)).collect();
    spec.signer = match signers.len() {
        0 | 1 => None,
        _ => Some(
            spec.signer.clone().filter(|name| signers.iter().any(|entry| &entry.name == name)).unwrap_or_else(|| signers[0].name.clone()),
        ),
    };
    spec.keys = entries;
}

pub fn target(name: &str) -> PublishTarget {
    PublishTarget { config_map: Some(ConfigMapTarget { name: name.into(), key: None }), ..PublishTarget::default() }
}

/// A Secret with private keys, as Oathkeeper reads it.
pub fn private_target() -> PublishTarget {
    let secret = SecretTarget {
        name: "private".into(),
        content: Some(TargetContentKind::Private),
        layout: Some(PrivateLayout::Oathkeeper),
        ..SecretTarget::default()
    };
    PublishTarget { secret: Some(secret), ..PublishTarget::default() }
}

pub fn private_target_id() -> TargetId {
    TargetId { kind: TargetKind::Secret, namespace: "shop".into(), name: "private".into() }
}

pub fn target_id(name: &str) -> TargetId {
    TargetId { kind: TargetKind::ConfigMap, namespace: "shop".into(), name: name.into() }
}

/// Entries that generate ES256 keys, the first of which signs.
pub fn generated(names: &[&str]) -> JsonWebKeySetSpec {
    let keys = names.iter().map(|name| KeySource {
        name: (*name).into(),
        generate: Some(Generate { alg: Algorithm::ES256, key_use: None }),
        ..KeySource::default()
    });
    JsonWebKeySetSpec { keys: keys.collect(), signer: (names.len() > 1).then(|| names[0].to_owned()), ..JsonWebKeySetSpec::default() }
}

/// The same without announcing.
pub fn unannounced(names: &[&str]) -> JsonWebKeySetSpec {
    with_rotation(generated(names), Rotation { prepublish: Some(hours(0)), ..Rotation::default() })
}

/// The same entries, all with this rotation.
pub fn with_rotation(mut spec: JsonWebKeySetSpec, rotation: Rotation) -> JsonWebKeySetSpec {
    for entry in &mut spec.keys {
        entry.rotation = Some(rotation.clone());
    }
    spec
}
