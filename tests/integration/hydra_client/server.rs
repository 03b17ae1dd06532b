//! Small servers on the loopback interface, and all calls of the client at once.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body, extract::Request};
use futures::future::join_all;
use http::{HeaderMap, Method, Response, StatusCode};
use jwk_operator::{
    hydra::{Client, Config, CreateJsonWebKeySet, Error, Operation},
    jwk::{Jwk, JwkSet},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The credentials of all clients here.
pub(super) const TOKEN: &str = "ory_pat_0123456789abcdefghijABCDEFGHIJ";
/// The private member of the key of RFC 7515 appendix A.3.
pub(super) const PRIVATE_MEMBER: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
/// The set that all calls are about.
pub(super) const SET: &str = "the-set";
/// The kid that all calls are about.
pub(super) const KID: &str = "the-kid";

/// Headers of an answer: names and values.
pub(super) type Headers = &'static [(&'static str, &'static str)];

/// A request that a server got.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A server that speaks proper HTTP and says what it likes.
pub(super) struct Server {
    pub(super) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(respond: impl Fn(&Received) -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let handler = move |request: Request| async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
            let received = Received {
                method: head.method,
                path: head.uri.to_string(),
                headers: head.headers,
                body: String::from_utf8(body.to_vec()).expect("text"),
            };
            log.lock().expect("the log").push(received.clone());
            respond(&received)
        };
        let (listener, url) = listen().await;
        let task = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.expect("a server") });
        Self { url, received, task }
    }

    /// A server that gives everybody the same answer.
    pub(super) async fn always(status: u16, headers: Headers, body: impl Into<String>) -> Self {
        let body = body.into();
        Self::start(move |_| answer(status, headers, body.clone())).await
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("the log").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response.headers_mut().append(http::HeaderName::try_from(*name).expect("a name"), value.parse().expect("a value"));
    }
    response
}

/// A server that does with its connections what `serve` does. It ends with the test's runtime.
pub(super) async fn rude<F>(serve: impl Fn(TcpStream) -> F + Clone + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url
}

pub(super) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

/// Reads one request, body included, and returns its first line; `None` if the connection ends before.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |text| text.trim().parse().expect("a length"));
            if bytes.len() >= end + 4 + length {
                return head.lines().next().map(str::to_owned);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
        }
    }
}

pub(super) fn config(url: &str) -> Config {
    Config::new(url).expect("a URL").bearer_token(SecretString::from(TOKEN))
}

pub(super) fn client(url: &str) -> Client {
    config(url).build().expect("a client")
}

/// RFC 7515 appendix A.3.
pub(super) fn private_key() -> Value {
    json!({
        "kty": "EC", "kid": KID, "use": "sig", "alg": "ES256", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": PRIVATE_MEMBER
    })
}

pub(super) fn key(value: Value) -> Jwk {
    serde_json::from_value(value).expect("a key")
}

pub(super) fn create_request() -> CreateJsonWebKeySet {
    CreateJsonWebKeySet { alg: "ES256".to_owned(), kid: KID.to_owned(), key_use: "sig".to_owned() }
}

/// The operations that read keys.
pub(super) const READS: [Operation; 2] = [Operation::GetJsonWebKeySet, Operation::GetJsonWebKey];
/// The operations that change something.
pub(super) const WRITES: [Operation; 5] = [
    Operation::CreateJsonWebKeySet,
    Operation::SetJsonWebKeySet,
    Operation::DeleteJsonWebKeySet,
    Operation::SetJsonWebKey,
    Operation::DeleteJsonWebKey,
];

/// The seven operations on keys.
pub(super) fn seven() -> impl Iterator<Item = Operation> {
    READS.into_iter().chain(WRITES)
}

/// Calls an operation. A success is told by its `Debug` output.
pub(super) async fn call(client: &Client, operation: Operation) -> Result<String, Error> {
    fn told<T: std::fmt::Debug>(answer: T) -> String {
        format!("{answer:?}")
    }
    match operation {
        Operation::CreateJsonWebKeySet => client.create_json_web_key_set(SET, &create_request()).await.map(told),
        Operation::GetJsonWebKeySet => client.get_json_web_key_set(SET).await.map(told),
        Operation::SetJsonWebKeySet => client.set_json_web_key_set(SET, &JwkSet { keys: vec![key(private_key())] }).await.map(told),
        Operation::DeleteJsonWebKeySet => client.delete_json_web_key_set(SET).await.map(told),
        Operation::GetJsonWebKey => client.get_json_web_key(SET, KID).await.map(told),
        Operation::SetJsonWebKey => client.set_json_web_key(SET, KID, &key(private_key())).await.map(told),
        Operation::DeleteJsonWebKey => client.delete_json_web_key(SET, KID).await.map(told),
        Operation::GetReadiness => client.ready().await.map(told),
        Operation::GetVersion => client.version().await.map(told),
    }
}

/// The errors of operations that must fail, all at once: some take their time.
pub(super) async fn failures(client: &Client, operations: impl IntoIterator<Item = Operation>) -> Vec<(Operation, Error)> {
    join_all(operations.into_iter().map(|operation| async move { (operation, failure(client, operation).await) })).await
}

/// The error of an operation that must fail.
pub(super) async fn failure(client: &Client, operation: Operation) -> Error {
    match call(client, operation).await {
        Ok(answer) => panic!("{operation} succeeded: {answer}"),
        Err(error) => error,
    }
}
