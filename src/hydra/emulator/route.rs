//! Which operation a path means, as Go's `http.ServeMux` decides it.

use http::Method;
use percent_encoding::percent_decode_str;

use super::Operation;

/// What a request asks for.
pub(super) enum Route {
    /// One of the seven operations.
    Keys {
        /// Which one.
        operation: Operation,
        /// The set, decoded.
        set: String,
        /// The set as it was sent.
        raw_set: String,
        /// The key, decoded, where the operation has one.
        kid: Option<String>,
    },
    /// `/health/alive` and `/health/ready`.
    Health,
    /// `/version`.
    Version,
    /// `/.well-known/jwks.json`.
    WellKnown,
    /// A path with `.`, `..` or `//`: the clean one.
    Unclean(String),
    /// Everything else, other methods included: this version does not answer 405.
    Unknown,
}

/// The route of a request with this raw path.
pub(super) fn route(method: &Method, path: &str) -> Route {
    let clean = clean(path);
    if clean != path {
        return Route::Unclean(clean);
    }
    // A pattern for GET takes HEAD as well.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    match (method.as_str(), path) {
        ("GET", "/health/alive" | "/health/ready") => return Route::Health,
        ("GET", "/version") => return Route::Version,
        ("GET", "/.well-known/jwks.json") => return Route::WellKnown,
        _ => {}
    }
    let Some(rest) = path.strip_prefix("/admin/keys/").or_else(|| path.strip_prefix("/keys/")) else { return Route::Unknown };
    let (raw_set, raw_kid) = match rest.split_once('/') {
        Some((set, kid)) => (set, Some(kid)),
        None => (rest, None),
    };
    // A wildcard stands for one segment that is not empty.
    if raw_set.is_empty() || raw_kid.is_some_and(|kid| kid.is_empty() || kid.contains('/')) {
        return Route::Unknown;
    }
    let operation = match (method.as_str(), raw_kid) {
        ("GET", None) => Operation::GetSet,
        ("POST", None) => Operation::CreateKey,
        ("PUT", None) => Operation::PutSet,
        ("DELETE", None) => Operation::DeleteSet,
        ("GET", Some(_)) => Operation::GetKey,
        ("PUT", Some(_)) => Operation::PutKey,
        ("DELETE", Some(_)) => Operation::DeleteKey,
        _ => return Route::Unknown,
    };
    Route::Keys { operation, set: decoded(raw_set), raw_set: raw_set.to_owned(), kid: raw_kid.map(decoded) }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The path without empty, `.` and `..` segments; a slash at its end stays. What is escaped is no dot.
fn clean(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut clean = format!("/{}", segments.join("/"));
    if path.ends_with('/') && clean != "/" {
        clean.push('/');
    }
    clean
}

/// Escapes a path as Go's `url.URL.String` does. What is escaped already is escaped again: Hydra puts the raw segment into `Location`.
pub(super) fn escaped(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}
