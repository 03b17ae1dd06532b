//! Addresses: ids become single path segments, whatever is in them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

use super::{
    error::{Error, ErrorKind},
    operation::{Call, Operation},
};

/// Everything but the unreserved characters of RFC 3986 and the colon, which is common in set ids and has no meaning inside a segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// The address of a call. `base` is scheme, host and port; `prefix` is the path prefix of `/keys`.
pub(super) fn of(base: &Url, prefix: &str, call: &Call<'_>) -> Result<Url, Error> {
    let mut path = match call.operation {
        Operation::GetReadiness => "/health/ready".to_owned(),
        Operation::GetVersion => "/version".to_owned(),
        _ => format!("{prefix}/keys"),
    };
    // The kid of a new key is part of the body.
    let kid = call.kid.filter(|_| call.operation != Operation::CreateJsonWebKeySet);
    for id in [call.set, kid].into_iter().flatten() {
        // A URL takes a segment of dots, written out or encoded, for a step upwards; an empty one names another resource.
        if id.is_empty() || id.chars().all(|character| character == '.') {
            return Err(Error::new(call, ErrorKind::InvalidId, None));
        }
        path.push('/');
        path.extend(utf8_percent_encode(id, SEGMENT));
    }
    let mut url = base.clone();
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(set: &str, kid: Option<&str>) -> Result<String, Error> {
        let base = Url::parse("http://127.0.0.1:4445").expect("a URL");
        of(&base, "/admin", &Call { operation: Operation::GetJsonWebKey, set: Some(set), kid }).map(|url| url.path().to_owned())
    }

    #[test]
    fn an_id_stays_one_segment() {
        assert_eq!(path("a/b", Some("k/1 é?#%")).expect("a path"), "/admin/keys/a%2Fb/k%2F1%20%C3%A9%3F%23%25");
        assert_eq!(path("shop.payments_x~y:z", None).expect("a path"), "/admin/keys/shop.payments_x~y:z");
        assert_eq!(path("..a", None).expect("a path"), "/admin/keys/..a");
    }

    #[test]
    fn the_kid_of_a_new_key_is_not_in_the_address() {
        let base = Url::parse("http://127.0.0.1:4445").expect("a URL");
        let call = Call { operation: Operation::CreateJsonWebKeySet, set: Some("set"), kid: Some("kid") };
        assert_eq!(of(&base, "/admin", &call).expect("a URL").path(), "/admin/keys/set");
    }

    #[test]
    fn an_id_that_would_climb_is_refused() {
        for id in ["", ".", "..", "..."] {
            assert_eq!(path(id, None).expect_err("refused").kind(), &ErrorKind::InvalidId, "{id:?}");
            assert_eq!(path("set", Some(id)).expect_err("refused").kind(), &ErrorKind::InvalidId, "{id:?}");
        }
    }
}
