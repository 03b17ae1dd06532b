//! How the client shows who it is, to the admin API and to nobody else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header;
use jwk_operator::hydra::{Authentication, Config, ConfigError, ErrorKind};
use secrecy::SecretString;

use super::server::{Server, answer, failures, seven};

const SECRET: &str = "pa55-word";

fn methods() -> Vec<(Authentication, &'static str, String)> {
    let secret = || SecretString::from(SECRET);
    vec![
        (Authentication::BearerToken(secret()), "authorization", format!("Bearer {SECRET}")),
        (
            Authentication::Basic { username: "operator".into(), password: secret() },
            "authorization",
            format!("Basic {}", STANDARD.encode(format!("operator:{SECRET}"))),
        ),
        (Authentication::Header { name: "X-Api-Key".into(), value: secret() }, "x-api-key", SECRET.to_owned()),
    ]
}

#[tokio::test]
async fn each_method_is_sent_with_every_call_and_repeated_in_no_error() {
    for (authentication, name, value) in methods() {
        let echoed = value.clone();
        // A server that repeats what it got, in the headers' words and in pieces.
        let body = move || format!(r#"{{"error":"denied","error_description":"you sent {echoed}, that is {SECRET}"}}"#);
        let server = Server::start(move |_| answer(400, &[], body())).await;
        let config = Config::new(&server.url).expect("a URL").authentication(authentication.clone());
        let told = format!("{config:?} {authentication:?}");
        let client = config.build().expect("a client");
        for (operation, error) in failures(&client, seven()).await {
            let text = format!("{error} {error:?} {}", error.public_message());
            assert!(!text.contains(SECRET) && !text.contains(&value), "{operation}: {text}");
        }
        assert!(!told.contains(SECRET), "{told}");
        let received = server.received();
        assert_eq!(received.len(), 7);
        assert!(received.iter().all(|request| request.headers.get(name).is_some_and(|sent| sent == &value)));
    }
}

#[tokio::test]
async fn nobody_else_gets_credentials() {
    let other = Server::always(200, &[], r#"{"keys":[]}"#).await;
    for (authentication, ..) in methods() {
        for status in [301, 302, 303, 307, 308] {
            let elsewhere = format!("{}/admin/keys/the-set", other.url);
            let server = Server::start(move |_| answer(status, &[("location", &elsewhere)], "")).await;
            let client = Config::new(&server.url).expect("a URL").authentication(authentication.clone()).build().expect("a client");
            for (operation, error) in failures(&client, seven()).await {
                assert_eq!(error.kind(), &ErrorKind::Redirected, "{operation}");
            }
        }
    }
    assert!(other.received().is_empty());
}

#[tokio::test]
async fn refused_credentials_are_no_absent_set() {
    for (status, kind) in [(401, ErrorKind::Unauthorized), (403, ErrorKind::Forbidden)] {
        let server = Server::always(status, &[], r#"{"error":"Not Found","error_description":"Unable to locate the resource"}"#).await;
        let client = Config::new(&server.url).expect("a URL").bearer_token(SecretString::from(SECRET)).build().expect("a client");
        for (operation, error) in failures(&client, seven()).await {
            assert_eq!(error.kind(), &kind, "{operation}");
            assert!(!error.may_have_taken_effect(), "{operation}");
        }
        assert_eq!(server.received().len(), 7, "a fixed credential is not tried twice");
    }
}

#[tokio::test]
async fn a_forwarded_scheme_is_sent_when_it_is_asked_for() {
    let server = Server::always(200, &[], r#"{"version":"1"}"#).await;
    let config = || Config::new(&server.url).expect("a URL");
    config().build().expect("a client").version().await.expect("a version");
    config().forwarded_proto("https").build().expect("a client").version().await.expect("a version");
    let sent: Vec<_> = server.received().iter().map(|request| request.headers.get("x-forwarded-proto").cloned()).collect();
    assert_eq!(sent, [None, Some("https".parse().expect("a value"))]);
    assert!(server.received().iter().all(|request| !request.headers.contains_key(header::AUTHORIZATION)));
}

#[test]
fn credentials_that_no_header_can_hold_are_refused_without_being_repeated() {
    let secret = |text: &str| SecretString::from(text);
    for authentication in [
        Authentication::BearerToken(secret("4711\r\nx: y")),
        Authentication::Header { name: "a b".into(), value: secret("4711") },
        Authentication::Header { name: "x".into(), value: secret("4711\n") },
        Authentication::Basic { username: "a:b".into(), password: secret("4711") },
    ] {
        let error = Config::new("http://hydra").expect("a URL").authentication(authentication).build().expect_err("refused");
        assert_eq!(error, ConfigError::InvalidCredentials);
        assert!(!error.to_string().contains("4711"));
    }
}
