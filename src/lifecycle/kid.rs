//! The kid of a generated key: `{set}.{name}.{slot}`.
//!
//! It is known before the key exists, so that a repeated request for it is harmless; it carries the key's age, so that nothing but the remote
//! set is needed to tell it; and it is never used for a second key, because verifiers fetch a set again only for a kid they do not know.

use std::fmt;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::{entry_name::EntryName, set_id::SetId};
use crate::{escape::escaped, jwk::Kid};

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

/// The most characters of a kid: what every database of Hydra stores.
const LONGEST: usize = 255;
/// What ends or splits a segment of a URL path, or begins an escape there. Hydra and the proxies before it disagree on their encoded forms.
const RESERVED: [char; 4] = ['/', '%', '?', '#'];

/// Checks that a kid can be stored: that Hydra, its databases and the path of a URL can carry it.
///
/// # Errors
/// What is wrong with it, to be read after the word kid.
pub(super) fn check(kid: &str) -> Result<(), String> {
    let is_unsafe = |character: &char| character.is_control() || escaped(character.encode_utf8(&mut [0; 4])) != character.to_string();
    if kid.is_empty() || kid.chars().all(|character| character == '.') {
        return Err("is empty or holds only dots, which no URL path can carry".to_owned());
    }
    if kid.chars().count() > LONGEST {
        return Err(format!("has more than {LONGEST} characters"));
    }
    if let Some(reserved) = kid.chars().find(|character| RESERVED.contains(character)) {
        return Err(format!("holds the character {reserved}, which a URL path cannot carry"));
    }
    if kid.trim() != kid || kid.chars().any(|character| is_unsafe(&character)) {
        return Err("holds a character that cannot be seen: a control character, a mark of direction, or white space at an end".to_owned());
    }
    Ok(())
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
    fn a_kid_is_whatever_hydra_and_a_url_path_can_carry() {
        let longest = "k".repeat(255);
        for kid in [
            "a",
            "-I1WiFECF7DsgJQoxz_IPCxDg33XpiDTip6yYXhyY34",
            "_x",
            "1234example=",
            "a+b~c@d",
            "did:key:z6Mk",
            "..a",
            "two words",
            "schlüssel",
            &longest,
        ] {
            assert_eq!(check(kid), Ok(()), "{kid}");
        }
        let long = "k".repeat(256);
        for kid in
            ["", ".", "..", "...", "a/b", "a%2Fb", "a?b", "did:web:example.com#key-1", "a\nb", " a", "a ", "a\u{202e}b", "a\u{7f}", &long]
        {
            assert!(check(kid).is_err(), "{kid:?}");
        }
    }

    #[test]
    fn only_the_exact_form_is_a_slot() {
        for text in ["20261123T204207", "2026-11-23T20:42:07Z", "20261323T204207Z", "020261123T204207Z", "20261123t204207z", ""] {
            assert_eq!(Slot::parse(text), None, "{text}");
        }
    }
}
