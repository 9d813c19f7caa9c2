//! May this request pass? The hot path.
//!
//! A request without a token, with a forged one or with a cached one is decided without a future. Only a token that must
//! be read from the store waits.

use std::sync::Arc;

use http::StatusCode;

use super::admission::{Admission, Demand};
use super::cross_site::is_forged;
use super::refusal::{ForbiddenReason, Refusal};
use super::settings::ValidationSettings;
use crate::logging::audit::AuditedRequest;
use crate::model::token::{KnownRecord, TokenRecord, Transport};
use crate::request::credentials::{Credentials, TokenString, extract};
use crate::request::headers::RequestHeaders;
use crate::request::origin::RequestOrigin;
use crate::store::StoreError;
use crate::validation::{Access, Judged, Judgement, LookUp, Validator};

/// The decision on a request.
#[derive(Clone, Copy)]
pub enum Decision<'a> {
    /// 200: passes with this token, at this time in milliseconds since the Unix epoch, which the request carried there.
    Allowed(KnownRecord<'a>, u64, Transport),
    /// 200: passes as the anonymous token.
    Anonymous,
    /// 401.
    Refused(Refusal),
    /// 403: the token is valid, but the request may not pass. The token, unless it waits for its second factor.
    Forbidden(ForbiddenReason, Option<&'a Arc<TokenRecord>>),
    /// 503.
    Unavailable,
}

/// A request, decided or waiting for the store.
pub enum Progress<R> {
    /// The answer made of the decision.
    Decided(R),
    /// Waits for [`decide_after_read`].
    MustRead(Box<Undecided>),
}

/// A request that waits for the store.
pub struct Undecided {
    look_up: LookUp,
    admission: Admission,
    /// The request as an audit line shows it, if the token string turns out to be a copy.
    audited: AuditedRequest,
}

/// Decides on a request if that is possible without waiting. `answer` turns the decision into the answer while the record
/// is at hand.
#[inline]
pub fn decide<R>(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, impl RequestHeaders + ?Sized>,
    mut admission: Admission,
    answer: impl FnOnce(Decision<'_>) -> R,
) -> Progress<R> {
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
                    let audited = origin.audited(&settings.trusted_proxies, &settings.places);
                    Progress::MustRead(Box::new(Undecided { look_up, admission, audited }))
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
    undecided: Box<Undecided>,
    answer: impl FnOnce(Decision<'_>) -> R,
) -> R {
    let Undecided { look_up, admission, audited } = &*undecided;
    // A request that is judged here carried its token somewhere.
    let via = look_up.via().unwrap_or(Transport::Header);
    let answer = |judgement: Result<Judgement<'_>, StoreError>| {
        answer(decide_on(validator, judgement, admission, via))
    };
    validator.look_up(look_up, Some(audited), answer).await
}

fn decide_on<'a>(
    validator: &Validator,
    judgement: Result<Judgement<'a>, StoreError>,
    admission: &Admission,
    via: Transport,
) -> Decision<'a> {
    match judgement {
        Ok(Judgement::Valid(record, now_ms)) => match admission.objection(&record, now_ms) {
            None => Decision::Allowed(record, now_ms, via),
            Some(reason) => Decision::Forbidden(reason, Some(record.record())),
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
}
