//! `/auth`, `/auth-optional` and `/check/<name>`: may this request pass? The hot path.
//!
//! What can be told without waiting (no token, a forged one, a known one) is answered without a future; only a
//! token that must be read from the store waits. All bodies are empty and stay unread: proxies keep the
//! connection then, and one that sends a length without a body is not waited for.

use super::admission::{Admission, Demand};
use super::refusal::{Objection, Refusal};

use hyper::{Response, StatusCode};

use super::identity_headers::Identity;
use super::settings::Settings;
use crate::model::token::{TokenRecord, Transport};
use crate::server::request::credentials::{Presented, presented};
use crate::server::request::headers::RequestHeaders;
use crate::server::request::origin::Received;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, unavailable};
use crate::store::StoreError;
use crate::validation::{Access, Judged, Judgement, LookUp, Validator};

/// What an auth subrequest came to.
#[derive(Clone, Copy)]
pub enum Verdict<'a> {
    /// The holder of this token may pass, at this time in milliseconds since the Unix epoch.
    Allowed(&'a TokenRecord, u64),
    /// Whoever it is may pass as the anonymous token.
    Anonymous,
    /// 401.
    Refused(Refusal),
    /// 403: the token is valid, but the request may not pass.
    Forbidden(Objection),
    /// 503.
    Unavailable,
}

/// An auth subrequest, decided or waiting for the store.
pub enum Auth<R> {
    /// Decided, and what was made of the verdict.
    Decided(R),
    /// What [`read`] decides on, once the store was read.
    Reading(LookUp, Admission),
}

/// Decides on an auth subrequest as far as that goes without waiting; `answer` is made of the verdict while the record
/// is at hand.
pub fn auth<R>(
    validator: &Validator,
    settings: &Settings,
    received: Received<'_, impl RequestHeaders + ?Sized>,
    mut admission: Admission,
    answer: impl FnOnce(Verdict<'_>) -> R,
) -> Auth<R> {
    let headers = received.headers;
    let refusal = match presented(headers, &settings.cookie.name) {
        Presented::Token(token_string, via) => {
            let mut access = settings.access(headers);
            // Another site's doing must not keep the token alive either.
            if via == Transport::Cookie && settings.is_forged(&received) {
                (access, admission.demand) = (Access::Exempt, Demand::SameSite);
            }
            let judged = validator.judge(token_string, via, access, |judgement| {
                answer(verdict(validator, judgement, &admission))
            });
            return match judged {
                Judged::Done(answer) => Auth::Decided(answer),
                Judged::MustRead(look_up) => Auth::Reading(look_up, admission),
            };
        }
        Presented::Ambiguous(_) => Refusal::InvalidToken,
        Presented::Absent => Refusal::NoToken,
    };
    Auth::Decided(answer(refuse(refusal, &admission)))
}

/// Decides once the store was read.
pub async fn read<R>(
    validator: &Validator,
    look_up: LookUp,
    admission: &Admission,
    answer: impl FnOnce(Verdict<'_>) -> R,
) -> R {
    validator.look_up(look_up, |judgement| answer(verdict(validator, judgement, admission))).await
}

pub(crate) fn verdict<'a>(
    validator: &Validator,
    judgement: Result<Judgement<'a>, StoreError>,
    admission: &Admission,
) -> Verdict<'a> {
    match judgement {
        Ok(Judgement::Valid(record, now_ms)) => match admission.objection(record) {
            None => Verdict::Allowed(record, now_ms),
            Some(objection) => Verdict::Forbidden(objection),
        },
        Ok(Judgement::Pending) if admission.is_for_pending() => Verdict::Anonymous,
        Ok(Judgement::Pending) => Verdict::Forbidden(Objection::SecondFactor),
        Ok(Judgement::Refused) => refuse(Refusal::InvalidToken, admission),
        Err(error) => {
            validator.service().report(&error);
            Verdict::Unavailable
        }
    }
}

pub(crate) fn refuse(refusal: Refusal, admission: &Admission) -> Verdict<'static> {
    if admission.is_optional { Verdict::Anonymous } else { Verdict::Refused(refusal) }
}

impl Verdict<'_> {
    /// The answer for hyper; the same in bytes is [`answer_bytes`](super::fast_path::response).
    pub fn response(&self) -> Response<Body> {
        let allowed = |identity: Identity<'_>| {
            let mut response = empty(StatusCode::OK);
            identity.insert_into(response.headers_mut());
            response
        };
        match self {
            Self::Allowed(record, now_ms) => allowed(Identity::of(record, *now_ms)),
            Self::Anonymous => allowed(Identity::nobody()),
            Self::Refused(refusal) => refusal.response(),
            Self::Forbidden(objection) => objection.response(),
            Self::Unavailable => unavailable(),
        }
    }
}

impl Settings {
    /// Whether this request's access counts.
    pub fn access(&self, headers: &(impl RequestHeaders + ?Sized)) -> Access {
        match &self.renewal_exempt_header {
            Some(name) if headers.values(name).next().is_some() => Access::Exempt,
            _ => Access::Recorded,
        }
    }
}
