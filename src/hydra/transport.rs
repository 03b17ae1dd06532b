//! Sending one request and receiving a bounded answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use http::header;
use tracing::{Instrument as _, Span, field};
use zeroize::Zeroizing;

use super::{
    authentication::Authorization,
    credentials::Credentials,
    error::{Error, ErrorKind},
    gate::{Gate, Reservation, Turn},
    observer::Observer,
    operation::{Call, Operation},
    received::Received,
    redact::redact,
    url, waits,
};

use crate::trace_context;

/// How often a read is repeated.
const REPEATS: usize = 2;

/// What is needed to send.
pub(super) struct Transport {
    pub(super) http: reqwest::Client,
    pub(super) base: reqwest::Url,
    pub(super) path_prefix: String,
    pub(super) authorization: Authorization,
    pub(super) forwarded_proto: Option<&'static str>,
    pub(super) gate: Gate,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) timeout: Duration,
    pub(super) generation_timeout: Duration,
    pub(super) longest_answer: usize,
}

impl Transport {
    /// Waits for a turn, sends a call and waits for the whole answer, repeats of reads included, at most for the timeout. The whole is one
    /// span.
    pub(super) async fn send(&self, call: &Call<'_>, body: Option<&[u8]>, reserved: Option<&Reservation>) -> Result<Received, Error> {
        let operation = call.operation.as_str();
        // Of the level `error`, so that no log level takes its fields from the lines that are written.
        let span = tracing::error_span!(
            "admin_api_call",
            otel.name = operation,
            otel.kind = "client",
            operation,
            set = call.set,
            kid = call.kid,
            status = field::Empty
        );
        self.send_observed(call, body, reserved).instrument(span).await
    }

    async fn send_observed(&self, call: &Call<'_>, body: Option<&[u8]>, reserved: Option<&Reservation>) -> Result<Received, Error> {
        let started = Instant::now();
        let admitted = self.gate.admit(call.operation, reserved).await;
        let waited = started.elapsed();
        let result = match admitted {
            // A turn that is dropped with the call tells that there was no answer.
            Ok(turn) => match tokio::time::timeout(self.timeout_of(call.operation), self.send_repeatedly(call, body, turn, reserved)).await
            {
                Ok(result) => result,
                Err(_) => Err(Error::new(call, ErrorKind::TimedOut, None)),
            },
            Err(held) => Err(Error::held(call, held)),
        };
        let status = result.as_ref().map_or_else(Error::status, |received| Some(received.status));
        if let Some(observer) = &self.observer {
            observer.called(call.operation, status, started.elapsed(), waited);
        }
        Span::current().record("status", status);
        tracing::debug!(milliseconds = started.elapsed().as_millis(), "admin API call");
        result
    }

    fn timeout_of(&self, operation: Operation) -> Duration {
        if operation.generates_key() { self.generation_timeout } else { self.timeout }
    }

    async fn send_repeatedly<'gate>(
        &'gate self,
        call: &Call<'_>,
        body: Option<&[u8]>,
        first: Turn<'gate>,
        reserved: Option<&Reservation>,
    ) -> Result<Received, Error> {
        let mut pauses =
            ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_max_times(REPEATS).with_jitter().build();
        let mut turn = first;
        loop {
            let result = self.send_authorized(call, body).await;
            let is_passing = is_passing(&result);
            self.note(turn, &result);
            match pauses.next() {
                Some(pause) if is_passing && call.operation.is_read() => tokio::time::sleep(pause).await,
                _ => return result,
            }
            turn = match self.gate.admit(call.operation, reserved).await {
                Ok(turn) => turn,
                Err(_) => return result,
            };
        }
    }

    /// Tells the gate how a request went.
    fn note(&self, turn: Turn<'_>, result: &Result<Received, Error>) {
        if let Some(wait) = result.as_ref().ok().and_then(waits::pause) {
            self.gate.pause(wait);
        }
        // What never reached the admin API says nothing of it, and a 500 may be the fault of one request.
        let is_unsent =
            |error: &Error| matches!(error.kind(), ErrorKind::InvalidId | ErrorKind::TokenRefused | ErrorKind::TokenUnavailable);
        match result {
            Err(error) if is_unsent(error) => turn.tell_nothing(),
            _ => turn.tell(!is_passing(result) && !matches!(result, Err(error) if error.kind() == &ErrorKind::TimedOut)),
        }
    }

    /// Sends once more if the credentials were refused and others can be had: the server did not act on the first request.
    async fn send_authorized(&self, call: &Call<'_>, body: Option<&[u8]>) -> Result<Received, Error> {
        let credentials = self.authorization.credentials(call).await?;
        let received = self.send_once(call, body, &credentials).await?;
        if received.status != 401 || !self.authorization.were_refused(&credentials).await {
            return Ok(received);
        }
        let renewed = self.authorization.credentials(call).await?;
        self.send_once(call, body, &renewed).await
    }

    async fn send_once(&self, call: &Call<'_>, body: Option<&[u8]>, credentials: &Credentials) -> Result<Received, Error> {
        let mut request = self
            .http
            .request(call.operation.method(), url::of(&self.base, &self.path_prefix, call)?)
            .header(header::ACCEPT, "application/json");
        if let Some((name, value)) = &credentials.header {
            request = request.header(name, value);
        }
        if let Some(scheme) = self.forwarded_proto {
            request = request.header("x-forwarded-proto", scheme);
        }
        if let Some(traceparent) = trace_context::traceparent(&Span::current()) {
            request = request.header("traceparent", traceparent);
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        let mut response = request.send().await.map_err(|error| failed_to_send(call, &error))?;
        let status = response.status().as_u16();
        let mut received = Received {
            status,
            date: waits::date(response.headers()),
            headers: response.headers().clone(),
            body: Zeroizing::new(Vec::new()),
            secrets: credentials.secrets.clone(),
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

/// Whether the same request may get an answer soon: nobody answered, or somebody in front of the server.
fn is_passing(result: &Result<Received, Error>) -> bool {
    match result {
        Ok(received) => matches!(received.status, 502..=504),
        Err(error) => matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::BrokenOff),
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
