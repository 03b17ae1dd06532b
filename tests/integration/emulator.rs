//! What the emulator does beyond the recorded cases: broadcast keys, faults, stops, its file, its clock.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use jwk_operator::hydra::emulator::{
    DerivedKeys, Effect, EmulatedOperation, Emulator, EmulatorError, EmulatorOptions, Fault, ReceivedCall, Refusal, Store, run,
};
use serde_json::{Value, json};

use crate::raw_http::{self, Answer};

async fn emulator() -> Emulator {
    Emulator::start_with(Store::new(DerivedKeys::default()), EmulatorOptions::default()).await.expect("the emulator starts")
}

async fn send(emulator: &Emulator, method: &str, path: &str, body: Value) -> Option<Answer> {
    let body = (!body.is_null()).then(|| body.to_string());
    raw_http::send(emulator.url(), method, path, body.as_deref().map(str::as_bytes)).await
}

async fn status(emulator: &Emulator, method: &str, path: &str, body: Value) -> Option<u16> {
    send(emulator, method, path, body).await.map(|answer| answer.status)
}

fn new_key(kid: &str) -> Value {
    json!({ "alg": "ES256", "use": "sig", "kid": kid })
}

const SET: &str = "/admin/keys/s";

#[tokio::test]
async fn broadcast_sets_are_merged_and_get_a_key_if_they_have_no_private_one() {
    let options = EmulatorOptions { broadcast: vec!["one".to_owned(), "two".to_owned()], ..EmulatorOptions::default() };
    // RS256 is what Hydra generates; a smaller key is faster.
    let generator = |alg: &str| {
        use jwk_operator::hydra::emulator::{Generate as _, RandomKeys};
        RandomKeys.generate(if alg == "RS256" { "PS256" } else { alg }).map(|key| key.with("alg", alg))
    };
    let emulator = Emulator::start_with(Store::new(generator), options).await.expect("the emulator starts");
    emulator.store().create("two", Some("known"), "ES256", "sig").expect("a key");
    let well_known = || send(&emulator, "GET", "/.well-known/jwks.json", Value::Null);
    let answer = well_known().await.expect("an answer");
    let keys = answer.json()["keys"].as_array().cloned().expect("keys");
    assert_eq!((answer.status, keys.len()), (200, 2));
    assert_eq!((&keys[0]["alg"], &keys[0]["use"], &keys[1]["kid"]), (&json!("RS256"), &json!("sig"), &json!("known")));
    assert!(keys.iter().all(|key| key.get("d").is_none()));
    assert_eq!(well_known().await.map(|again| again.json()), Some(answer.json()), "no second key");
    let secret = json!({ "kty": "oct", "kid": "o", "k": "c2VjcmV0" });
    assert_eq!(status(&emulator, "PUT", "/admin/keys/two/o", secret).await, Some(200));
    let broken = well_known().await.expect("an answer");
    assert_eq!(broken.status, 500);
    assert!(!String::from_utf8_lossy(&broken.body).contains("c2VjcmV0"));
    assert_eq!(status(&emulator, "DELETE", "/admin/keys/two/o", Value::Null).await, Some(204));
    assert_eq!(well_known().await.map(|answer| answer.status), Some(200));
}

#[tokio::test]
async fn an_answer_can_be_replaced_before_and_after_the_effect() {
    let emulator = emulator().await;
    emulator.faults().add(Fault::new(Effect::status(StatusCode::SERVICE_UNAVAILABLE)).times(2));
    emulator.faults().add(Fault::new(Effect::retry_after(7)).method(Method::POST).set("s"));
    assert_eq!(status(&emulator, "POST", SET, new_key("a")).await, Some(503));
    assert_eq!(status(&emulator, "GET", "/health/ready", Value::Null).await, Some(503));
    let limited = send(&emulator, "POST", SET, new_key("a")).await.expect("an answer");
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert_eq!((emulator.store().sets().len(), emulator.faults().pending()), (0, 0));
    let error = Effect::AnswerAfterEffect(StatusCode::BAD_GATEWAY, http::HeaderMap::new(), "not JSON".into());
    emulator.faults().add(Fault::new(error).operation(EmulatedOperation::CreateKey));
    assert_eq!(status(&emulator, "POST", SET, new_key("a")).await, Some(502));
    assert_eq!(status(&emulator, "POST", SET, new_key("a")).await, Some(409));
}

#[tokio::test]
async fn faults_meet_only_their_calls() {
    let emulator = emulator().await;
    let broken = || Fault::new(Effect::status(StatusCode::INTERNAL_SERVER_ERROR)).always();
    emulator.faults().add(broken().kid("b"));
    emulator.faults().add(broken().path_prefix("/admin/keys/t"));
    emulator.faults().add(broken().set("u").writes());
    assert_eq!(status(&emulator, "GET", "/admin/keys/s/a", Value::Null).await, Some(404));
    assert_eq!(status(&emulator, "GET", "/admin/keys/s/b", Value::Null).await, Some(500));
    assert_eq!(status(&emulator, "GET", "/admin/keys/t", Value::Null).await, Some(500));
    assert_eq!(status(&emulator, "GET", "/admin/keys/u", Value::Null).await, Some(404));
    assert_eq!(status(&emulator, "DELETE", "/admin/keys/u", Value::Null).await, Some(500));
    emulator.faults().clear();
    assert_eq!(status(&emulator, "DELETE", "/admin/keys/u", Value::Null).await, Some(204));
}

#[tokio::test]
async fn requests_and_replies_get_lost() {
    let emulator = emulator().await;
    emulator.faults().add(Fault::new(Effect::LoseRequest));
    assert_eq!(status(&emulator, "POST", SET, new_key("a")).await, None);
    assert!(emulator.store().sets().is_empty());
    emulator.faults().add(Fault::new(Effect::LoseReply));
    assert_eq!(status(&emulator, "POST", SET, new_key("a")).await, None);
    assert!(emulator.store().get_key("s", "a").is_ok());
    let statuses: Vec<_> = emulator.calls().all().into_iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, Some(StatusCode::CREATED)]);
}

#[tokio::test]
async fn an_effect_can_come_after_the_connection_is_gone() {
    let emulator = emulator().await;
    emulator.faults().add(Fault::new(Effect::LateEffect(Duration::from_millis(200))));
    assert_eq!(status(&emulator, "POST", SET, new_key("a")).await, None);
    assert_eq!(emulator.store().get_key("s", "a"), Err(Refusal::KeyNotFound));
    // A caller that gives up first does not stop it either.
    emulator.faults().add(Fault::new(Effect::DelayBefore(Duration::from_millis(200))));
    let impatient = tokio::time::timeout(Duration::from_millis(50), status(&emulator, "POST", SET, new_key("b"))).await;
    assert!(impatient.is_err());
    assert_eq!(emulator.store().get_key("s", "b"), Err(Refusal::KeyNotFound));
    tokio::time::timeout(Duration::from_secs(10), async {
        while emulator.calls().of(EmulatedOperation::CreateKey) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("both effects");
    assert_eq!(emulator.store().get_set("s").map(|set| set.keys.len()), Ok(2));
    emulator.faults().add(Fault::new(Effect::DelayAfter(Duration::from_secs(600))));
    let impatient = tokio::time::timeout(Duration::from_millis(100), status(&emulator, "DELETE", SET, Value::Null)).await;
    assert!(impatient.is_err());
    assert!(emulator.store().sets().is_empty());
}

#[tokio::test]
async fn calls_are_logged_with_what_they_are_about() {
    let emulator = emulator().await;
    status(&emulator, "POST", SET, new_key("a")).await;
    status(&emulator, "GET", "/admin/keys/s/a%2Fb", Value::Null).await;
    status(&emulator, "GET", "/version", Value::Null).await;
    let calls = emulator.calls().all();
    let expected = ReceivedCall {
        method: Method::GET,
        path: "/admin/keys/s/a%2Fb".to_owned(),
        operation: Some(EmulatedOperation::GetKey),
        set: Some("s".to_owned()),
        kid: Some("a/b".to_owned()),
        status: Some(StatusCode::NOT_FOUND),
        traceparent: None,
    };
    assert_eq!((calls.len(), &calls[1], calls[2].operation), (3, &expected, None));
    assert_eq!((emulator.calls().of(EmulatedOperation::CreateKey), emulator.calls().writes()), (1, 1));
    emulator.calls().clear();
    assert!(emulator.calls().all().is_empty());
}

#[tokio::test]
async fn it_stops_and_comes_back_on_the_same_address_with_its_content() {
    let mut emulator = emulator().await;
    status(&emulator, "POST", SET, new_key("a")).await;
    // A request that would take forever is cut.
    emulator.faults().add(Fault::new(Effect::DelayBefore(Duration::from_secs(600))).method(Method::PUT));
    let url = emulator.url().to_owned();
    let slow = tokio::spawn(async move { raw_http::send(&url, "PUT", SET, Some(b"{}")).await.is_none() });
    while emulator.faults().pending() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    emulator.stop().await;
    assert!(tokio::time::timeout(Duration::from_secs(5), slow).await.expect("cut").expect("no panic"));
    assert_eq!(status(&emulator, "GET", SET, Value::Null).await, None);
    emulator.resume().await.expect("the address is free");
    emulator.resume().await.expect("nothing to do");
    assert_eq!(status(&emulator, "GET", SET, Value::Null).await, Some(200));
}

#[tokio::test]
async fn the_date_can_be_wrong() {
    let emulator = emulator().await;
    for hours in [0, 5, -5] {
        emulator.set_clock_offset(SignedDuration::from_hours(hours));
        let answer = send(&emulator, "GET", "/version", Value::Null).await.expect("an answer");
        let date = rfc2822::DateTimeParser::new().parse_zoned(answer.header("date").expect("a date")).expect("a date").timestamp();
        let ahead = date.duration_since(Timestamp::now());
        assert!((ahead - SignedDuration::from_hours(hours)).abs() < SignedDuration::from_secs(5), "{ahead}");
    }
}

#[tokio::test]
async fn the_file_keeps_the_content_and_only_its_owner_can_read_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path: PathBuf = directory.path().join("keys.json");
    let options = EmulatorOptions { file: Some(path.clone()), ..EmulatorOptions::default() };
    let before = {
        let emulator = Emulator::start_with(Store::new(DerivedKeys::default()), options.clone()).await.expect("the emulator starts");
        for kid in ["a", "b"] {
            assert_eq!(status(&emulator, "POST", SET, new_key(kid)).await, Some(201));
        }
        emulator.store().sets().clone()
    };
    assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    let emulator = Emulator::start(options.clone()).await.expect("the emulator starts");
    assert_eq!(*emulator.store().sets(), before);
    // What cannot be written does not count.
    directory.close().expect("the directory is gone");
    assert_eq!(status(&emulator, "DELETE", SET, Value::Null).await, Some(500));
    assert_eq!(*emulator.store().sets(), before);
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused_without_repeating_it() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), r#"{"s":"secret"}"#).expect("written");
    let options = EmulatorOptions { file: Some(file.path().to_owned()), ..EmulatorOptions::default() };
    let error = Emulator::start(options).await.expect_err("no such file");
    assert!(matches!(error, EmulatorError::File { .. }));
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test]
async fn it_does_not_listen_for_others_unless_it_is_told_to() {
    let everywhere = EmulatorOptions { listen: ([0, 0, 0, 0], 0).into(), ..EmulatorOptions::default() };
    assert!(matches!(Emulator::start(everywhere.clone()).await.err(), Some(EmulatorError::NotLoopback(_))));
    assert!(Emulator::start(EmulatorOptions { allow_non_loopback: true, ..everywhere }).await.is_ok());
    let taken = emulator().await;
    let listen = taken.url().trim_start_matches("http://").parse().expect("an address");
    let error = Emulator::start(EmulatorOptions { listen, ..EmulatorOptions::default() }).await.err();
    assert!(matches!(error, Some(EmulatorError::Listen { .. })));
}

#[tokio::test]
async fn it_runs_until_it_is_told_to_stop() {
    tokio::time::timeout(Duration::from_secs(5), run(EmulatorOptions::default(), async {})).await.expect("in time").expect("no error");
}

#[tokio::test]
async fn a_proper_client_can_keep_its_connection() {
    let emulator = emulator().await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    for expected in [201, 409, 409] {
        let answer = client.post(format!("{}{SET}", emulator.url())).body(new_key("a").to_string()).send().await.expect("an answer");
        assert_eq!(answer.status(), expected);
    }
    let head = client.head(format!("{}{SET}", emulator.url())).send().await.expect("an answer");
    assert_eq!((head.status(), head.headers().get("cache-control")), (StatusCode::OK, None));
}

#[test]
fn options_are_read_from_the_command_line() {
    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        options: EmulatorOptions,
    }
    let read =
        |arguments: &[&str]| <Command as clap::Parser>::try_parse_from([&["emulator"], arguments].concat()).map(|command| command.options);
    let default = read(&[]).expect("options");
    assert_eq!((default.listen.to_string().as_str(), default.file, default.allow_non_loopback), ("127.0.0.1:4445", None, false));
    assert_eq!(default.broadcast, ["hydra.openid.id-token"]);
    let given = read(&["--listen", "[::1]:0", "--file", "keys.json", "--broadcast", "a", "--broadcast", "b"]).expect("options");
    assert_eq!(
        (given.listen.to_string().as_str(), given.file, given.broadcast),
        ("[::1]:0", Some("keys.json".into()), vec!["a".to_owned(), "b".to_owned()])
    );
    assert!(read(&["--listen", "localhost"]).is_err());
}
