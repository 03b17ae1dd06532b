//! Sending one request and receiving a bounded answer.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use http::header;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::{
    decode,
    error::{Error, ErrorKind},
    operation::Call,
    received::Received,
    redact::redact,
    url,
};

/// How often a read is repeated.
const REPEATS: usize = 2;

/// What is needed to send.
pub(super) struct Transport {
    pub(super) http: reqwest::Client,
    pub(super) base: reqwest::Url,
    pub(super) path_prefix: String,
    pub(super) token: Option<SecretString>,
    pub(super) timeout: Duration,
    pub(super) longest_answer: usize,
}

impl Transport {
    /// Sends a call and waits for the whole answer, repeats of reads included, at most for the timeout.
    pub(super) async fn send(&self, call: &Call<'_>, body: Option<&[u8]>) -> Result<Received, Error> {
        let started = Instant::now();
        let result = match tokio::time::timeout(self.timeout, self.send_repeatedly(call, body)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(call, ErrorKind::TimedOut, None)),
        };
        let status = result.as_ref().map_or_else(Error::status, |received| Some(received.status));
        tracing::debug!(
            operation = call.operation.as_str(),
            set = call.set,
            kid = call.kid,
            status,
            milliseconds = started.elapsed().as_millis(),
            "admin API call"
        );
        result
    }

    async fn send_repeatedly(&self, call: &Call<'_>, body: Option<&[u8]>) -> Result<Received, Error> {
        let mut pauses =
            ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_max_times(REPEATS).with_jitter().build();
        loop {
            let result = self.send_once(call, body).await;
            let is_passing = match &result {
                Ok(received) => matches!(received.status, 502..=504),
                Err(error) => matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::BrokenOff),
            };
            match pauses.next() {
                Some(pause) if is_passing && call.operation.is_read() => tokio::time::sleep(pause).await,
                _ => return result,
            }
        }
    }

    async fn send_once(&self, call: &Call<'_>, body: Option<&[u8]>) -> Result<Received, Error> {
        let mut request = self
            .http
            .request(call.operation.method(), url::of(&self.base, &self.path_prefix, call)?)
            .header(header::ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        let mut response = request.send().await.map_err(|error| failed_to_send(call, &error))?;
        let status = response.status().as_u16();
        let mut received = Received {
            status,
            date: decode::date(response.headers()),
            headers: response.headers().clone(),
            body: Zeroizing::new(Vec::new()),
            token: self.token.clone(),
        };
        // Reserved at once, so that growing does not leave copies of private keys behind.
        received.body.reserve_exact(
            response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX)).min(self.longest_answer),
        );
        while let Some(chunk) = response.chunk().await.map_err(|error| broken_off(call, status, &error))? {
            if received.body.len() + chunk.len() > self.longest_answer {
                return Err(Error::new(call, ErrorKind::TooLarge, Some(status)));
            }
            received.body.extend_from_slice(&chunk);
        }
        Ok(received)
    }
}

fn failed_to_send(call: &Call<'_>, error: &reqwest::Error) -> Error {
    let kind = if error.is_connect() {
        ErrorKind::Unreachable
    } else if error.is_timeout() {
        ErrorKind::TimedOut
    } else {
        ErrorKind::BrokenOff
    };
    Error::new(call, kind, None).with_words(causes(error))
}

fn broken_off(call: &Call<'_>, status: u16, error: &reqwest::Error) -> Error {
    let kind = if error.is_timeout() { ErrorKind::TimedOut } else { ErrorKind::BrokenOff };
    Error::new(call, kind, Some(status)).with_words(causes(error))
}

/// What the libraries say, innermost last: "tcp connect error: Connection refused", "invalid peer certificate: UnknownIssuer".
fn causes(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.dedup();
    redact(&words.join(": "))
}
