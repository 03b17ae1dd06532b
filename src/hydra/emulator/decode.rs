//! What go-jose, with which Hydra reads keys, accepts, and what it keeps of it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    Refusal,
    chain::Chain,
    go_base64::{self, Encoding},
    go_json,
    refusal::jose,
    x509::CertifiedKey,
};
use crate::jwk::{
    Jwk,
    validate::{curve, rsa},
};

/// Members that are base64url of bytes.
const BINARY: [&str; 11] = ["k", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi"];
/// Members that are any text.
const TEXT: [&str; 8] = ["use", "kty", "kid", "crv", "alg", "x5u", "x5t", "x5t#S256"];
/// Members that survive as they are with every type.
const COMMON: [&str; 5] = ["use", "kty", "kid", "alg", "x5u"];

/// The key as Hydra stores it: only the members that were measured to survive, those of other types and empty ones dropped.
pub(super) fn accept(key: &Jwk) -> Result<Jwk, Refusal> {
    check_types(key)?;
    let chain = Chain::read(key)?;
    let own = own_members(key, &chain)?;
    if let Some(certified) = certifiable(key)? {
        chain.check_key(&certified)?;
    }
    let thumbprints = chain.thumbprints(key)?;
    let kept = COMMON.iter().chain(own).filter_map(|name| key.members().get_key_value(*name));
    let kept = kept.filter(|(_, value)| !matches!(value, Value::Null) && value.as_str() != Some(""));
    let mut members = Map::new();
    for (name, value) in kept {
        let value = if own.contains(&name.as_str()) && name != "crv" { encoded(key, name)?.into() } else { value.clone() };
        members.insert(name.clone(), value);
    }
    let certified = chain.encoded().map(|chain| ("x5c", chain)).into_iter().chain(thumbprints);
    members.extend(certified.map(|(name, value)| (name.to_owned(), value)));
    Ok(Jwk::from_members(members))
}

/// The members that its type gives a key, once they are found good.
fn own_members(key: &Jwk, chain: &Chain) -> Result<&'static [&'static str], Refusal> {
    let is_private = key.members().get("d").is_some_and(|d| !d.is_null());
    match key.kty().unwrap_or_default() {
        "EC" => elliptic(key, is_private).map(|()| &["crv", "x", "y", "d"][..]),
        "RSA" if is_private => private_rsa(key).map(|()| &["n", "e", "d", "p", "q", "dp", "dq", "qi"][..]),
        "RSA" => present(key, &["n", "e"]).map(|()| &["n", "e"][..]).map_err(|_| jose("invalid RSA key, missing n/e values")),
        "OKP" => edwards(key).map(|()| &["crv", "x", "d"][..]),
        "oct" if chain.certifies() => Err(jose("invalid JWK, found 'oct' (symmetric) key with cert chain")),
        "oct" => present(key, &["k"]).map(|()| &["k"][..]).map_err(|_| jose("invalid OCT (symmetric) key, missing k value")),
        other => Err(jose(&format!("unknown json web key type '{other}'"))),
    }
}

/// Go's JSON refuses members of another type. A fault in a member of bytes ends the reading, others wait until everything is read.
fn check_types(key: &Jwk) -> Result<(), Refusal> {
    let members = |names: &'static [&'static str]| names.iter().filter_map(|name| key.members().get_key_value(*name));
    for (name, value) in members(&BINARY) {
        is_text(value)?;
        bytes(key, name)?;
    }
    for (_, value) in members(&TEXT) {
        is_text(value)?;
    }
    match key.members().get("x5c") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(texts)) => texts.iter().try_for_each(is_text),
        Some(other) => Err(go_json::wrong_type(other, "value of type []string")),
    }
}

/// Go leaves a text as it is, which is empty, where it reads null.
fn is_text(value: &Value) -> Result<(), Refusal> {
    if value.is_string() || value.is_null() { Ok(()) } else { Err(go_json::wrong_type(value, "value of type string")) }
}

/// The public half of a key that was found good, to be compared with that of a certificate; `None` for a symmetric key.
fn certifiable(key: &Jwk) -> Result<Option<CertifiedKey>, Refusal> {
    Ok(match (key.kty(), key.text("crv")) {
        (Some("EC"), Some(crv)) => Some(CertifiedKey::elliptic(crv, &bytes(key, "x")?, &bytes(key, "y")?)),
        (Some("RSA"), _) => Some(CertifiedKey::rsa(&bytes(key, "n")?, &bytes(key, "e")?)),
        (Some("OKP"), _) => Some(CertifiedKey::Edwards(bytes(key, "x")?.to_vec())),
        _ => None,
    })
}

fn elliptic(key: &Jwk, is_private: bool) -> Result<(), Refusal> {
    let crv = key.text("crv").unwrap_or_default();
    let curve = curve::named(crv).ok_or_else(|| jose(&format!("unsupported elliptic curve '{crv}'")))?;
    let (kind, needed): (_, &[&str]) = if is_private { ("EC private key", &["x", "y", "d"]) } else { ("EC key", &["x", "y"]) };
    present(key, needed).map_err(|_| jose(&format!("invalid {kind}, missing {} values", needed.join("/"))))?;
    let kind = if is_private { "EC private key" } else { "EC public key" };
    for name in needed {
        if bytes(key, name)?.len() != curve.size {
            return Err(jose(&format!("invalid {kind}, wrong length for {name}")));
        }
    }
    if curve.contains(&bytes(key, "x")?, &bytes(key, "y")?) { Ok(()) } else { Err(jose("invalid EC key, X/Y are not on declared curve")) }
}

/// go-jose does not look at the length: it cuts, or fills with zeros. Keys that would be changed by that are refused here.
fn edwards(key: &Jwk) -> Result<(), Refusal> {
    let crv = key.text("crv").unwrap_or_default();
    if crv != "Ed25519" || !key.members().contains_key("x") {
        return Err(jose(&format!("unknown curve {crv}'")));
    }
    for name in ["x", "d"] {
        if key.members().contains_key(name) && bytes(key, name)?.len() != 32 {
            return Err(jose(&format!("invalid Ed25519 key, wrong length for {name}")));
        }
    }
    Ok(())
}

fn private_rsa(key: &Jwk) -> Result<(), Refusal> {
    present(key, &["n", "e", "d", "p", "q"])
        .map_err(|name| jose(&format!("invalid RSA private key, missing {} value(s)", name.to_uppercase())))?;
    // Go computes what is missing of these; the consistency of the rest is then not checked here.
    if present(key, &["dp", "dq", "qi"]).is_err() {
        return Ok(());
    }
    let part = |name| bytes(key, name);
    let (n, e, d, p, q) = (part("n")?, part("e")?, part("d")?, part("p")?, part("q")?);
    let (n, e) = (without_zeros(&n), without_zeros(&e));
    let checkable = (2048..=8192).contains(&rsa::bits(n));
    if checkable && !rsa::is_consistent(n, e, &d, &p, &q, &part("dp")?, &part("dq")?, &part("qi")?) {
        return Err(Refusal::Malformed("crypto/rsa: invalid exponents".to_owned()));
    }
    Ok(())
}

/// The first of `names` that is missing is the error.
fn present<'a>(key: &Jwk, names: &[&'a str]) -> Result<(), &'a str> {
    names.iter().find(|name| key.text(name).is_none()).map_or(Ok(()), |name| Err(*name))
}

fn bytes(key: &Jwk, name: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let text = key.text(name).unwrap_or_default().trim_end_matches('=');
    go_base64::decode(Encoding::RawUrl, text).map_err(|error| Refusal::Malformed(error.to_string()))
}

/// The member as Go writes it: without padding, and the integers of RSA in their fewest bytes.
fn encoded(key: &Jwk, name: &str) -> Result<String, Refusal> {
    let bytes = bytes(key, name)?;
    Ok(URL_SAFE_NO_PAD.encode(if key.kty() == Some("RSA") { without_zeros(&bytes) } else { &bytes }))
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}
