//! Redirects and the token: nobody but the configured server hears of it.

use jwk_operator::hydra::{ErrorKind, Operation};

use super::server::{Server, TOKEN, answer, call, client, failure, seven};

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let other = Server::always(200, &[], "{}").await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/admin/keys/the-set", other.url);
        let server = Server::start(move |_| answer(status, &[("location", location.as_str())], "")).await;
        let client = client(&server.url);
        for operation in seven().chain([Operation::GetReadiness, Operation::GetVersion]) {
            let error = failure(&client, operation).await;
            assert_eq!((error.kind(), error.status()), (&ErrorKind::Redirected, Some(status)), "{operation}");
            assert!(!error.may_have_taken_effect() && !error.is_transient(), "{operation}");
            assert!(!format!("{error} {error:?}").contains(&other.url), "{error}");
        }
        assert_eq!(server.received().len(), 9, "one request for each call");
    }
    assert!(other.received().is_empty());
}

#[tokio::test]
async fn a_redirect_within_the_server_is_not_followed_either() {
    let server = Server::always(307, &[("location", "/admin/keys/another-set")], "").await;
    for operation in seven() {
        assert_eq!(failure(&client(&server.url), operation).await.kind(), &ErrorKind::Redirected, "{operation}");
    }
    assert!(server.received().iter().all(|request| !request.path.contains("another-set")));
}

#[tokio::test]
async fn the_token_is_sent_as_authorization_and_nowhere_else() {
    let server = Server::always(500, &[], "").await;
    let client = client(&server.url);
    for operation in seven().chain([Operation::GetReadiness, Operation::GetVersion]) {
        assert!(call(&client, operation).await.is_err());
    }
    let received = server.received();
    assert_eq!(received.len(), 9);
    for request in received {
        let carriers: Vec<_> =
            request.headers.iter().filter(|(_, value)| String::from_utf8_lossy(value.as_bytes()).contains(TOKEN)).collect();
        assert_eq!(carriers.len(), 1, "{request:?}");
        assert_eq!((carriers[0].0.as_str(), carriers[0].1.as_bytes()), ("authorization", format!("Bearer {TOKEN}").as_bytes()));
        assert!(!request.path.contains(TOKEN) && !request.body.contains(TOKEN), "{} {}", request.method, request.path);
        assert!(!request.headers.contains_key("referer") && !request.headers.contains_key("cookie"));
    }
}

#[tokio::test]
async fn cookies_of_the_server_are_not_kept() {
    let server = Server::always(500, &[("set-cookie", "session=1; Path=/")], "").await;
    let client = client(&server.url);
    for operation in seven() {
        assert!(call(&client, operation).await.is_err());
    }
    assert!(server.received().iter().all(|request| !request.headers.contains_key("cookie")));
}
