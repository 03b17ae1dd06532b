//! What an error tells, and what it must not.

use std::time::Duration;

use jwk_operator::{
    hydra::{Config, ErrorKind, Operation},
    jwk::JwkSet,
};
use secrecy::SecretString;
use serde_json::json;

use super::server::{Headers, PRIVATE_MEMBER, Server, TOKEN, answer, client, config, failure, failures, key, private_key, seven};

/// Whether `text` repeats a part of `secret`. Fewer letters are found in any text.
fn leaks(text: &str, secret: &str) -> bool {
    (6..=secret.len()).any(|end| text.contains(&secret[end - 6..end]))
}

#[tokio::test]
async fn a_server_that_repeats_the_request_reveals_nothing() {
    // In every place where cutting the words could split a secret. Short words are kept as they are; long ones are taken for secrets.
    for (unit, length) in
        ["a ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "].into_iter().flat_map(|unit| (0..600).step_by(7).map(move |n| (unit, n)))
    {
        let server = Server::start(move |request| {
            let padding: String = unit.chars().cycle().take(length).collect();
            let authorization = request.headers["authorization"].to_str().expect("text");
            let echo = format!("{padding} {authorization} sent {}", request.body);
            let body = match request.path.as_str() {
                "/admin/keys/flat" => json!({ "error": "invalid_request", "error_description": echo }).to_string(),
                "/admin/keys/nested" => json!({ "error": { "code": 400, "message": "bad", "reason": echo } }).to_string(),
                _ => echo,
            };
            answer(400, &[], body)
        })
        .await;
        let client = client(&server.url);
        for set in ["flat", "nested", "plain"] {
            let keys = JwkSet { keys: vec![key(private_key())] };
            let error = client.set_json_web_key_set(set, &keys).await.expect_err("rejected");
            assert_eq!(error.kind(), &ErrorKind::Rejected);
            for text in [format!("{error}"), format!("{error:?}"), error.public_message()] {
                for secret in [TOKEN, PRIVATE_MEMBER] {
                    assert!(!leaks(&text, secret), "{unit:?} {length} {set}: {text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_reveals_nothing() {
    for body in [
        format!(r#"{{"kty":"EC","kid":"the-kid","d":"{PRIVATE_MEMBER}","#),
        format!(r#"{{"keys":[{{"kid":"the-kid","d":"{PRIVATE_MEMBER}"}}]}}"#),
        format!(r#""{PRIVATE_MEMBER}""#),
        format!("{PRIVATE_MEMBER} {TOKEN}"),
    ] {
        let server = Server::always(200, &[], body).await;
        for operation in seven().chain([Operation::GetVersion]) {
            let error = failure(&client(&server.url), operation).await;
            assert_eq!(error.kind(), &ErrorKind::Undecodable, "{operation}");
            for secret in [TOKEN, PRIVATE_MEMBER] {
                assert!(!leaks(&format!("{error} {error:?}"), secret), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_of_any_shape_stays_out_of_errors() {
    for token in ["short", "s3cr3t.t0k3n.w1th~d0ts", "a.b.c.d.e.f.g", "ends=="] {
        let server =
            Server::always(401, &[], json!({ "error": "bad", "error_description": format!("no such token: {token}!") }).to_string()).await;
        let client = Config::new(&server.url).expect("a URL").bearer_token(SecretString::from(token)).build().expect("a client");
        for operation in seven() {
            let error = failure(&client, operation).await;
            assert_eq!(error.kind(), &ErrorKind::Unauthorized);
            assert!(!format!("{error} {error:?}").contains(token), "{error}");
        }
    }
}

#[tokio::test]
async fn the_public_message_is_in_our_words_only() {
    const MARK: &str = "Kilroy";
    for status in [300, 307, 400, 401, 403, 404, 405, 409, 410, 418, 429, 500, 502, 503, 599] {
        for body in [
            json!({ "error": MARK, "error_description": MARK }).to_string(),
            json!({ "error": { "code": status, "message": MARK, "reason": MARK } }).to_string(),
            MARK.to_owned(),
        ] {
            let server = Server::start(move |_| answer(status, &[("x-mark", MARK), ("location", MARK)], body.clone())).await;
            for operation in [Operation::CreateJsonWebKeySet, Operation::SetJsonWebKey] {
                let error = failure(&client(&server.url), operation).await;
                assert!(!error.public_message().contains(MARK), "{error}");
                assert!(error.public_message().contains(&format!("HTTP {status}")), "{error}");
                assert!(error.public_message().contains("set the-set kid the-kid"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn the_words_of_a_server_stay_on_one_line_of_bounded_length() {
    let description = "line\nbreak\r\n\u{1b}[31mred\u{0}".repeat(1000);
    for body in [json!({ "error": "bad", "error_description": description }).to_string(), description] {
        let server = Server::always(400, &[], body).await;
        let error = failure(&client(&server.url), Operation::SetJsonWebKey).await.to_string();
        assert!(!error.contains(char::is_control) && error.contains("red"), "{error:?}");
        assert!(error.chars().count() < 400, "{error}");
    }
}

#[tokio::test]
async fn ids_in_errors_cannot_write_lines_of_their_own() {
    let server = Server::always(500, &[], "").await;
    let error = client(&server.url).delete_json_web_key("set\nInjected: line", "k\u{1b}[2J").await.expect_err("failed");
    for text in [error.to_string(), error.public_message()] {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[tokio::test]
async fn a_server_can_say_how_long_to_wait() {
    const DATE: (&str, &str) = ("date", "Mon, 01 Jun 2026 12:00:00 GMT");
    let cases: [(Headers, Option<u64>); 12] = [
        (&[("retry-after", "7")], Some(7)),
        (&[("retry-after", " 0 ")], Some(0)),
        // Counted from the server's own time.
        (&[DATE, ("retry-after", "Mon, 01 Jun 2026 12:02:00 GMT")], Some(120)),
        (&[DATE, ("retry-after", "Mon, 01 Jun 2026 11:00:00 GMT")], None),
        (&[("x-ratelimit-reset", "30")], Some(30)),
        (&[("retry-after", "7"), ("x-ratelimit-reset", "30")], Some(7)),
        // A month is a mistake, and must not silence anything for that long.
        (&[("retry-after", "2592000")], Some(900)),
        (&[DATE, ("retry-after", "Wed, 01 Jul 2026 12:00:00 GMT")], Some(900)),
        (&[("x-ratelimit-reset", "2592000")], Some(900)),
        (&[("retry-after", "soon")], None),
        (&[("retry-after", "-5")], None),
        (&[], None),
    ];
    for (headers, seconds) in cases {
        let server = Server::always(429, headers, "").await;
        for operation in seven() {
            let error = failure(&client(&server.url), operation).await;
            let retry_after = seconds.map(Duration::from_secs);
            assert_eq!((error.kind(), error.retry_after()), (&ErrorKind::RateLimited { retry_after }, retry_after), "{headers:?}");
            assert!(error.is_transient() && !error.may_have_taken_effect());
        }
        assert_eq!(server.received().len(), 7, "asked once each: repeating is what the server complains about");
    }
    let own = r#"{"error":"Service Unavailable","error_description":"not ready"}"#;
    let server = Server::always(503, &[("retry-after", "9")], own).await;
    let error = failure(&client(&server.url), Operation::SetJsonWebKey).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(9)));
    assert!(!error.may_have_taken_effect(), "a server that is unavailable did nothing");
}

#[tokio::test]
async fn a_failed_server_may_have_stored_first() {
    // A 503 of a proxy may mean that the connection broke after the request was sent; only the API itself can say that it is not ready.
    let own = r#"{"error":"Service Unavailable","error_description":"not ready"}"#;
    for (status, body, may) in [(500, "", true), (502, "", true), (503, "", true), (503, own, false), (504, "", true)] {
        let server = Server::always(status, &[], body).await;
        for (operation, error) in failures(&client(&server.url), seven()).await {
            assert_eq!(error.kind(), &ErrorKind::ServerFailed { retry_after: None });
            assert_eq!(error.may_have_taken_effect(), may && !operation.is_read(), "{operation} {status}");
        }
    }
}

#[tokio::test]
async fn two_writers_that_a_database_could_not_order_are_a_conflict() {
    let body =
        json!({ "error": "Bad Request", "error_description": "Unable to serialize access due to a concurrent update in another session" });
    let server = Server::always(400, &[], body.to_string()).await;
    let error = failure(&client(&server.url), Operation::SetJsonWebKey).await;
    assert_eq!(error.kind(), &ErrorKind::ConcurrentUpdate);
    assert!(error.is_conflict() && error.is_transient() && !error.may_have_taken_effect());
}

#[test]
fn neither_token_nor_certificates_are_shown() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate").cert.pem();
    let config = config("https://hydra.example:4445").ca_bundle(certificate.clone().into_bytes());
    let shown = format!("{config:?} {config:#?}");
    let client = config.build().expect("a client");
    let shown = format!("{shown} {client:?} {client:#?}");
    assert!(shown.contains("hydra.example"), "{shown}");
    assert!(!shown.contains(TOKEN) && !shown.contains("ory_pat_"), "{shown}");
    let bytes = format!("{:?}", &certificate.as_bytes()[..8]);
    assert!(!shown.contains("CERTIFICATE") && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}
