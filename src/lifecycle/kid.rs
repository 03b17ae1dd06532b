//! The kid of a generated key: `{set}.{name}.{slot}`.
//!
//! It is known before the key exists, so that a repeated request for it is harmless; it carries the key's age, so that nothing but the remote
//! set is needed to tell it; and it is never used for a second key, because verifiers fetch a set again only for a kid they do not know.

use std::fmt;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::{entry_name::EntryName, set_id::SetId};
use crate::jwk::Kid;

const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// When a generated key was meant to start, to the second: the last part of its kid, written `YYYYMMDDTHHMMSSZ`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(Timestamp);

impl Slot {
    /// The slot of this moment; parts of a second are dropped.
    pub fn at(moment: Timestamp) -> Self {
        Self(Timestamp::from_second(moment.as_second()).unwrap_or(moment))
    }

    /// The moment itself.
    pub fn time(self) -> Timestamp {
        self.0
    }

    /// One second later.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(SignedDuration::from_secs(1)).unwrap_or(self.0))
    }

    /// The slot that `text` writes, if it is written as [`Slot`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let slot = DateTime::strptime(FORMAT, text).ok()?.to_zoned(TimeZone::UTC).ok().map(|moment| Self(moment.timestamp()))?;
        (slot.to_string() == text).then_some(slot)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime(FORMAT))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The kid of the key of entry `name` at `slot`.
pub fn generated(set: &SetId, name: &EntryName, slot: Slot) -> Kid {
    format!("{set}.{name}.{slot}").into()
}

/// The entry name and slot of a kid that was generated for this set; `None` for every other kid. The case of letters counts: verifiers tell
/// kids by it (RFC 7517 section 4.5).
pub fn parse_generated<'kid>(set: &SetId, kid: &'kid str) -> Option<(&'kid str, Slot)> {
    let (name, slot) = kid.strip_prefix(set.as_str())?.strip_prefix('.')?.rsplit_once('.')?;
    let is_entry_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_entry_name { Some((name, Slot::parse(slot)?)) } else { None }
}

/// Whether a kid can stand in a spec and in a URL as it is.
pub(super) fn is_writable(kid: &str) -> bool {
    kid.len() <= 255
        && kid.starts_with(|first: char| first.is_ascii_alphanumeric())
        && kid.chars().all(|character| character.is_ascii_alphanumeric() || ['.', '_', ':', '-'].contains(&character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_kid_is_read_back() {
        let slot = Slot::at("2026-11-23T20:42:07.9Z".parse().expect("a timestamp"));
        let set = SetId::from("shop.payments");
        let kid = generated(&set, &"signing".into(), slot);
        assert_eq!(kid, "shop.payments.signing.20261123T204207Z");
        assert_eq!(parse_generated(&set, kid.as_str()), Some(("signing", slot)));
        assert_eq!(parse_generated(&"Shop.payments".into(), kid.as_str()), None, "case counts");
    }

    #[test]
    fn a_kid_of_another_set_is_not_ours() {
        // `shop` with an entry `payments.signing` cannot exist: entry names have no dot.
        assert_eq!(parse_generated(&"shop".into(), "shop.payments.signing.20261123T204207Z"), None);
        assert_eq!(parse_generated(&"shop.payments".into(), "shop.paymentsX.signing.20261123T204207Z"), None);
    }

    #[test]
    fn only_the_exact_form_is_a_slot() {
        for text in ["20261123T204207", "2026-11-23T20:42:07Z", "20261323T204207Z", "020261123T204207Z", "20261123t204207z", ""] {
            assert_eq!(Slot::parse(text), None, "{text}");
        }
    }
}
