//! What kind of document it is, and which of its keys is meant.

use super::{ImportError, openssh, section, text};
use crate::jwk::{InvalidJwk, Jwk, JwkSet, ParseError};

/// How many kids a message lists.
const LISTED_KIDS: usize = 8;
/// The longest kid that a message repeats.
const LONGEST_KID: usize = 64;

/// The key of a document, as it is written there, and the certificates of PEM.
pub(super) fn key(document: &[u8], kid: Option<&str>) -> Result<section::Found, ImportError> {
    let text = text::of(document)?;
    match text.trim().as_bytes() {
        [] => Err(ImportError::Empty),
        [b'{', ..] => json(&text, kid).map(section::Found::alone),
        [b'[', ..] => Err(ImportError::BareArray),
        _ if text.contains(text::BEGIN) => section::key(&text),
        _ if text::is_ssh_public_key(text.trim()) => openssh::public_key(text.trim()).map(section::Found::alone),
        _ => Err(text::unknown(text.trim())),
    }
}

/// A JWK has a `kty`, a JWK Set has `keys`.
fn json(text: &str, kid: Option<&str>) -> Result<Jwk, ImportError> {
    match Jwk::parse(text.as_bytes()) {
        Ok(key) => Ok(key),
        Err(ParseError::MissingType) => chosen(JwkSet::parse_each(text.as_bytes())?, kid),
        Err(ParseError::Syntax { line, column }) => Err(syntax(text, line, column)),
        Err(error) => Err(error.into()),
    }
}

/// What stands where the JSON ends to be JSON.
fn syntax(text: &str, line: usize, column: usize) -> ImportError {
    let found = text.lines().nth(line.saturating_sub(1)).and_then(|text| text.as_bytes().get(column.saturating_sub(1)));
    if matches!(found, Some(b'/' | b'#')) { ImportError::Comment { line } } else { ParseError::Syntax { line, column }.into() }
}

/// The key of a set that has the kid; without one the only key of a kind that can be used. What cannot be read beside it is passed over
/// (RFC 7517 section 5).
fn chosen(keys: Vec<Result<Jwk, ParseError>>, kid: Option<&str>) -> Result<Jwk, ImportError> {
    let count = keys.len();
    let mut malformed = None;
    let mut read = Vec::new();
    for key in keys {
        match key {
            Ok(key) => read.push(key),
            Err(error) => malformed = malformed.or(Some(error)),
        }
    }
    let kids = kids(&read);
    let (mut usable, unknown): (Vec<_>, Vec<_>) = read.into_iter().partition(Jwk::has_known_type);
    join_halves(&mut usable);
    let mut candidates = usable;
    if let Some(kid) = kid.filter(|_| !is_nameless(&candidates)) {
        candidates.retain(|key| key.kid() == Some(kid));
    }
    if candidates.is_empty() && unknown.iter().any(|key| kid.is_none() || key.kid() == kid) {
        return Err(InvalidJwk::UnsupportedType.into());
    }
    match (candidates.len(), kid, malformed) {
        (1, ..) => candidates.pop().ok_or(ImportError::NoKey),
        (0, ..) if count == 0 => Err(ImportError::NoKey),
        (0, _, Some(error)) if count == 1 => Err(error.into()),
        (0, Some(kid), _) => Err(ImportError::KidNotFound { kid: kid.to_owned(), kids }),
        (0, None, Some(error)) => Err(error.into()),
        (0, None, None) => Err(ImportError::NoKey),
        (_, Some(kid), _) => Err(ImportError::KidNotUnique { kid: kid.to_owned() }),
        (count, None, _) => Err(ImportError::SeveralKeys { count, kids }),
    }
}

/// Whether there is one key, without a name: then `import.kid` names it, and there is nothing to choose.
fn is_nameless(keys: &[Jwk]) -> bool {
    keys.len() == 1 && keys[0].members().get("kid").is_none_or(|kid| kid.as_str() == Some(""))
}

/// A private key and its own public half under one kid are one key: Hydra's and Oathkeeper's documents have both.
fn join_halves(keys: &mut Vec<Jwk>) {
    let private: Vec<_> =
        keys.iter().filter(|key| key.is_private()).map(|key| (key.kid().map(str::to_owned), key.public_thumbprint())).collect();
    let is_half = |key: &Jwk| {
        let thumbprint = key.public_thumbprint();
        thumbprint.is_some() && private.iter().any(|(kid, of)| kid.as_deref() == key.kid() && *of == thumbprint)
    };
    keys.retain(|key| key.is_private() || !is_half(key));
}

/// The kids of a set, for a message: the first ones, each cut.
fn kids(keys: &[Jwk]) -> String {
    let kids: Vec<String> = keys.iter().filter_map(Jwk::kid).take(LISTED_KIDS).map(|kid| kid.chars().take(LONGEST_KID).collect()).collect();
    if !kids.is_empty() {
        return kids.join(", ");
    }
    let is_no_text = |key: &Jwk| key.members().get("kid").is_some_and(|kid| !kid.is_string());
    (if keys.iter().any(is_no_text) { "no kids, since a kid must be a string" } else { "no kids" }).to_owned()
}
