//! "Absent" is what the admin API itself says. A key set that is taken for absent is created anew, or forgotten.

use jwk_operator::hydra::{ErrorKind, Operation};

use super::server::{READS, Server, call, client, failure, seven};

/// What Hydra's router answers to a path it does not know.
const ROUTER: &str = r#"{"error":{"code":404,"message":"Not Found","reason":"The requested route does not exist. Make sure you are using the right path, domain, and port."}}"#;
/// What the handler of a set answers.
const SET_ABSENT: &str = r#"{"error":"Not Found","error_description":"Unable to locate the requested resource"}"#;
/// What the handler of a key answers.
const KEY_ABSENT: &str = r#"{"error":"Unable to locate the resource","error_description":""}"#;

/// The same in the shape that Ory's gateways give to errors.
const ABSENT_BEHIND_A_GATEWAY: &str = r#"{"error":{"code":404,"status":"Not Found","message":"Unable to locate the resource"}}"#;

#[tokio::test]
async fn the_handlers_404_means_absent() {
    for body in [SET_ABSENT, KEY_ABSENT, ABSENT_BEHIND_A_GATEWAY] {
        let server = Server::always(404, &[("content-type", "application/json")], body).await;
        let client = client(&server.url);
        for operation in READS {
            let answer = call(&client, operation).await.expect("an answer");
            assert!(answer.contains("value: None"), "{operation}: {answer}");
        }
        for operation in [Operation::DeleteJsonWebKeySet, Operation::DeleteJsonWebKey] {
            call(&client, operation).await.expect("gone is gone");
        }
    }
}

#[tokio::test]
async fn a_404_of_anybody_else_never_means_absent() {
    let deep = "[".repeat(10_000);
    for body in [
        ROUTER,
        "<html><body><h1>404 Not Found</h1></body></html>",
        "404 page not found\n",
        "",
        "null",
        "[]",
        "{}",
        "{",
        &deep,
        r#""error""#,
        r#"{"error":null}"#,
        r#"{"error":"Not Found"}"#,
        r#"{"error":"not_found","message":"no such project"}"#,
        r#"{"error_description":"Unable to locate the requested resource"}"#,
        // A gateway in front of several projects, which does not know the one of the URL.
        r#"{"error":{"code":404,"status":"Not Found","message":"The requested project could not be found"}}"#,
        r#"{"keys":[]}"#,
    ] {
        let server = Server::always(404, &[("content-type", "application/json")], body).await;
        let client = client(&server.url);
        for operation in seven() {
            let error = failure(&client, operation).await;
            assert_eq!((error.kind(), error.status()), (&ErrorKind::NotTheAdminApi, Some(404)), "{operation} {body:.100}");
            assert!(error.is_not_the_admin_api() && !error.may_have_taken_effect());
        }
    }
}

#[tokio::test]
async fn no_other_status_means_absent_whatever_the_body() {
    for (status, kind) in [
        (401, ErrorKind::Unauthorized),
        (403, ErrorKind::Forbidden),
        (405, ErrorKind::Rejected),
        (410, ErrorKind::Rejected),
        (400, ErrorKind::Rejected),
        (500, ErrorKind::ServerFailed { retry_after: None }),
    ] {
        for body in [SET_ABSENT, KEY_ABSENT] {
            let server = Server::always(status, &[("content-type", "application/json")], body).await;
            for operation in seven() {
                let error = failure(&client(&server.url), operation).await;
                assert_eq!((error.kind(), error.status()), (&kind, Some(status)), "{operation}");
            }
        }
    }
}

#[tokio::test]
async fn a_success_without_a_set_does_not_mean_absent() {
    for body in ["", "null", "{}", "[]", r#"{"keys":null}"#, r#"{"keys":{}}"#, r#"{"error":"Not Found","error_description":""}"#] {
        for status in [200, 201, 202] {
            let server = Server::always(status, &[("content-type", "application/json")], body).await;
            for operation in READS {
                assert_eq!(failure(&client(&server.url), operation).await.kind(), &ErrorKind::Undecodable, "{operation} {body}");
            }
        }
    }
    let server = Server::always(204, &[], "").await;
    for operation in READS {
        assert_eq!(failure(&client(&server.url), operation).await.kind(), &ErrorKind::Undecodable, "{operation}");
    }
}

#[cfg(feature = "emulator")]
#[tokio::test]
async fn a_wrong_path_prefix_is_found_out() {
    use jwk_operator::hydra::emulator::{Emulator, EmulatorOptions};

    use super::server::config;

    let emulator = Emulator::start(EmulatorOptions::default()).await.expect("the emulator starts");
    let client = config(emulator.url()).path_prefix("/elsewhere").expect("a prefix").build().expect("a client");
    for operation in seven() {
        assert_eq!(failure(&client, operation).await.kind(), &ErrorKind::NotTheAdminApi, "{operation}");
    }
}
