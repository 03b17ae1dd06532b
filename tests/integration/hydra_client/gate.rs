//! What all calls of one client share: counted at the server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use jwk_operator::hydra::{BreakerState, CallLimits, Client, Config, ErrorKind, Operation};
use tokio::io::AsyncWriteExt as _;

use super::server::{Server, answer, failure, read_request, rude};

const EMPTY: &str = r#"{"keys":[]}"#;

fn client(url: &str, limits: CallLimits) -> Client {
    Config::new(url).expect("a URL").timeout(Duration::from_secs(10)).limits(limits).build().expect("a client")
}

fn generous() -> CallLimits {
    CallLimits { requests_per_second: None, burst: 10_000, concurrency: 64 }
}

#[tokio::test]
async fn no_more_requests_are_sent_than_the_rate_allows() {
    let server = Server::always(200, &[], EMPTY).await;
    let client = client(&server.url, CallLimits { requests_per_second: Some(10), burst: 5, concurrency: 64 });
    let started = Instant::now();
    for result in join_all((0..20).map(|_| client.get_json_web_key_set("a"))).await {
        result.expect("an answer");
    }
    // Five at once, fifteen more at ten in a second.
    assert!(started.elapsed() >= Duration::from_millis(1400), "{:?}", started.elapsed());
    assert_eq!(server.received().len(), 20);
}

#[tokio::test]
async fn a_place_that_was_taken_ahead_is_enough_to_look_and_to_write() {
    let server = Server::always(200, &[], EMPTY).await;
    let client = client(&server.url, CallLimits { concurrency: 1, requests_per_second: Some(100), burst: 1 });
    let reserved = client.reserve(Operation::DeleteJsonWebKey).await.expect("a place");
    for _ in 0..3 {
        reserved.get_json_web_key_set("a").await.expect("it waits for no other place");
    }
    // What is answered to it is no deletion; that it was sent is what counts.
    reserved.delete_json_web_key("a", "b").await.expect_err("200");
    assert_eq!(server.received().len(), 4);
    let mut waiting = std::pin::pin!(client.get_json_web_key_set("a"));
    assert!(futures::poll!(waiting.as_mut()).is_pending(), "everybody else waits for it");
    drop(reserved);
    waiting.await.expect("an answer");
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, highest) = (now.clone(), most.clone());
    let url = rude(move |mut stream| {
        let (now, most) = (counted.clone(), highest.clone());
        async move {
            while read_request(&mut stream).await.is_some() {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{EMPTY}", EMPTY.len());
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let client = client(&url, CallLimits { concurrency: 3, ..generous() });
    for result in join_all((0..30).map(|_| client.get_json_web_key_set("a"))).await {
        result.expect("an answer");
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn one_sets_answer_makes_all_wait() {
    for (status, headers) in [
        (429, vec![("retry-after", "600")]),
        (503, vec![("retry-after", "600")]),
        (429, vec![("x-ratelimit-reset", "600")]),
        (200, vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "600")]),
    ] {
        let server = {
            let headers = headers.clone();
            Server::start(move |_| answer(status, &headers, EMPTY)).await
        };
        let client = client(&server.url, generous());
        let other = client.clone();
        let _ = client.get_json_web_key_set("a").await;
        let sent = server.received().len();
        let error = failure(&other, Operation::SetJsonWebKey).await;
        assert!(matches!(error.kind(), ErrorKind::HeldBack { .. }), "{status} {headers:?}: {error}");
        assert!(!error.may_have_taken_effect() && error.is_transient());
        let rest = error.retry_after().expect("a time");
        assert!(rest > Duration::from_secs(590) && rest <= Duration::from_secs(600), "{rest:?}");
        assert_eq!(server.received().len(), sent, "nothing is sent meanwhile");
        assert!(other.reserve(Operation::SetJsonWebKey).await.is_err());
        // Whether the server is there may be asked at any time.
        let _ = client.version().await;
        assert!(server.received().len() > sent);
    }
}

#[tokio::test]
async fn a_short_pause_is_waited_for_and_a_hostile_one_is_cut() {
    let first = Arc::new(AtomicBool::new(true));
    let server = Server::start(move |_| match first.swap(false, Ordering::SeqCst) {
        true => answer(429, &[("retry-after", "1")], ""),
        false => answer(200, &[], EMPTY),
    })
    .await;
    let client_of = |url: &str| client(url, generous());
    let client = client_of(&server.url);
    assert!(client.get_json_web_key_set("a").await.is_err());
    let started = Instant::now();
    client.get_json_web_key_set("a").await.expect("an answer");
    assert!(started.elapsed() >= Duration::from_millis(900));

    let server = Server::always(429, &[("retry-after", "999999999")], "").await;
    let client = client_of(&server.url);
    assert!(client.get_json_web_key_set("a").await.is_err());
    let rest = failure(&client, Operation::GetJsonWebKeySet).await.retry_after().expect("a time");
    assert!(rest <= Duration::from_secs(15 * 60), "{rest:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_alone_until_it_does() {
    let is_up = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let (up, counted) = (is_up.clone(), count.clone());
    let server = Server::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        if up.load(Ordering::SeqCst) { answer(200, &[], r#"{"version":"1"}"#) } else { answer(502, &[], "") }
    })
    .await;
    let client = client(&server.url, generous());
    while client.breaker_state() == BreakerState::Closed {
        assert!(client.delete_json_web_key("a", "b").await.is_err());
        assert!(count.load(Ordering::SeqCst) <= 5, "it goes on asking");
    }
    let sent = count.load(Ordering::SeqCst);
    for error in join_all((0..20).map(|_| failure(&client, Operation::DeleteJsonWebKey))).await {
        assert!(matches!(error.kind(), ErrorKind::HeldBack { .. }) && !error.may_have_taken_effect(), "{error}");
    }
    assert_eq!(count.load(Ordering::SeqCst), sent);

    // Many come when the pause is over, and one goes.
    let deadline = Instant::now() + Duration::from_secs(15);
    while client.breaker_state() == BreakerState::Open {
        assert!(Instant::now() < deadline, "it stays shut");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    join_all((0..20).map(|_| failure(&client, Operation::DeleteJsonWebKey))).await;
    assert_eq!(count.load(Ordering::SeqCst), sent + 1);

    is_up.store(true, Ordering::SeqCst);
    assert_eq!(client.breaker_state(), BreakerState::Open);
    client.version().await.expect("the probe goes at any time");
    assert_eq!(client.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_probe_that_is_given_up_does_not_keep_the_others_out() {
    let hangs = Arc::new(AtomicBool::new(false));
    let hanging = hangs.clone();
    let url = rude(move |mut stream| {
        let hangs = hanging.clone();
        async move {
            read_request(&mut stream).await;
            if hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        }
    })
    .await;
    let client = client(&url, generous());
    while client.breaker_state() == BreakerState::Closed {
        assert!(client.delete_json_web_key("a", "b").await.is_err());
    }
    hangs.store(true, Ordering::SeqCst);
    let deadline = Instant::now() + Duration::from_secs(15);
    while client.breaker_state() == BreakerState::Open {
        assert!(Instant::now() < deadline, "it stays shut");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let probe = tokio::time::timeout(Duration::from_millis(300), client.delete_json_web_key("a", "b")).await;
    assert!(probe.is_err(), "the server hangs");
    assert_eq!(client.breaker_state(), BreakerState::Open, "it counts as a failure");
}

#[tokio::test]
async fn a_reserved_write_waits_for_nothing() {
    let server = Server::start(|request| match request.method.as_str() {
        "DELETE" => answer(204, &[], ""),
        _ => answer(200, &[], EMPTY),
    })
    .await;
    let client = client(&server.url, CallLimits { requests_per_second: Some(1), burst: 2, concurrency: 1 });
    let reserved = client.reserve(Operation::DeleteJsonWebKey).await.expect("a turn");
    // The only place is taken: its holder reads, nobody else does.
    reserved.get_json_web_key_set("a").await.expect("an answer");
    let started = Instant::now();
    reserved.delete_json_web_key("a", "b").await.expect("an answer");
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    let waiting = tokio::time::timeout(Duration::from_millis(200), client.get_json_web_key_set("a")).await;
    assert!(waiting.is_err(), "another one takes the place");
    drop(reserved);
    client.get_json_web_key_set("a").await.expect("an answer");
}
