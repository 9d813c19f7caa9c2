//! `/auth`, `/auth-optional` and `/check/<name>`: may this request pass? The decision, with the span of its request.
//!
//! All bodies are empty and request bodies stay unread. So a proxy keeps its connection, and one that announces a body
//! without sending it does not block the answer.

use hyper::{Response, StatusCode};

use super::access_log::LoggedRequest;
use super::identity_headers::IdentityHeaders;
use crate::request::headers::RequestHeaders;
use crate::request::origin::RequestOrigin;
use crate::request_check::admission::Admission;
use crate::request_check::decision::{self as check, Decision};
use crate::request_check::settings::ValidationSettings;
use crate::server::request::span::RequestSpan;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, unavailable};
use crate::validation::Validator;

/// An auth subrequest, decided or waiting for the store.
pub enum AuthProgress<R> {
    /// The answer made of the decision.
    Decided(R),
    /// Waits for [`decide_after_read`].
    MustRead(UndecidedAuth),
}

/// An auth subrequest that waits for the store.
pub struct UndecidedAuth {
    request: Box<check::Undecided>,
    span: Option<Box<RequestSpan>>,
    /// The request as the access log shows it, if the log is on.
    pub(super) logged: Option<Box<LoggedRequest>>,
}

/// Decides on an auth subrequest if that is possible without waiting. `answer` turns the decision into the answer while
/// the record is at hand. `span` is the span of a sampled request.
pub fn decide<R>(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, impl RequestHeaders + ?Sized>,
    admission: Admission,
    mut span: Option<Box<RequestSpan>>,
    answer: impl FnOnce(Decision<'_>) -> R,
) -> AuthProgress<R> {
    let answer = |decision: Decision<'_>| {
        if let Some(span) = &mut span {
            span.decided(decision.result(), decision.status(), false);
        }
        answer(decision)
    };
    match check::decide(validator, settings, origin, admission, answer) {
        check::Progress::Decided(answer) => AuthProgress::Decided(answer),
        check::Progress::MustRead(request) => {
            AuthProgress::MustRead(UndecidedAuth { request, span, logged: None })
        }
    }
}

/// Reads the token from the store, then decides.
pub async fn decide_after_read<R>(
    validator: &Validator,
    undecided: UndecidedAuth,
    answer: impl FnOnce(Decision<'_>) -> R,
) -> R {
    let UndecidedAuth { request, span, .. } = undecided;
    let Some(mut span) = span else { return check::decide_after_read(validator, request, answer).await };
    // Boxed, so that the state of other requests is no larger for it.
    let mut outcome = None;
    let read = check::decide_after_read(validator, request, |decision| {
        outcome = Some((decision.result(), decision.status()));
        answer(decision)
    });
    let answer = Box::pin(span.within(read)).await;
    if let Some((result, status)) = outcome {
        span.decided(result, status, true);
    }
    answer
}

impl Decision<'_> {
    /// Builds the response for hyper. The fast path writes the same as bytes: `fast_path::response`.
    pub fn response(&self) -> Response<Body> {
        let allowed = |identity: IdentityHeaders<'_>| {
            let mut response = empty(StatusCode::OK);
            identity.insert_into(response.headers_mut());
            response
        };
        match self {
            Self::Allowed(record, now_ms, via) => allowed(IdentityHeaders::of(record, *now_ms, *via)),
            Self::Anonymous => allowed(IdentityHeaders::anonymous()),
            Self::Refused(refusal) => refusal.response(),
            Self::Forbidden(reason, _) => reason.response(),
            Self::Unavailable => unavailable(),
        }
    }
}
