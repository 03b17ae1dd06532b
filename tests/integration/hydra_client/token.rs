//! Tokens by the client credentials grant (RFC 6749 section 4.4).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Body;
use http::Response;
use jwk_operator::hydra::{Authentication, Client, ClientCredentials, Config, ConfigError, ErrorKind, Operation};
use secrecy::SecretString;

use super::server::{Received, Server, answer, call, failure};

const SECRET: &str = "s3cret+/=&";

/// A token endpoint that grants token-0, token-1 and so on.
async fn endpoint(lifetime: Option<u64>) -> Server {
    let count = Arc::new(AtomicUsize::new(0));
    Server::start(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let lifetime = lifetime.map_or_else(String::new, |seconds| format!(r#","expires_in":{seconds}"#));
        answer(200, &[], format!(r#"{{"access_token":"token-{number}-of-many","token_type":"bearer"{lifetime}}}"#))
    })
    .await
}

fn client(admin_url: &str, token_url: &str) -> Client {
    let credentials = ClientCredentials {
        token_url: token_url.to_owned(),
        client_id: "jwk operator".into(),
        client_secret: SecretString::from(SECRET),
        scopes: vec!["keys.read".into(), "keys.write".into()],
        audience: Some("https://hydra".into()),
    };
    let authentication = Authentication::ClientCredentials(credentials);
    Config::new(admin_url).expect("a URL").timeout(Duration::from_secs(5)).authentication(authentication).build().expect("a client")
}

fn sent_token(request: &Received) -> String {
    request.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// An admin API that takes what `takes` takes.
async fn admin_api(takes: impl Fn(&str) -> bool + Clone + Send + Sync + 'static) -> Server {
    Server::start(move |request| -> Response<Body> {
        match takes(&sent_token(request)) {
            true => answer(200, &[], r#"{"version":"1"}"#),
            false => answer(401, &[], r#"{"error":{"code":401,"message":"no"}}"#),
        }
    })
    .await
}

#[tokio::test]
async fn one_token_serves_many_calls() {
    let (tokens, api) = (endpoint(Some(3600)).await, admin_api(|_| true).await);
    let client = client(&api.url, &tokens.url);
    let calls = (0..20).map(|_| client.version());
    for answer in futures::future::join_all(calls).await {
        answer.expect("a version");
    }
    assert_eq!(tokens.received().len(), 1);
    assert!(api.received().iter().all(|request| sent_token(request) == "Bearer token-0-of-many"));
    let asked = &tokens.received()[0];
    assert_eq!(asked.body, "grant_type=client_credentials&scope=keys.read+keys.write&audience=https%3A%2F%2Fhydra");
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode("jwk+operator:s3cret%2B%2F%3D%26");
    assert_eq!(sent_token(asked), format!("Basic {basic}"));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    // Six seconds, of which the last five are not used.
    let (tokens, api) = (endpoint(Some(6)).await, admin_api(|_| true).await);
    let client = client(&api.url, &tokens.url);
    let deadline = Instant::now() + Duration::from_secs(20);
    let started = Instant::now();
    while tokens.received().len() < 2 {
        assert!(Instant::now() < deadline, "no second token was fetched");
        client.version().await.expect("a version");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(6), "the first one had ended");
    let sent: Vec<_> = api.received().iter().map(sent_token).collect();
    assert_eq!(sent.first().map(String::as_str), Some("Bearer token-0-of-many"));
    assert_eq!(sent.last().map(String::as_str), Some("Bearer token-1-of-many"));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_call_repeated_once() {
    for operation in [Operation::GetVersion, Operation::DeleteJsonWebKey] {
        let tokens = endpoint(Some(3600)).await;
        let api = Server::start(move |request| match (sent_token(request).contains("token-0"), operation) {
            (true, _) => answer(401, &[], ""),
            (false, Operation::DeleteJsonWebKey) => answer(204, &[], ""),
            (false, _) => answer(200, &[], r#"{"version":"1"}"#),
        })
        .await;
        let client = client(&api.url, &tokens.url);
        call(&client, operation).await.expect("an answer");
        call(&client, operation).await.expect("an answer");
        assert_eq!((tokens.received().len(), api.received().len()), (2, 3), "{operation}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_again_is_the_end_of_it() {
    let (tokens, api) = (endpoint(Some(3600)).await, admin_api(|_| false).await);
    let client = client(&api.url, &tokens.url);
    for _ in 0..2 {
        let error = failure(&client, Operation::SetJsonWebKey).await;
        assert_eq!(error.kind(), &ErrorKind::Unauthorized);
        assert!(!error.may_have_taken_effect() && !error.to_string().contains("of-many"), "{error}");
    }
    assert_eq!(api.received().len(), 4);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let api = admin_api(|_| true).await;
    let elsewhere = admin_api(|_| true).await;
    let location = elsewhere.url.clone();
    let redirect = Server::start(move |_| answer(307, &[("location", &location)], "")).await;
    let of = async |status, body: &str| Server::always(status, &[], body.to_owned()).await;
    let large = format!(r#"{{"access_token":"{}","token_type":"bearer"}}"#, "a".repeat(100_000));
    let endpoints = [
        (of(400, r#"{"error":"invalid_client"}"#).await, ErrorKind::TokenRefused),
        (of(401, SECRET).await, ErrorKind::TokenRefused),
        (of(500, "").await, ErrorKind::TokenUnavailable),
        (of(429, "").await, ErrorKind::TokenUnavailable),
        (redirect, ErrorKind::TokenUnavailable),
        (of(200, "<html>").await, ErrorKind::TokenUnavailable),
        (of(200, r#"{"access_token":"x","token_type":"mac"}"#).await, ErrorKind::TokenUnavailable),
        (of(200, r#"{"access_token":"","token_type":"bearer"}"#).await, ErrorKind::TokenUnavailable),
        (of(200, r#"{"access_token":"a\nb","token_type":"bearer"}"#).await, ErrorKind::TokenUnavailable),
        (of(200, &large).await, ErrorKind::TokenUnavailable),
    ];
    for (endpoint, kind) in &endpoints {
        let client = client(&api.url, &endpoint.url);
        for operation in [Operation::GetJsonWebKeySet, Operation::CreateJsonWebKeySet] {
            let error = failure(&client, operation).await;
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(error.is_transient(), *kind == ErrorKind::TokenUnavailable);
            assert!(!error.may_have_taken_effect());
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
    let nobody = client(&api.url, "http://127.0.0.1:9");
    assert_eq!(failure(&nobody, Operation::GetJsonWebKeySet).await.kind(), &ErrorKind::TokenUnavailable);
    assert!(api.received().is_empty() && elsewhere.received().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_hangs_costs_no_more_than_the_timeout() {
    let hanging = super::server::rude(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let api = admin_api(|_| true).await;
    let started = Instant::now();
    let error = failure(&client(&api.url, &hanging), Operation::GetJsonWebKeySet).await;
    assert_eq!(error.kind(), &ErrorKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_token_does_not_travel_in_the_clear() {
    for url in ["http://sso.example/token", "ftp://sso", "https://user:pass@sso", "no url", "http://127.0.0.1.example/"] {
        let credentials = ClientCredentials {
            token_url: url.to_owned(),
            client_id: "a".into(),
            client_secret: SecretString::from("b"),
            scopes: Vec::new(),
            audience: None,
        };
        let config = Config::new("http://hydra").expect("a URL").authentication(Authentication::ClientCredentials(credentials));
        assert_eq!(config.build().expect_err("refused"), ConfigError::InvalidTokenUrl, "{url}");
    }
}
