//! Servers that send too much, too slowly, or no HTTP.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use jwk_operator::hydra::{Client, ErrorKind};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::server::{READS, Server, WRITES, config, failure, failures, read_request, rude, seven};

/// A client that is soon fed up.
fn impatient(url: &str) -> Client {
    config(url).longest_answer(10_000).timeout(Duration::from_millis(300)).build().expect("a client")
}

/// A client that takes little and has time.
fn small(url: &str) -> Client {
    config(url).longest_answer(10_000).timeout(Duration::from_secs(20)).build().expect("a client")
}

/// A server that reads one request, writes `head`, and then `piece` for ever.
async fn endless(head: &'static str, piece: impl Into<Vec<u8>>, pause: Duration) -> String {
    let piece = piece.into();
    rude(move |mut stream: TcpStream| {
        let piece = piece.clone();
        async move {
            read_request(&mut stream).await;
            let mut result = stream.write_all(head.as_bytes()).await;
            while result.is_ok() {
                tokio::time::sleep(pause).await;
                result = stream.write_all(&piece).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn an_endless_body_is_too_large() {
    for head in
        ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n"]
    {
        let url = endless(head, [b' '; 4096], Duration::ZERO).await;
        for operation in seven() {
            let error = failure(&small(&url), operation).await;
            assert_eq!(error.kind(), &ErrorKind::TooLarge, "{operation}");
            assert!(error.status().is_some());
            assert_eq!(error.may_have_taken_effect(), !operation.is_read(), "{operation}");
        }
    }
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    let url = endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk, Duration::ZERO).await;
    for operation in seven() {
        assert_eq!(failure(&small(&url), operation).await.kind(), &ErrorKind::TooLarge, "{operation}");
    }
}

#[tokio::test]
async fn an_answer_may_be_as_long_as_the_limit() {
    for (excess, kind) in [(0, ErrorKind::Undecodable), (1, ErrorKind::TooLarge)] {
        let server = Server::always(200, &[], " ".repeat(10_000 + excess)).await;
        for operation in READS {
            assert_eq!(failure(&small(&server.url), operation).await.kind(), &kind, "{operation}");
        }
    }
}

#[tokio::test]
async fn endless_headers_do_not_fill_the_memory() {
    let url = endless("HTTP/1.1 200 OK\r\n", format!("x-header: {}\r\n", "a".repeat(4096)), Duration::ZERO).await;
    for operation in WRITES {
        let error = failure(&small(&url), operation).await;
        assert_eq!(error.kind(), &ErrorKind::BrokenOff, "{operation}");
        assert!(error.may_have_taken_effect(), "{operation}");
    }
}

/// All calls end in time, for a write with the effect in doubt.
async fn ends_in_time(url: &str) {
    let started = Instant::now();
    let errors = failures(&impatient(url), seven()).await;
    let elapsed = started.elapsed();
    assert!((Duration::from_millis(250)..Duration::from_secs(2)).contains(&elapsed), "{elapsed:?}");
    for (operation, error) in errors {
        assert_eq!(error.kind(), &ErrorKind::TimedOut, "{operation}");
        assert_eq!(error.may_have_taken_effect(), !operation.is_read(), "{operation}");
        assert!(error.is_transient(), "{operation}");
    }
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_hold_a_call_up() {
    ends_in_time(&endless("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", *b" ", Duration::from_millis(50)).await).await;
}

#[tokio::test]
async fn a_header_now_and_then_does_not_hold_a_call_up() {
    ends_in_time(&endless("HTTP/1.1 200 OK\r\n", *b"x: y\r\n", Duration::from_millis(50)).await).await;
}

#[tokio::test]
async fn interim_answers_do_not_hold_a_call_up() {
    ends_in_time(&endless("", *b"HTTP/1.1 103 Early Hints\r\n\r\n", Duration::from_millis(50)).await).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_does_not_hold_a_call_up() {
    let url = rude(|stream: TcpStream| async move {
        let _open = stream;
        pending().await
    })
    .await;
    ends_in_time(&url).await;
}

#[tokio::test]
async fn repeats_count_against_the_timeout() {
    let url = rude(|mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    })
    .await;
    let started = Instant::now();
    for operation in READS {
        assert_eq!(failure(&impatient(&url), operation).await.kind(), &ErrorKind::TimedOut, "{operation}");
    }
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn what_is_no_http_is_a_broken_connection() {
    for words in ["220 mail.example ESMTP\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", "\u{0}\u{0}\u{0}"] {
        let url = rude(move |mut stream: TcpStream| async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(words.as_bytes()).await;
        })
        .await;
        for (operation, error) in failures(&small(&url), seven()).await {
            assert_eq!(error.kind(), &ErrorKind::BrokenOff, "{operation} {words:?}");
            assert_eq!(error.may_have_taken_effect(), !operation.is_read(), "{operation}");
        }
    }
}
