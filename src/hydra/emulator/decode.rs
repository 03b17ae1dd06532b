//! What go-jose, with which Hydra reads keys, accepts, and what it keeps of it.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Refusal;
use crate::jwk::{
    Jwk,
    validate::{curve, rsa},
};

/// Go takes trailing bits that are not zero; padding is cut off before.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Members that are base64url of bytes.
const BINARY: [&str; 12] = ["k", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x5t#S256"];
/// Members that survive with every type.
const COMMON: [&str; 8] = ["use", "kty", "kid", "alg", "x5c", "x5u", "x5t", "x5t#S256"];

/// The key as Hydra stores it: only the members that were measured to survive, those of other types and empty ones dropped.
pub(super) fn accept(key: &Jwk) -> Result<Jwk, Refusal> {
    let kty = key.kty().unwrap_or_default();
    let is_private = key.members().contains_key("d");
    check_types(key)?;
    let own: &[&str] = match kty {
        "EC" => {
            elliptic(key, is_private)?;
            &["crv", "x", "y", "d"]
        }
        "RSA" if is_private => {
            private_rsa(key)?;
            &["n", "e", "d", "p", "q", "dp", "dq", "qi"]
        }
        "RSA" => {
            present(key, &["n", "e"]).map_err(|_| jose("invalid RSA key, missing n/e values"))?;
            &["n", "e"]
        }
        "OKP" => {
            edwards(key)?;
            &["crv", "x", "d"]
        }
        "oct" => {
            present(key, &["k"]).map_err(|_| jose("invalid OCT (symmetric) key, missing k value"))?;
            &["k"]
        }
        other => return Err(jose(&format!("unknown json web key type '{other}'"))),
    };
    let kept = COMMON.iter().chain(own).filter_map(|name| key.members().get_key_value(*name));
    let kept = kept.filter(|(_, value)| !matches!(value, Value::Null) && value.as_str() != Some(""));
    let mut members = Map::new();
    for (name, value) in kept {
        let value = if own.contains(&name.as_str()) && name != "crv" { encoded(key, name)?.into() } else { value.clone() };
        members.insert(name.clone(), value);
    }
    Ok(Jwk::from_members(members))
}

fn jose(reason: &str) -> Refusal {
    Refusal::Malformed(format!("go-jose/go-jose: {reason}"))
}

/// Go's JSON refuses members of another type; the base64url of all of them is decoded before anything is looked at.
fn check_types(key: &Jwk) -> Result<(), Refusal> {
    for (name, value) in key.members() {
        let found = match value {
            Value::String(_) | Value::Null => {
                if BINARY.contains(&name.as_str()) {
                    bytes(key, name)?;
                }
                continue;
            }
            Value::Array(texts) if name == "x5c" && texts.iter().all(Value::is_string) => continue,
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
        };
        if name == "crv" || BINARY.contains(&name.as_str()) || COMMON.contains(&name.as_str()) {
            return Err(Refusal::Malformed(format!(
                "json: cannot unmarshal {found} into Go struct field rawJSONWebKey.{name} of type string"
            )));
        }
    }
    Ok(())
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
    // Go tells the place of the first bad byte, which is measured for nothing here.
    LENIENT.decode(text).map(Zeroizing::new).map_err(|_| Refusal::Malformed("illegal base64 data".to_owned()))
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
