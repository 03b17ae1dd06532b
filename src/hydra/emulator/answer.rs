//! What the emulator answers, byte for byte where it was measured.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::json;

use super::Refusal;
use crate::jwk::Jwk;

/// The members of a key in the order in which go-jose writes them.
const ORDER: [&str; 20] =
    ["use", "kty", "kid", "crv", "alg", "k", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x5c", "x5u", "x5t", "x5t#S256"];

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// Errors of the handlers are written by other code, without the character set.
const ERROR_JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Status, headers and body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    fn new(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]), body: body.into() }
    }

    /// JSON with this status.
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::new(status, JSON, body),
            Err(_) => Self::refusal(&Refusal::Internal("the answer cannot be written as JSON")),
        }
    }

    /// 204.
    pub(super) fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// An error of a handler: `error` and `error_description`.
    pub(super) fn refusal(refusal: &Refusal) -> Self {
        let text = refusal.to_string();
        let (status, error, description) = match refusal {
            Refusal::UnsupportedAlgorithm => (StatusCode::BAD_REQUEST, "Bad Request", text.as_str()),
            Refusal::Malformed(_) => (StatusCode::BAD_REQUEST, "The request was malformed or contained invalid parameters", text.as_str()),
            Refusal::SetNotFound => (StatusCode::NOT_FOUND, "Not Found", text.as_str()),
            Refusal::KeyNotFound => (StatusCode::NOT_FOUND, text.as_str(), ""),
            Refusal::Conflict => (StatusCode::CONFLICT, text.as_str(), ""),
            Refusal::SymmetricKeyInBroadcast | Refusal::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, text.as_str(), ""),
        };
        let body = json!({ "error": error, "error_description": description });
        Self::new(status, ERROR_JSON, body.to_string())
    }

    /// The router's 404, with the other shape of error body.
    pub(super) fn no_route() -> Self {
        let reason = "The requested route does not exist. Make sure you are using the right path, domain, and port.";
        Self::json(StatusCode::NOT_FOUND, &json!({ "error": { "code": 404, "message": "Not Found", "reason": reason } }))
    }

    /// 307 to another path. Only GET and HEAD get a type, only GET a page.
    pub(super) fn redirect(location: &str, method: &http::Method) -> Self {
        let page = format!("<a href=\"{location}\">Temporary Redirect</a>.\n\n");
        let answer = match *method {
            http::Method::GET | http::Method::HEAD => Self::new(StatusCode::TEMPORARY_REDIRECT, HTML, page),
            _ => Self { status: StatusCode::TEMPORARY_REDIRECT, headers: HeaderMap::new(), body: Bytes::new() },
        };
        answer.with(header::LOCATION, location)
    }

    /// The same with one more header; a value that cannot be one is left out.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A key with its members in go-jose's order.
pub(super) struct Ordered<'a>(pub(super) &'a Jwk);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in ORDER.iter().filter_map(|name| self.0.members().get_key_value(*name)) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A set of such keys.
#[derive(Serialize)]
pub(super) struct OrderedSet<'a> {
    keys: Vec<Ordered<'a>>,
}

impl<'a> OrderedSet<'a> {
    /// The keys in this order.
    pub(super) fn new(keys: impl IntoIterator<Item = &'a Jwk>) -> Self {
        Self { keys: keys.into_iter().map(Ordered).collect() }
    }
}
