//! How long a server asks others to wait, and how much of that is believed.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;

use super::received::Received;

/// The longest that a server can make anybody wait: a mistake of its own, or of something in front of it, must not silence a set for a month.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How long whoever asked has to wait, if the server says so: by `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3), else by
/// `x-ratelimit-reset`. At most [`LONGEST_WAIT`].
pub(super) fn retry_after(received: &Received) -> Option<Duration> {
    asked(&received.headers, received.date).map(|wait| wait.min(LONGEST_WAIT))
}

/// How long everybody has to wait, if the server says so: with a refusal, or ahead, when nothing is left of what may be asked. At most
/// [`LONGEST_WAIT`].
pub(super) fn pause(received: &Received) -> Option<Duration> {
    let is_refusal = matches!(received.status, 429 | 503);
    let is_used_up = received.headers.get("x-ratelimit-remaining").is_some_and(|rest| rest.as_bytes() == b"0");
    if is_refusal {
        return retry_after(received);
    }
    is_used_up.then(|| reset(&received.headers, received.date)).flatten().map(|wait| wait.min(LONGEST_WAIT))
}

fn asked(headers: &HeaderMap, date: Option<Timestamp>) -> Option<Duration> {
    if let Some(value) = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::trim) {
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        // Counted from the server's own time, so that a wrong clock here does not matter.
        return Duration::try_from(parse_date(value)?.duration_since(date?)).ok();
    }
    reset(headers, date)
}

/// `x-ratelimit-reset`: seconds, as Ory Network sends it; what is larger than any wait is a Unix time.
fn reset(headers: &HeaderMap, date: Option<Timestamp>) -> Option<Duration> {
    let seconds: i64 = headers.get("x-ratelimit-reset")?.to_str().ok()?.trim().parse().ok()?;
    let seconds = if seconds > 1_000_000_000 { seconds - date?.as_second() } else { seconds };
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// The `Date` header (RFC 9110 section 5.6.7).
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    parse_date(headers.get(header::DATE)?.to_str().ok()?)
}

fn parse_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|moment| moment.timestamp())
}
