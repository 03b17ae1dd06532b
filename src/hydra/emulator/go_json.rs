//! Request bodies, read as Go's `json.Decoder` reads them: the first value counts, whatever follows it, and errors have Go's words.

use serde::Deserialize as _;
use serde_json::{Map, Value, error::Category};

use super::Refusal;

/// The first JSON value of the body, which has to be an object. `go_type` is the Go type it would be decoded into.
pub(super) fn object(body: &[u8], go_type: &str) -> Result<Map<String, Value>, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Value::deserialize(&mut deserializer).map_err(|error| syntax(body, &error))?;
    members(value, go_type)
}

/// The members of a value, none if it is null. `go_type` is the Go type it would be decoded into.
pub(super) fn members(value: Value, go_type: &str) -> Result<Map<String, Value>, Refusal> {
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        other => Err(wrong_type(&other, &format!("value of type {go_type}"))),
    }
}

/// What Go says of a value in the wrong place. `place` is what it says of that.
pub(super) fn wrong_type(value: &Value, place: &str) -> Refusal {
    let found = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Null => "null",
    };
    Refusal::Malformed(format!("json: cannot unmarshal {found} into Go {place}"))
}

/// A member that is a string or absent, named in capitals or not.
pub(super) fn text(members: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    match members.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(wrong_type(other, &format!("struct field createJsonWebKeySetBody.{name} of type string"))),
    }
}

fn syntax(body: &[u8], error: &serde_json::Error) -> Refusal {
    let trimmed = body.trim_ascii_start();
    let words = match error.classify() {
        _ if trimmed.is_empty() => "EOF".to_owned(),
        Category::Eof => "unexpected EOF".to_owned(),
        _ => literal(trimmed).unwrap_or_else(|| "invalid character looking for beginning of value".to_owned()),
    };
    Refusal::Malformed(words)
}

/// What Go says of a body that begins like `true`, `false` or `null` and goes on differently.
fn literal(body: &[u8]) -> Option<String> {
    let literal = ["true", "false", "null"].into_iter().find(|literal| body.first() == literal.as_bytes().first())?;
    let (found, expected) = body
        .iter()
        .zip(literal.bytes())
        .map(|(found, expected)| (char::from(*found), char::from(expected)))
        .find(|(found, expected)| found != expected)?;
    Some(format!("invalid character '{found}' in literal {literal} (expecting '{expected}')"))
}
