//! `/auth`, `/auth-optional` and `/check/<name>`: may this request pass? The hot path.
//!
//! A request without a token, with a forged one or with a cached one is decided without a future. Only a token that must
//! be read from the store waits. All bodies are empty and request bodies stay unread. So a proxy keeps its connection,
//! and one that announces a body without sending it does not block the answer.

use hyper::{Response, StatusCode};

use super::admission::{Admission, Demand};
use super::cross_site::is_forged;
use super::identity_headers::IdentityHeaders;
use super::logged_request::LoggedRequest;
use super::refusal::{ForbiddenReason, Refusal};
use super::settings::ValidationSettings;
use crate::logging::audit::AuditedRequest;
use crate::model::token::{TokenRecord, Transport};
use crate::server::request::credentials::{Credentials, TokenString, extract};
use crate::server::request::headers::RequestHeaders;
use crate::server::request::origin::RequestOrigin;
use crate::server::request::span::RequestSpan;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, unavailable};
use crate::store::StoreError;
use crate::validation::{Access, Judged, Judgement, LookUp, Validator};

/// The decision on an auth subrequest.
#[derive(Clone, Copy)]
pub enum Decision<'a> {
    /// 200: passes with this token, at this time in milliseconds since the Unix epoch, which the request carried there.
    Allowed(&'a TokenRecord, u64, Transport),
    /// 200: passes as the anonymous token.
    Anonymous,
    /// 401.
    Refused(Refusal),
    /// 403: the token is valid, but the request may not pass. The token, unless it waits for its second factor.
    Forbidden(ForbiddenReason, Option<&'a TokenRecord>),
    /// 503.
    Unavailable,
}

/// An auth subrequest, decided or waiting for the store.
pub enum Progress<R> {
    /// The answer made of the decision.
    Decided(R),
    /// Waits for [`decide_after_read`].
    MustRead(Undecided),
}

/// An auth subrequest that waits for the store.
pub struct Undecided {
    look_up: LookUp<'static>,
    admission: Admission,
    span: Option<Box<RequestSpan>>,
    /// The request as an audit line shows it, if the token string turns out to be a copy.
    audited: Box<AuditedRequest>,
    /// The request as the access log shows it, if the log is on.
    pub(super) logged: Option<Box<LoggedRequest>>,
}

/// Decides on an auth subrequest if that is possible without waiting. `answer` turns the decision into the answer while
/// the record is at hand. `span` is the span of a sampled request.
pub fn decide<R>(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, impl RequestHeaders + ?Sized>,
    mut admission: Admission,
    mut span: Option<Box<RequestSpan>>,
    answer: impl FnOnce(Decision<'_>) -> R,
) -> Progress<R> {
    let answer = |decision: Decision<'_>| {
        if let Some(span) = &mut span {
            span.decided(decision.result(), decision.status(), false);
        }
        answer(decision)
    };
    let headers = origin.headers;
    let refusal = match extract(headers, &settings.places) {
        Credentials::Token(token_string, via) => {
            let mut access = settings.access(headers);
            if !admission.renews() {
                access = Access::Exempt;
            }
            // Another site must not keep the token alive either.
            if via == Transport::Cookie && is_forged(settings, &origin) {
                (access, admission.demand) = (Access::Exempt, Demand::SameSite);
            }
            let TokenString { bytes, forms } = &token_string;
            let judged = validator.judge(bytes, *forms, via, access, |judgement| {
                answer(decide_on(validator, judgement, &admission, via))
            });
            return match judged {
                Judged::Done(answer) => Progress::Decided(answer),
                Judged::MustRead(look_up) => {
                    let audited = Box::new(origin.audited(&settings.trusted_proxies));
                    Progress::MustRead(Undecided { look_up, admission, span, audited, logged: None })
                }
            };
        }
        Credentials::Invalid(_) => Refusal::InvalidToken,
        Credentials::Absent => Refusal::NoToken,
    };
    Progress::Decided(answer(refuse(refusal, &admission)))
}

/// Reads the token from the store, then decides.
pub async fn decide_after_read<R>(
    validator: &Validator,
    undecided: Undecided,
    answer: impl FnOnce(Decision<'_>) -> R,
) -> R {
    let Undecided { look_up, admission, span, audited, .. } = undecided;
    let look_up = look_up.of_request(&audited);
    // A request that is judged here carried its token somewhere.
    let via = look_up.via().unwrap_or(Transport::Header);
    let Some(mut span) = span else {
        return validator
            .look_up(look_up, |judgement| answer(decide_on(validator, judgement, &admission, via)))
            .await;
    };
    // Boxed, so that the state of other requests is no larger for it.
    let mut outcome = None;
    let read = validator.look_up(look_up, |judgement| {
        let decision = decide_on(validator, judgement, &admission, via);
        outcome = Some((decision.result(), decision.status()));
        answer(decision)
    });
    let answer = Box::pin(span.within(read)).await;
    if let Some((result, status)) = outcome {
        span.decided(result, status, true);
    }
    answer
}

fn decide_on<'a>(
    validator: &Validator,
    judgement: Result<Judgement<'a>, StoreError>,
    admission: &Admission,
    via: Transport,
) -> Decision<'a> {
    match judgement {
        Ok(Judgement::Valid(record, now_ms)) => match admission.objection(record, now_ms) {
            None => Decision::Allowed(record, now_ms, via),
            Some(reason) => Decision::Forbidden(reason, Some(record)),
        },
        Ok(Judgement::Pending) if admission.is_for_pending() => Decision::Anonymous,
        Ok(Judgement::Pending) => Decision::Forbidden(ForbiddenReason::SecondFactor, None),
        Ok(Judgement::Refused) => refuse(Refusal::InvalidToken, admission),
        Err(error) => {
            validator.service().report(&error, None);
            Decision::Unavailable
        }
    }
}

fn refuse(refusal: Refusal, admission: &Admission) -> Decision<'static> {
    if admission.is_optional { Decision::Anonymous } else { Decision::Refused(refusal) }
}

impl Decision<'_> {
    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Allowed(..) | Self::Anonymous => StatusCode::OK,
            Self::Refused(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(..) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the name of the decision in traces and in the access log.
    pub fn result(&self) -> &'static str {
        match self {
            Self::Allowed(..) => "valid",
            Self::Anonymous => "anonymous",
            Self::Refused(refusal) => refusal.name(),
            Self::Forbidden(reason, _) => reason.name(),
            Self::Unavailable => "unavailable",
        }
    }

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
