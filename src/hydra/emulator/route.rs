//! Which operation a path means, as Hydra 26.2 and Go's `http.ServeMux` decide it.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use super::EmulatedOperation;

/// What a request asks for.
pub(super) enum Route {
    /// One of the seven operations.
    Keys {
        /// Which one.
        operation: EmulatedOperation,
        /// The set, decoded.
        set: String,
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
    // A pattern for GET takes HEAD as well.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    // Hydra has this on its other port, where there is no /admin.
    if method == Method::GET && path == "/.well-known/jwks.json" {
        return Route::WellKnown;
    }
    let path = matched(path);
    let clean = clean(&path);
    if clean != path {
        return Route::Unclean(clean);
    }
    match (method.as_str(), &*path) {
        ("GET", "/admin/health/alive" | "/admin/health/ready") => return Route::Health,
        ("GET", "/admin/version") => return Route::Version,
        _ => {}
    }
    let Some(rest) = path.strip_prefix("/admin/keys/") else { return Route::Unknown };
    let (set, kid) = match rest.split_once('/') {
        Some((set, kid)) => (set, Some(kid)),
        None => (rest, None),
    };
    // A wildcard stands for one segment that is not empty.
    if set.is_empty() || kid.is_some_and(|kid| kid.is_empty() || kid.contains('/')) {
        return Route::Unknown;
    }
    let operation = match (method.as_str(), kid) {
        ("GET", None) => EmulatedOperation::GetSet,
        ("POST", None) => EmulatedOperation::CreateKey,
        ("PUT", None) => EmulatedOperation::PutSet,
        ("DELETE", None) => EmulatedOperation::DeleteSet,
        ("GET", Some(_)) => EmulatedOperation::GetKey,
        ("PUT", Some(_)) => EmulatedOperation::PutKey,
        ("DELETE", Some(_)) => EmulatedOperation::DeleteKey,
        _ => return Route::Unknown,
    };
    Route::Keys { operation, set: decoded(set), kid: kid.map(decoded) }
}

/// The escaped path that routes are matched with. Hydra drops one slash at the end and puts `/admin` in front where it is missing, both in the
/// decoded path. If that is no longer what the raw one says, Go escapes the decoded path anew, and `%2F` has become a slash.
fn matched(raw: &str) -> String {
    let sent: Cow<'_, [u8]> = percent_decode_str(raw).into();
    let trimmed = sent.strip_suffix(b"/").unwrap_or(&sent);
    if !trimmed.starts_with(b"/admin") {
        return clean(&escaped(&[b"/admin/", trimmed].concat())).trim_end_matches('/').to_owned();
    }
    if trimmed.len() < sent.len() || !is_escaped(raw) { escaped(trimmed) } else { raw.to_owned() }
}

/// Whether Go could have written a path like this.
fn is_escaped(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:@[]/%".contains(&byte))
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

/// Escapes a path as Go's `url.URL.String` does. What is escaped already is escaped again.
pub(super) fn escaped(path: &[u8]) -> String {
    escaped_but(path, b"-_.~$&+,/:;=@")
}

/// Where a set is, as `Location` says it: the id is escaped as a segment, and then again with the rest of the path.
pub(super) fn location(set: &str) -> String {
    escaped(format!("/keys/{}", escaped_but(set.as_bytes(), b"-_.~$&+:=@")).as_bytes())
}

fn escaped_but(path: &[u8], kept: &[u8]) -> String {
    path.iter().fold(String::with_capacity(path.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || kept.contains(byte) {
            escaped.push(char::from(*byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}
