//! Answers with the right status and the wrong content.

use jwk_operator::hydra::{ErrorKind, Operation};
use serde_json::{Value, json};

use super::server::{READS, Server, WRITES, answer, call, client, failure, private_key, seven};

const HTML: &str = "<!doctype html><html><head><title>Sign in</title></head><body><form></form></body></html>";

fn other_key() -> Value {
    let mut key = private_key();
    key["kid"] = json!("another-kid");
    key
}

#[tokio::test]
async fn a_page_instead_of_json_is_undecodable_and_a_write_may_have_taken_effect() {
    let server = Server::always(200, &[("content-type", "text/html")], HTML).await;
    let client = client(&server.url);
    for operation in seven().chain([Operation::GetReadiness, Operation::GetVersion]) {
        let error = failure(&client, operation).await;
        assert_eq!((error.kind(), error.status()), (&ErrorKind::Undecodable, Some(200)), "{operation}");
        assert_eq!(error.may_have_taken_effect(), WRITES.contains(&operation), "{operation}");
    }
}

#[tokio::test]
async fn a_deletion_is_done_when_the_api_says_204_and_not_before() {
    for status in [200, 201, 202, 205, 206] {
        let server = Server::always(status, &[], "").await;
        for operation in [Operation::DeleteJsonWebKeySet, Operation::DeleteJsonWebKey] {
            let error = failure(&client(&server.url), operation).await;
            assert_eq!((error.kind(), error.may_have_taken_effect()), (&ErrorKind::Undecodable, true), "{operation} {status}");
        }
    }
}

#[tokio::test]
async fn another_key_than_the_one_asked_for_is_refused() {
    let server = Server::start(|request| {
        let body = match request.method {
            http::Method::PUT => other_key(),
            _ => json!({ "keys": [other_key()] }),
        };
        answer(200, &[("content-type", "application/json")], body.to_string())
    })
    .await;
    for operation in [Operation::CreateJsonWebKeySet, Operation::SetJsonWebKey, Operation::GetJsonWebKey] {
        let error = failure(&client(&server.url), operation).await;
        assert_eq!(error.kind(), &ErrorKind::WrongKey, "{operation}");
        assert_eq!(error.may_have_taken_effect(), !operation.is_read(), "{operation}");
    }
}

#[tokio::test]
async fn one_key_is_one_key() {
    for keys in [json!([]), json!([private_key(), other_key()])] {
        let server = Server::always(201, &[], json!({ "keys": keys }).to_string()).await;
        for operation in [Operation::CreateJsonWebKeySet, Operation::GetJsonWebKey] {
            assert_eq!(failure(&client(&server.url), operation).await.kind(), &ErrorKind::Undecodable, "{operation}");
        }
    }
}

#[tokio::test]
async fn a_set_with_a_kid_twice_or_without_one_is_undecodable() {
    let mut nameless = private_key();
    nameless.as_object_mut().expect("an object").remove("kid");
    let (mut empty, mut numbered, mut typeless) = (private_key(), private_key(), private_key());
    empty["kid"] = json!("");
    numbered["kid"] = json!(7);
    typeless.as_object_mut().expect("an object").remove("kty");
    for keys in [
        json!([private_key(), other_key(), private_key()]),
        json!([nameless]),
        json!([empty]),
        json!([numbered]),
        json!([typeless]),
        json!([null]),
    ] {
        let server = Server::always(200, &[], json!({ "keys": keys }).to_string()).await;
        for operation in [Operation::GetJsonWebKeySet, Operation::SetJsonWebKeySet] {
            assert_eq!(failure(&client(&server.url), operation).await.kind(), &ErrorKind::Undecodable, "{operation} {keys}");
        }
    }
}

#[tokio::test]
async fn json_of_ten_thousand_levels_does_not_exhaust_the_stack() {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", r#"{"keys":"#.repeat(10_000), "}".repeat(10_000));
    for body in [
        format!("{open}{close}"),
        open.clone(),
        objects,
        format!(r#"{{"keys":[{{"kty":"EC","kid":"the-kid","x":{open}{close}}}]}}"#),
        format!(r#"{{"kty":"EC","kid":"the-kid","x":{open}{close}}}"#),
    ] {
        let server = Server::always(200, &[("content-type", "application/json")], body.clone()).await;
        for operation in seven() {
            assert_eq!(failure(&client(&server.url), operation).await.kind(), &ErrorKind::Undecodable, "{operation}");
        }
        // The body of an error is parsed too.
        let server = Server::always(400, &[("content-type", "application/json")], body).await;
        for operation in seven() {
            assert_eq!(failure(&client(&server.url), operation).await.kind(), &ErrorKind::Rejected, "{operation}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_undecodable() {
    let server =
        Server::start(|_| answer(200, &[("content-type", "application/json")], b"{\"keys\":[{\"kid\":\"\xff\xfe\"}]}".to_vec())).await;
    for operation in READS {
        assert_eq!(failure(&client(&server.url), operation).await.kind(), &ErrorKind::Undecodable, "{operation}");
    }
}

#[tokio::test]
async fn a_version_is_short_and_plain() {
    let server = Server::always(200, &[], json!({ "version": format!("v1\r\n\u{1b}[31m{}", "x".repeat(1000)) }).to_string()).await;
    let version = client(&server.url).version().await.expect("a version").value;
    assert!(version.len() <= 64 && !version.contains(char::is_control), "{version:?}");
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_not_called_ready() {
    for (status, body) in [(200, "{}"), (200, ""), (200, r#"{"status":"starting"}"#), (204, ""), (500, r#"{"status":"ok"}"#)] {
        let server = Server::always(status, &[], body).await;
        assert!(client(&server.url).ready().await.is_err(), "{status} {body}");
    }
    let server = Server::always(200, &[], r#"{"status":"ok"}"#).await;
    client(&server.url).ready().await.expect("ready");
    // A date that is none is no reason to refuse an answer.
    let server = Server::always(200, &[("date", "yesterday")], r#"{"status":"ok"}"#).await;
    assert_eq!(client(&server.url).ready().await.expect("ready").date, None);
    assert!(call(&client(&server.url), Operation::GetJsonWebKeySet).await.is_err());
}
