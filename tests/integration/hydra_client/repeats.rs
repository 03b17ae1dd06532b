//! What is sent again, and what never is.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use jwk_operator::hydra::{ErrorKind, Operation};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::server::{READS, Server, WRITES, answer, call, client, failure, failures, listen, private_key, read_request, rude, seven};

/// A server that fails `failures` times and then answers as it should.
async fn recovering(status: u16, failures: usize) -> Server {
    let count = Arc::new(AtomicUsize::new(0));
    Server::start(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) < failures {
            return answer(status, &[], "");
        }
        answer(200, &[], serde_json::json!({ "keys": [private_key()] }).to_string())
    })
    .await
}

#[tokio::test]
async fn a_read_is_repeated_twice_at_most() {
    let all = [502, 503, 504].into_iter().flat_map(|status| READS.map(|operation| (status, operation)));
    join_all(all.map(|(status, operation)| async move {
        for failures in 0..=2 {
            let server = recovering(status, failures).await;
            call(&client(&server.url), operation).await.expect("an answer");
            assert_eq!(server.received().len(), failures + 1);
        }
        let server = recovering(status, 3).await;
        let error = failure(&client(&server.url), operation).await;
        assert_eq!((error.kind(), error.status()), (&ErrorKind::ServerFailed { retry_after: None }, Some(status)));
        assert_eq!(server.received().len(), 3);
    }))
    .await;
}

#[tokio::test]
async fn a_read_that_got_a_clear_answer_is_not_repeated() {
    for status in [307, 400, 401, 403, 404, 409, 429, 500] {
        for operation in READS {
            let server = recovering(status, 1).await;
            failure(&client(&server.url), operation).await;
            assert_eq!(server.received().len(), 1, "{status}");
        }
    }
}

#[tokio::test]
async fn a_write_is_sent_once() {
    for status in [307, 401, 409, 429, 500, 502, 503, 504] {
        for operation in WRITES {
            let server = recovering(status, 1).await;
            failure(&client(&server.url), operation).await;
            let received = server.received();
            assert_eq!(received.len(), 1, "{operation} {status}");
            assert_ne!(received[0].method, http::Method::GET);
        }
    }
}

/// A server that serves `requests` requests of a connection and drops it when the next one is there. It counts what it read.
async fn dropping(requests: usize) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let url = rude(move |mut stream: TcpStream| {
        let counter = Arc::clone(&counter);
        async move {
            for served in 0.. {
                if read_request(&mut stream).await.is_none() {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                if served == requests {
                    return;
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"version\":\"1\"}";
                if stream.write_all(answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (url, count)
}

#[tokio::test]
async fn a_write_on_a_connection_that_breaks_is_sent_once_and_may_have_taken_effect() {
    for operation in WRITES {
        let (url, count) = dropping(0).await;
        let error = failure(&client(&url), operation).await;
        assert_eq!((error.kind(), error.status()), (&ErrorKind::BrokenOff, None), "{operation}");
        assert!(error.may_have_taken_effect(), "{operation}");
        assert_eq!(count.load(Ordering::SeqCst), 1, "{operation}");
    }
}

#[tokio::test]
async fn a_write_on_a_connection_that_was_used_before_is_sent_once() {
    for operation in WRITES {
        // HTTP libraries like to repeat what failed on a connection from their pool.
        let (url, count) = dropping(1).await;
        let client = client(&url);
        client.version().await.expect("a version");
        let error = failure(&client, operation).await;
        assert!(error.may_have_taken_effect(), "{operation}");
        assert_eq!(count.load(Ordering::SeqCst), 2, "{operation}");
    }
}

#[tokio::test]
async fn a_read_on_a_connection_that_breaks_is_repeated() {
    for operation in READS {
        let (url, count) = dropping(0).await;
        let error = failure(&client(&url), operation).await;
        assert_eq!(error.kind(), &ErrorKind::BrokenOff);
        assert!(!error.may_have_taken_effect());
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_in_the_middle_leaves_a_write_in_doubt() {
    let url = rude(|mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"keys\":[").await;
    })
    .await;
    for operation in [Operation::CreateJsonWebKeySet, Operation::SetJsonWebKeySet, Operation::SetJsonWebKey] {
        let error = failure(&client(&url), operation).await;
        assert_eq!((error.kind(), error.status()), (&ErrorKind::BrokenOff, Some(200)), "{operation}");
        assert!(error.may_have_taken_effect(), "{operation}");
    }
}

#[tokio::test]
async fn without_a_connection_nothing_took_effect() {
    let (listener, url) = listen().await;
    drop(listener);
    for (operation, error) in failures(&client(&url), seven()).await {
        assert_eq!((error.kind(), error.status()), (&ErrorKind::Unreachable, None), "{operation}");
        assert!(!error.may_have_taken_effect() && error.is_transient(), "{operation}");
    }
}

#[cfg(feature = "emulator")]
#[tokio::test]
async fn a_lost_reply_is_told_from_a_request_that_was_refused() {
    use jwk_operator::hydra::emulator::{Effect, Emulator, EmulatorOptions, Fault};

    use super::server::{KID, SET};

    let emulator = Emulator::start(EmulatorOptions::default()).await.expect("the emulator starts");
    let new_client = || client(emulator.url());
    for operation in WRITES {
        let client = new_client();
        emulator.calls().clear();
        emulator.faults().add(Fault::new(Effect::LoseReply).writes());
        let error = failure(&client, operation).await;
        assert_eq!(error.kind(), &ErrorKind::BrokenOff, "{operation}");
        assert!(error.may_have_taken_effect() && error.is_transient(), "{operation}");
        assert_eq!(emulator.calls().writes(), 1, "{operation}");
        let is_there = emulator.store().get_key(SET, KID).is_ok();
        let is_deletion = matches!(operation, Operation::DeleteJsonWebKeySet | Operation::DeleteJsonWebKey);
        assert_eq!(is_there, !is_deletion, "{operation}: it had taken effect");
    }
    let client = new_client();
    // Naming the kid is what makes the doubt harmless: the same request again says what became of the first.
    emulator.faults().add(Fault::new(Effect::LoseReply));
    failure(&client, Operation::CreateJsonWebKeySet).await;
    assert_eq!(failure(&client, Operation::CreateJsonWebKeySet).await.kind(), &ErrorKind::Conflict);
    // A read does not mind.
    emulator.faults().add(Fault::new(Effect::LoseReply).times(2));
    call(&client, Operation::GetJsonWebKey).await.expect("an answer");
}
