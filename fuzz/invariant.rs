//! What holds for every input, shared by the fuzz targets and the property tests: nothing panics, and no message repeats a private value.

#![allow(dead_code, reason = "each target uses a part")]

use jwk_operator::jwk::{
    Jwk, JwkSet,
    import::{Wanted, read},
};

/// The private members of a JWK.
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];
/// Shorter parts may be in a message by chance.
const SECRET_PART: usize = 12;

/// Reads the bytes as a key to import.
pub fn import(bytes: &[u8], kid: Option<&str>) {
    let wanted = Wanted { kid, ..Wanted::default() };
    match read(bytes, None, wanted) {
        Ok(key) => {
            assert!(key.validate().is_ok(), "what is imported is sound");
            tells_nothing(bytes, &format!("{key:?}"));
        }
        Err(error) => tells_nothing(bytes, &format!("{error} {error:?}")),
    }
}

/// Reads the bytes as a JWK and as a JWK Set.
pub fn json(bytes: &[u8]) {
    match Jwk::parse(bytes) {
        Ok(key) => tells_nothing(bytes, &format!("{key:?} {:?}", key.validate())),
        Err(error) => tells_nothing(bytes, &format!("{error} {error:?}")),
    }
    match JwkSet::parse(bytes) {
        Ok(set) => {
            tells_nothing(bytes, &format!("{set:?}"));
            let public = serde_json::to_string(&set.public_halves()).expect("a public set is JSON");
            let keys: serde_json::Value = serde_json::from_str(&public).expect("JSON");
            for key in keys["keys"].as_array().expect("a list") {
                assert!(PRIVATE.iter().all(|name| key.get(name).is_none()), "a private member in a public half");
            }
        }
        Err(error) => tells_nothing(bytes, &format!("{error} {error:?}")),
    }
}

/// Panics if the message holds a part of a private value of the document.
pub fn tells_nothing(document: &[u8], message: &str) {
    let keys = keys(document);
    // The kid is told on purpose, whatever it holds.
    let is_told = |part: &str| keys.iter().filter_map(Jwk::kid).any(|kid| kid.contains(part));
    for secret in secrets(document, &keys) {
        let parts = secret.as_bytes().windows(SECRET_PART).filter_map(|part| std::str::from_utf8(part).ok());
        // No value of a key has a space; the words of an armour do.
        for part in parts.filter(|part| !part.contains(' ')) {
            assert!(!message.contains(part) || is_told(part), "a message repeats a private value");
        }
    }
}

/// What must not be told of a document: the private members of its JWKs, the lines of its PEM sections that are no certificates.
fn secrets(document: &[u8], keys: &[Jwk]) -> Vec<String> {
    let mut secrets: Vec<String> =
        keys.iter().flat_map(|key| PRIVATE.iter().filter_map(|name| key.text(name).map(str::to_owned))).collect();
    let mut is_private = false;
    for line in String::from_utf8_lossy(document).lines() {
        match line.strip_prefix("-----BEGIN ") {
            Some(label) => is_private = label.contains("PRIVATE"),
            None if is_private => {
                // The armour is no secret, wherever in the line it begins.
                let (value, armour) = line.split_once("-----").map_or((line, None), |(value, rest)| (value, Some(rest)));
                secrets.push(value.to_owned());
                is_private = armour.is_none();
            }
            None => {}
        }
    }
    secrets.retain(|secret| secret.len() >= SECRET_PART);
    secrets
}

fn keys(document: &[u8]) -> Vec<Jwk> {
    JwkSet::parse(document).map(|set| set.keys).or_else(|_| Jwk::parse(document).map(|key| vec![key])).unwrap_or_default()
}
