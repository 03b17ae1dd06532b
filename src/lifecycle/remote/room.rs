//! How much of a status keys may take. etcd takes no object of more than 1.5 MiB, and the spec is in it, too.

use super::{due::Due, look::Look};
use crate::{
    api::{KeyState, Reason},
    jwk::{Kid, PublicJwk},
    lifecycle::record::{KeyRecord, Record},
};

/// How many bytes the keys of others may take.
pub(super) const FOR_OTHERS: usize = 512 * 1024;
/// How many bytes the own keys may take.
const FOR_OWN: usize = 384 * 1024;
/// How many bytes a key takes besides its kid and its public half, with what the API server notes of who wrote it.
const BESIDES: usize = 700;
/// How many kids a condition lists.
const LISTED: usize = 3;

/// How many bytes a key takes.
pub(super) fn size(kid: &str, public: Option<&PublicJwk>) -> usize {
    let half = public.and_then(|public| serde_json::to_vec(public).ok()).map_or(0, |half| half.len());
    BESIDES + 2 * kid.len() + half
}

fn own(record: &Record) -> impl Iterator<Item = (&Kid, &KeyRecord)> {
    record.keys.iter().filter(|(_, key)| key.state != KeyState::Unmanaged)
}

fn size_of_own(record: &Record) -> usize {
    own(record).map(|(kid, key)| size(kid.as_str(), key.jwk.as_ref())).sum()
}

/// Whether there is room for one own key more. Chains do not count: they are left out before a key is. Nor does what is only planned, so that the
/// plan of a key does not stand in its own way.
pub(super) fn is_left(record: &Record) -> bool {
    let made = own(record).filter(|(_, key)| key.state != KeyState::Planned);
    made.map(|(kid, key)| size(kid.as_str(), key.jwk.as_ref()).saturating_sub(chain(key).unwrap_or(0))).sum::<usize>() < FOR_OWN
}

/// What is remembered, as far as there is room for it.
pub(in crate::lifecycle) struct Fitted {
    pub(in crate::lifecycle) record: Record,
    pub(in crate::lifecycle) due: Due,
}

/// Leaves out certificate chains until the own keys have room: first of keys that do not sign any more, and the longest first. What the record does
/// not hold is not published.
pub(in crate::lifecycle) fn fit(look: Look<'_>, mut record: Record) -> Fitted {
    let is_over = |key: &KeyRecord| matches!(key.state, KeyState::Retired | KeyState::Revoked);
    let mut chains: Vec<_> = own(&record).filter_map(|(kid, key)| Some((is_over(key), chain(key)?, kid.clone()))).collect();
    chains.sort_by(|one, other| other.cmp(one));
    let mut total = size_of_own(&record);
    for (_, length, kid) in chains {
        if total < FOR_OWN {
            break;
        }
        if let Some(public) = record.keys.get_mut(&kid).and_then(|key| key.jwk.as_mut()) {
            *public = public.without_chain();
            total = total.saturating_sub(length);
        }
    }
    let mut due = Due::default();
    let left_out = left_out(look, &record);
    if !left_out.is_empty() {
        due.notice(Reason::KnownLimitation, chains_left_out(look, &left_out));
    }
    if total >= FOR_OWN {
        let message = format!(
            "set {} has more own keys than its status has room for ({} KiB): shorten rotation.retain, or spread the keys over several sets",
            look.desired.set,
            FOR_OWN / 1024
        );
        due.notice(Reason::KnownLimitation, message);
    }
    Fitted { record, due }
}

/// The kids of own keys that have a chain in the set, and none in the record. It is asked of what is there and not of what was left out now: a key
/// whose Secret cannot be read keeps what was stored.
fn left_out<'record>(look: Look<'_>, record: &'record Record) -> Vec<&'record str> {
    let lacks = |kid: &str, key: &KeyRecord| {
        let has_chain =
            look.seen.live.key(kid).is_some_and(|live| live.members().contains_key("x5c") && live.public_thumbprint() == key.thumbprint);
        key.state != KeyState::Revoked && has_chain && key.jwk.is_some() && chain(key).is_none()
    };
    own(record).filter(|(kid, key)| lacks(kid.as_str(), key)).map(|(kid, _)| kid.as_str()).collect()
}

fn chains_left_out(look: Look<'_>, kids: &[&str]) -> String {
    let more = kids.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed = kids.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    format!(
        "the certificate chains of kid {listed}{more} are not published: the status of set {} has room for {} KiB of own keys. Give the keys shorter chains (x5c), or spread them over several sets",
        look.desired.set,
        FOR_OWN / 1024
    )
}

/// How many bytes the certificate chain of a key takes, if it has one.
fn chain(key: &KeyRecord) -> Option<usize> {
    let chain = key.jwk.as_ref()?.as_jwk().members().get("x5c")?;
    Some(chain.as_array()?.iter().filter_map(|certificate| certificate.as_str()).map(|text| text.len() + 3).sum())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        api::{AdminApiSpec, JsonWebKeySet, Origin},
        jwk::{Jwk, JwkSet},
        lifecycle::{Answer, Desired, Local, Observed, SourceKey, SourceState, Step, assess, validate},
    };

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn key(kid: &str, chain: usize) -> Jwk {
        let key = json!({
            "kty": "EC", "kid": kid, "use": "sig", "alg": "ES256", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
            "x5c": ["M".repeat(chain)],
        });
        serde_json::from_value(key).expect("a key")
    }

    /// A set at rest whose entries import these keys.
    fn world(entries: serde_json::Value, keys: &[Jwk]) -> (Desired, Observed) {
        let object = json!({
            "metadata": { "name": "x", "namespace": "shop", "creationTimestamp": "2026-11-23T12:00:00Z" },
            "spec": { "publish": [], "keys": entries, "signer": entries[0]["name"] },
        });
        let resource: JsonWebKeySet = serde_json::from_value(object).expect("a resource");
        let rules = json!({ "url": "http://hydra", "access": [{ "namespaces": { "all": true }, "sets": ["{namespace}.*"] }] });
        let api: AdminApiSpec = serde_json::from_value(rules).expect("an AdminApi");
        let desired = validate(&resource, &api, None).expect("granted");
        let mut record = Record { origin: Some(Origin::Created), ..Record::default() };
        for key in keys {
            let kid = key.kid().expect("a kid");
            let known = KeyRecord {
                thumbprint: key.public_thumbprint(),
                jwk: key.public_half(),
                activated_at: Some("2026-11-23T12:00:00Z".parse().expect("a time")),
                ..KeyRecord::new(Some(kid.into()), KeyState::Active)
            };
            record.keys.insert(kid.into(), known);
        }
        let mut seen = Observed::new(Local::new(record));
        seen.finalizer = true;
        let set = JwkSet { keys: keys.to_vec() };
        seen.fold(&Step::ReadLive, Answer::Read { set, server_time: None }, NOW.parse().expect("a time"));
        (desired, seen)
    }

    fn imported(kid: &str) -> serde_json::Value {
        json!({ "name": kid, "import": { "secretRef": { "name": kid }, "kid": kid } })
    }

    #[test]
    fn chains_that_have_no_room_are_left_out_and_reported() {
        let kids: Vec<_> = (0..12).map(|number| format!("key-{number}")).collect();
        let keys: Vec<_> = kids.iter().enumerate().map(|(number, kid)| key(kid, (40 + number) * 1024)).collect();
        let entries = kids.iter().map(|kid| imported(kid)).collect::<Vec<_>>();
        let (desired, mut seen) = world(json!(entries), &keys);
        for key in &keys {
            let held = SourceKey::of(key).expect("a key");
            seen.sources.insert(held.kid.as_str().into(), SourceState::Held(held));
        }
        for _ in 0..2 {
            let assessment = assess(&desired, &seen, NOW.parse().expect("a time"));
            assert!(size_of_own(&assessment.record) < FOR_OWN);
            let shown: Vec<_> = assessment.published.iter().filter(|(_, key)| key.as_jwk().members().contains_key("x5c")).collect();
            assert_eq!((assessment.published.len(), shown.len()), (12, 8), "the shortest chains stay, and every key");
            let told = assessment.troubles.iter().filter(|trouble| trouble.reason == Reason::KnownLimitation).collect::<Vec<_>>();
            assert!(told.len() == 1 && told[0].message.contains("key-10, key-11, key-8 and 1 more"), "{told:?}");
            assert!(serde_json::to_string(&told[0].message).expect("text").len() < 600);
            // The next look finds what this one stored, and says the same.
            seen.local.record = assessment.record;
        }
    }

    #[test]
    fn a_renewed_certificate_of_the_same_key_is_published() {
        let (old, new) = (key("tls", 10), key("tls", 20));
        let (desired, mut seen) = world(json!([imported("tls")]), std::slice::from_ref(&new));
        seen.local.record.keys.get_mut("tls").expect("recorded").jwk = old.public_half();
        seen.sources.insert("tls".into(), SourceState::Held(SourceKey::of(&new).expect("a key")));
        let assessment = assess(&desired, &seen, NOW.parse().expect("a time"));
        assert_eq!(assessment.published["tls"], new.public_half().expect("a half"));
    }

    /// A rotation every hour whose public halves stay for a year, with so many of them.
    fn rotating(count: usize) -> (Desired, Observed) {
        let entry = json!({
            "name": "signing", "generate": { "alg": "ES256" }, "rotation": { "interval": "1h", "prepublish": "10m", "retain": "8760h" },
        });
        let serving: Jwk = key("shop.x.signing.20261124T110000Z", 1).with("x5c", json!(null));
        let (desired, mut seen) = world(json!([entry]), std::slice::from_ref(&serving));
        seen.staged = Some(JwkSet::default());
        let known = seen.local.record.keys[serving.kid().expect("a kid")].clone();
        let retired_at = Some("2026-11-24T11:00:00Z".parse().expect("a time"));
        for number in 0..count {
            let old = KeyRecord { state: KeyState::Retired, retired_at, ..known.clone() };
            seen.local.record.keys.insert(format!("shop.x.signing.20251123T12{:02}{:02}Z", number / 60, number % 60).into(), old);
        }
        (desired, seen)
    }

    fn pauses(assessment: &crate::lifecycle::Assessment) -> bool {
        assessment.troubles.iter().any(|trouble| trouble.reason == Reason::InvalidRotation)
    }

    fn makes_key(assessment: &crate::lifecycle::Assessment) -> bool {
        assessment.steps.iter().any(|step| matches!(step, Step::CreateKey { .. }))
    }

    #[test]
    fn no_successor_is_made_that_has_no_room_and_its_plan_stands() {
        let (early, late) = ("2026-11-24T11:30:00Z".parse().expect("a time"), NOW.parse().expect("a time"));
        let mut seen_both = [false; 2];
        for count in 370..470 {
            let (desired, mut seen) = rotating(count);
            let before = assess(&desired, &seen, early);
            assert!(!pauses(&before) && !makes_key(&before), "{count}: nothing is due yet");
            assert!(before.next_rotation.is_some() && before.due.is_some(), "{count}: and the status says when");
            let first = assess(&desired, &seen, late);
            assert_ne!(pauses(&first), makes_key(&first), "{count}");
            seen_both[usize::from(pauses(&first))] = true;
            let planned = first.record.keys.values().filter(|key| key.state == KeyState::Planned).count();
            assert_eq!(planned, usize::from(makes_key(&first)), "{count}");
            // What is stored ahead of the request stays: the plan does not stand in its own way.
            seen.fold(&Step::StoreRecord(Box::new(first.record.clone())), Answer::Done, late);
            let again = assess(&desired, &seen, late);
            assert_eq!((pauses(&again), makes_key(&again)), (pauses(&first), makes_key(&first)), "{count}");
            assert!(again.record == first.record, "{count}");
        }
        assert_eq!(seen_both, [true, true]);
    }

    #[test]
    fn a_rotation_that_is_asked_for_is_not_held_back() {
        let (mut desired, seen) = rotating(470);
        let now = NOW.parse().expect("a time");
        assert!(pauses(&assess(&desired, &seen, now)));
        desired.rotate_at = Some(crate::lifecycle::RotateAt { text: NOW.to_owned(), at: Some(now) });
        assert!(makes_key(&assess(&desired, &seen, now)));
    }

    #[test]
    fn a_chain_that_was_left_out_is_reported_while_it_lasts_and_stays_in_the_set() {
        let kids: Vec<_> = (0..12).map(|number| format!("key-{number}")).collect();
        let keys: Vec<_> = kids.iter().map(|kid| key(kid, 45 * 1024)).collect();
        let (mut desired, mut seen) = world(json!(kids.iter().map(|kid| imported(kid)).collect::<Vec<_>>()), &keys);
        let now = NOW.parse().expect("a time");
        // No Secret can be read.
        for mode in [crate::api::Mode::Enforce, crate::api::Mode::Observe] {
            desired.mode = mode;
            for _ in 0..2 {
                let assessment = assess(&desired, &seen, now);
                assert!(size_of_own(&assessment.record) < FOR_OWN);
                let told = assessment.troubles.iter().filter(|trouble| trouble.reason == Reason::KnownLimitation).count();
                assert_eq!(told, 1, "{:?}", assessment.troubles);
                seen.local.record = assessment.record;
            }
        }
    }
}
