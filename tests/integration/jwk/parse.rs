//! Reading keys from bytes.

use jwk_operator::jwk::{Jwk, JwkSet, ParseError};

#[test]
fn keys_and_sets_are_read_with_all_their_members() {
    let key = Jwk::parse(br#" {"kty":"EC","kid":"a","x-own":{"deep":[1,null]}} "#).expect("a key");
    assert_eq!((key.kty(), key.kid(), key.members().len()), (Some("EC"), Some("a"), 3));
    let set = JwkSet::parse(br#"{"keys":[{"kty":"EC","kid":"a"},{"kty":"new","kid":"b"}],"other":1}"#).expect("a set");
    assert_eq!(set.keys.iter().map(Jwk::kid).collect::<Vec<_>>(), [Some("a"), Some("b")]);
    assert_eq!(JwkSet::parse(br#"{"keys":[]}"#), Ok(JwkSet::default()));
}

#[test]
fn what_is_no_key_is_refused() {
    assert_eq!(Jwk::parse(b""), Err(ParseError::Syntax { line: 1, column: 0 }));
    assert_eq!(Jwk::parse(br#"{"kty":"EC"} {}"#), Err(ParseError::Syntax { line: 1, column: 14 }));
    assert_eq!(Jwk::parse(b"[]"), Err(ParseError::KeyIsNoObject));
    assert_eq!(Jwk::parse(br#""secret""#), Err(ParseError::KeyIsNoObject));
    assert_eq!(Jwk::parse(b"{}"), Err(ParseError::MissingType));
    assert_eq!(Jwk::parse(br#"{"kty":1}"#), Err(ParseError::MissingType));
    assert_eq!(Jwk::parse(b"{\"kty\":\"\xff\"}").map_err(|_| ()), Err(()));
}

#[test]
fn what_is_no_set_is_refused() {
    for text in ["[]", "null", "{}", r#"{"keys":{}}"#, r#"{"keys":"secret"}"#, r#"{"kty":"EC"}"#] {
        assert_eq!(JwkSet::parse(text.as_bytes()), Err(ParseError::NotASet), "{text}");
    }
    let reason = Box::new(ParseError::KeyIsNoObject);
    assert_eq!(JwkSet::parse(br#"{"keys":[{"kty":"EC"},"secret"]}"#), Err(ParseError::Key { index: 1, reason }));
    let reason = Box::new(ParseError::MissingType);
    assert_eq!(JwkSet::parse(br#"{"keys":[{"kid":"secret"}]}"#), Err(ParseError::Key { index: 0, reason }));
}

#[test]
fn depth_is_an_error_and_no_crash() {
    for open in ["[", "{\"keys\":", "{\"kty\":\"EC\",\"x\":["] {
        let text = open.repeat(100_000);
        assert!(matches!(Jwk::parse(text.as_bytes()), Err(ParseError::Syntax { .. })));
        assert!(matches!(JwkSet::parse(text.as_bytes()), Err(ParseError::Syntax { .. })));
    }
}
