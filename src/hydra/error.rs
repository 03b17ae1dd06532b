//! What can go wrong in a call.

use std::{fmt, time::Duration};

use strum::IntoStaticStr;

use super::{
    gate::Held,
    operation::{Call, Operation},
};

/// A call that failed: which operation, on which set and kid, what the server answered.
///
/// `Display` is for the operator's log and holds the server's own words, redacted and cut. [`Error::public_message`] is for anybody: a server's
/// words may repeat credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    operation: Operation,
    set: Option<String>,
    kid: Option<String>,
    status: Option<u16>,
    kind: ErrorKind,
    /// The words of the server or of a library, redacted.
    words: Option<Box<str>>,
    /// What exactly is wrong with an answer, in our words.
    why: Option<Box<str>>,
    /// Whether the admin API itself complained, and not something in front of it.
    is_the_apis_own: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, IntoStaticStr)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection could be made: the request was not sent.
    Unreachable,
    /// The connection broke before the whole answer was there.
    BrokenOff,
    /// There was no whole answer in time.
    TimedOut,
    /// 3xx. Redirects are never followed: they could carry the token elsewhere.
    Redirected,
    /// A 404 that is not the API's own: a wrong path prefix, or a proxy that does not know the path.
    NotTheAdminApi,
    /// 401: the credentials are missing or wrong.
    Unauthorized,
    /// 403: the credentials do not suffice.
    Forbidden,
    /// 409: the kid exists already, or another writer was faster.
    Conflict,
    /// 429: too many requests.
    RateLimited {
        /// How long the server asked to wait.
        retry_after: Option<Duration>,
    },
    /// 400 of a database that could not order two writers.
    ConcurrentUpdate,
    /// Another 4xx: the request cannot succeed as it is.
    Rejected,
    /// 5xx.
    ServerFailed {
        /// How long the server asked to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is longer than the limit.
    TooLarge,
    /// The answer has the right status and cannot be understood, so that nothing may be concluded from it.
    Undecodable,
    /// The answer is about another key than the one that was asked for.
    WrongKey,
    /// The server asked everybody to wait, or did not answer of late: nothing was sent.
    HeldBack {
        /// How long to wait before another try.
        retry_after: Duration,
        /// Whether the server asked for it.
        is_asked_for: bool,
    },
    /// The token endpoint refuses the client credentials: nothing was sent to the admin API.
    TokenRefused,
    /// The token endpoint cannot be reached, fails, or answers what cannot be understood: nothing was sent to the admin API.
    TokenUnavailable,
    /// The id cannot be written as one segment of a URL: nothing was sent.
    InvalidId,
}

impl Error {
    pub(super) fn new(call: &Call<'_>, kind: ErrorKind, status: Option<u16>) -> Self {
        Self {
            operation: call.operation,
            set: call.set.map(str::to_owned),
            kid: call.kid.map(str::to_owned),
            status,
            kind,
            words: None,
            why: None,
            is_the_apis_own: false,
        }
    }

    /// A call that is not sent now.
    pub(super) fn held(call: &Call<'_>, held: Held) -> Self {
        Self::new(call, ErrorKind::HeldBack { retry_after: held.wait, is_asked_for: held.is_asked_for }, None)
    }

    /// Says whether the admin API itself complained.
    pub(super) fn said_by_the_api(mut self, is_the_apis_own: bool) -> Self {
        self.is_the_apis_own = is_the_apis_own;
        self
    }

    /// Adds words of a server or a library; they must be redacted.
    pub(super) fn with_words(mut self, words: String) -> Self {
        self.words = (!words.is_empty()).then(|| words.into_boxed_str());
        self
    }

    /// Adds what exactly is wrong with an answer. Tenants read it: no words of a server, and no value of a key.
    pub(super) fn because(mut self, why: &str) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The operation.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The kid, if the call was about one key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What happened as one bounded word, for metrics and conditions.
    pub fn reason(&self) -> &'static str {
        (&self.kind).into()
    }

    /// Whether a write may have taken effect, or may still: it was sent, and no answer said what became of it.
    pub fn may_have_taken_effect(&self) -> bool {
        let is_unanswered = match self.kind {
            ErrorKind::BrokenOff | ErrorKind::TimedOut | ErrorKind::TooLarge | ErrorKind::Undecodable | ErrorKind::WrongKey => true,
            // A server that fails may have stored first, and a gateway does not know. Only the API itself can say that it is not ready.
            ErrorKind::ServerFailed { .. } => !(self.status == Some(503) && self.is_the_apis_own),
            _ => false,
        };
        is_unanswered && !self.operation.is_read()
    }

    /// Whether the same call may succeed later without anybody changing something.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable
                | ErrorKind::BrokenOff
                | ErrorKind::TimedOut
                | ErrorKind::RateLimited { .. }
                | ErrorKind::ConcurrentUpdate
                | ErrorKind::Conflict
                | ErrorKind::ServerFailed { .. }
                | ErrorKind::HeldBack { .. }
                | ErrorKind::TokenUnavailable
        )
    }

    /// Whether the kid exists already, or another writer was faster.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind, ErrorKind::Conflict | ErrorKind::ConcurrentUpdate)
    }

    /// Whether a write of one key was refused, whatever else is written: the server does not accept the key or its kid.
    pub fn refuses_the_key(&self) -> bool {
        let is_refusal = matches!(self.kind, ErrorKind::Rejected | ErrorKind::InvalidId);
        is_refusal && self.kid.is_some() && !self.operation.is_read()
    }

    /// Whether the answer came from something that is not the admin API.
    pub fn is_not_the_admin_api(&self) -> bool {
        self.kind == ErrorKind::NotTheAdminApi
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::RateLimited { retry_after } | ErrorKind::ServerFailed { retry_after } => retry_after,
            ErrorKind::HeldBack { retry_after, .. } => Some(retry_after),
            _ => None,
        }
    }

    /// How long to wait because the server asked for it, and not because it does not answer.
    pub fn asked_to_wait(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::HeldBack { is_asked_for: false, .. } => None,
            _ => self.retry_after(),
        }
    }

    /// What happened, in our words only.
    pub fn public_message(&self) -> String {
        let mut message = self.operation.as_str().to_owned();
        for (label, id) in [("set", &self.set), ("kid", &self.kid)] {
            if let Some(id) = id {
                message.push_str(&format!(" {label} {}", id.escape_debug()));
            }
        }
        message.push_str(": ");
        message.push_str(match self.kind {
            ErrorKind::Unreachable => "the admin API cannot be reached",
            ErrorKind::BrokenOff => "the connection to the admin API broke",
            ErrorKind::TimedOut => "the admin API did not answer in time",
            ErrorKind::Redirected => "the admin API answered with a redirect, which is not followed: its url or pathPrefix is wrong",
            ErrorKind::NotTheAdminApi => "the answer does not come from the admin API: its url or pathPrefix is wrong",
            ErrorKind::Unauthorized => "the admin API rejected the credentials",
            ErrorKind::Forbidden => "the credentials do not permit this request to the admin API",
            ErrorKind::Conflict => "the kid exists already, or another writer was faster",
            ErrorKind::RateLimited { .. } => "the admin API asked to slow down",
            ErrorKind::ConcurrentUpdate => "another writer was faster",
            ErrorKind::Rejected => "the admin API refused the request",
            ErrorKind::ServerFailed { .. } => "the admin API failed",
            ErrorKind::TooLarge => "the answer of the admin API is too large",
            ErrorKind::Undecodable => "the answer of the admin API cannot be understood",
            ErrorKind::WrongKey => "the admin API answered with another key than the requested one",
            ErrorKind::HeldBack { .. } => "the request was not sent: the admin API asked to wait, or does not answer",
            ErrorKind::TokenRefused => "the token endpoint rejected the client credentials",
            ErrorKind::TokenUnavailable => "the token endpoint returned no token",
            ErrorKind::InvalidId => "the id is not valid in a URL path",
        });
        if let Some(status) = self.status {
            message.push_str(&format!(" (HTTP {status})"));
        }
        if let Some(why) = &self.why {
            message.push_str(&format!(": {why}"));
        }
        message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public_message())?;
        match &self.words {
            Some(words) => write!(f, ": {words}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
