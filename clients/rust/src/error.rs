//! The errors. An outage is always [`Unavailable`], never "not logged in".

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

/// Doorward or its store could not be asked, or did not answer in time.
///
/// Nothing is known about the token. Answer with 503 and `Retry-After`, and keep the client's cookie; as an axum response,
/// this type does. After a call that changes something, it is unknown whether the change was made.
#[derive(Clone, Debug)]
pub struct Unavailable {
    reason: Arc<str>,
    retry_after: Duration,
}

impl Unavailable {
    /// Makes the error of a [`Checker`](crate::Checker) that could not ask. `reason` must not contain the token.
    pub fn new(reason: impl Into<Arc<str>>) -> Self {
        Self { reason: reason.into(), retry_after: Duration::from_secs(1) }
    }

    /// Changes the time after which to try again.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Returns the time after which to try again, for `Retry-After`.
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "doorward unavailable: {}", self.reason)
    }
}

impl std::error::Error for Unavailable {}

/// A refusal of a call of the admin plane (RFC 9457). The call changed nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// 404: the token, takeover or device key does not exist, or has expired. 409: the state forbids the call. 422:
    /// [`errors`](Self::errors) lists the mistakes. 401 and 403: the API key is refused, or lacks the scope; 401 of a device
    /// login has the kind `login-refused`.
    pub status: StatusCode,
    /// The stable name of the problem, such as `token-revoked`: the last part of its `type`.
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The case in words.
    pub detail: String,
    /// The mistakes in the fields.
    pub errors: Vec<FieldError>,
    /// The id of the request in Doorward's logs.
    pub request_id: Option<String>,
    /// Of an `idempotency-replay`: the token that the first call made.
    pub token_id: Option<String>,
}

/// A mistake in one field of a call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct FieldError {
    /// The field, as a JSON pointer in a URI fragment: `#/user`.
    pub pointer: String,
    /// The mistake.
    pub detail: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProblemBody {
    r#type: String,
    title: String,
    detail: String,
    errors: Vec<FieldError>,
    request_id: Option<String>,
    token: Option<String>,
}

impl Problem {
    /// Reads a problem document. Any other body gives a problem without a kind.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Self {
        let body: ProblemBody = serde_json::from_slice(body).unwrap_or_default();
        let kind = body.r#type.rsplit(':').next().unwrap_or_default().to_owned();
        let ProblemBody { title, detail, errors, request_id, token: token_id, .. } = body;
        Self { status, kind, title, detail, errors, request_id, token_id }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(formatter, "{} {}: {detail}", self.status.as_u16(), self.kind)?;
        self.errors.iter().try_for_each(|error| write!(formatter, "; {} {}", error.pointer, error.detail))
    }
}

impl std::error::Error for Problem {}

/// Why a call of the admin plane has no answer.
#[derive(Clone, Debug)]
pub enum CallError {
    /// Doorward or its store could not be asked. It is unknown whether the change was made.
    Unavailable(Unavailable),
    /// Doorward refused the call, which changed nothing.
    Refused(Box<Problem>),
}

impl CallError {
    /// Returns the refusal's status, or `None` in an outage.
    pub fn status(&self) -> Option<StatusCode> {
        self.problem().map(|problem| problem.status)
    }

    /// Returns the refusal if the call was done before, and the answer with its secret was lost.
    pub(crate) fn replay(&self) -> Option<&Problem> {
        self.problem().filter(|problem| problem.kind == "idempotency-replay")
    }

    /// Returns the refusal, or `None` in an outage.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Unavailable(_) => None,
            Self::Refused(problem) => Some(problem),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) => error.fmt(formatter),
            Self::Refused(problem) => problem.fmt(formatter),
        }
    }
}

impl std::error::Error for CallError {}

impl From<Unavailable> for CallError {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}
