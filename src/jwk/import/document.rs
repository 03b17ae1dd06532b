//! What kind of document it is, and which of its keys is meant.

use super::{ImportError, section};
use crate::jwk::{Jwk, JwkSet, ParseError};

/// How many kids a message lists.
const LISTED_KIDS: usize = 8;
/// The longest kid that a message repeats.
const LONGEST_KID: usize = 64;

/// The key of a document.
pub(super) fn key(document: &[u8], kid: Option<&str>) -> Result<Jwk, ImportError> {
    match document.trim_ascii() {
        [] => Err(ImportError::Empty),
        [b'{', ..] => json(document, kid),
        [0x30, ..] if !document.is_ascii() => Err(ImportError::Binary),
        text if text.windows(11).any(|window| window == b"-----BEGIN ") => section::key(text),
        text if text.is_ascii() || std::str::from_utf8(text).is_ok() => Err(ImportError::UnknownForm),
        _ => Err(ImportError::Binary),
    }
}

/// A JWK has a `kty`, a JWK Set has `keys`.
fn json(document: &[u8], kid: Option<&str>) -> Result<Jwk, ImportError> {
    match Jwk::parse(document) {
        Ok(key) => Ok(key),
        Err(ParseError::MissingType) => chosen(JwkSet::parse(document)?, kid),
        Err(error) => Err(error.into()),
    }
}

/// The only key of a set, or the one with the kid.
fn chosen(set: JwkSet, kid: Option<&str>) -> Result<Jwk, ImportError> {
    let kids = kids(&set);
    let count = set.keys.len();
    let mut keys = set.keys;
    match (count, kid) {
        (0, _) => Err(ImportError::NoKey),
        (1, _) => keys.pop().ok_or(ImportError::NoKey),
        (_, None) => Err(ImportError::SeveralKeys { count, kids }),
        (_, Some(kid)) => {
            keys.retain(|key| key.kid() == Some(kid));
            match keys.len() {
                0 => Err(ImportError::KidNotFound { kid: kid.to_owned(), kids }),
                1 => keys.pop().ok_or(ImportError::NoKey),
                _ => Err(ImportError::KidNotUnique { kid: kid.to_owned() }),
            }
        }
    }
}

/// The kids of a set, for a message: the first ones, each cut.
fn kids(set: &JwkSet) -> String {
    let kids: Vec<String> =
        set.keys.iter().filter_map(Jwk::kid).take(LISTED_KIDS).map(|kid| kid.chars().take(LONGEST_KID).collect()).collect();
    if kids.is_empty() { "no kids".to_owned() } else { kids.join(", ") }
}
