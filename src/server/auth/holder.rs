//! The holder of a token, for the calls that act on the token itself.

use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};

use super::access_log::holder_of;
use crate::logging::audit::{Action, AuditEntry, AuditLine, AuditOutcome, AuditedRequest};
use crate::model::event::Actor;
use crate::model::token::{Token, Transport};
use crate::request::credentials::{Credentials, TokenString, extract};
use crate::request::origin::RequestOrigin;
use crate::request_check::refusal::{ForbiddenReason, Refusal};
use crate::request_check::settings::ValidationSettings;
use crate::server::json::token::TokenJson;
use crate::server::transport::body::Body;
use crate::server::transport::response::{json, unavailable};
use crate::service::{Service, ServiceError};
use crate::store::StoreError;
use crate::token_string::TokenId;
use crate::validation::{Access, Judgement, Validator};

/// A request's valid token, and how the request carries it.
pub(super) struct Holder<'a> {
    pub(super) token: Token,
    pub(super) token_string: TokenString<'a>,
    pub(super) via: Transport,
    /// The part of audit lines that comes from the request.
    pub(super) request: AuditedRequest,
}

/// The answer to a call of a holder. An error is a response, too: the one of a call that was refused or failed.
pub type HolderAnswer = Result<Response<Body>, Response<Body>>;

/// Returns the holder that a request comes from. Tells `known` the token and its user.
///
/// # Errors
/// The response, if there is no valid token.
pub(super) async fn authenticate<'a>(
    validator: &Validator,
    settings: &'a ValidationSettings,
    origin: &RequestOrigin<'a, HeaderMap>,
    access: Access,
    known: &mut Option<(TokenId, String)>,
) -> Result<Holder<'a>, Response<Body>> {
    let request = origin.audited(&settings.trusted_proxies, &settings.places);
    let (token_string, via) = match extract(origin.headers, &settings.places) {
        Credentials::Token(token_string, via) => (token_string, via),
        Credentials::Invalid(_) => return Err(Refusal::InvalidToken.response()),
        Credentials::Absent => return Err(Refusal::NoToken.response()),
    };
    let id_of = |judgement: Result<Judgement<'_>, StoreError>| match judgement {
        Ok(Judgement::Valid(record, _)) => Ok(record.id),
        Ok(Judgement::Pending) => Err(Box::new(ForbiddenReason::SecondFactor.response())),
        Ok(Judgement::Refused) => Err(Box::new(Refusal::InvalidToken.response())),
        Err(error) => Err(Box::new(error_response(validator.service(), &error.into()))),
    };
    let TokenString { bytes, forms } = &token_string;
    let judgement = validator.judgement(bytes, *forms, via, access, &request, id_of).await;
    let id = judgement.map_err(|refusal| *refusal)?;
    let token = validator.service().token(id).await;
    let token = token.map_err(|error| error_response(validator.service(), &error))?;
    *known = Some(holder_of(&token.record));
    Ok(Holder { token, token_string, via, request })
}

/// Returns the response to a holder whose call failed.
pub(super) fn error_response(service: &Service, error: &ServiceError) -> Response<Body> {
    match error {
        ServiceError::Store(error) => {
            service.report(error, None);
            unavailable()
        }
        // The token was revoked or has expired since it was judged.
        _ => Refusal::InvalidToken.response(),
    }
}

/// A change that a token's holder makes. If it is dropped before its end, the client has disconnected, and the change may
/// have been made.
pub struct HolderAudit<'a> {
    /// `None` once nothing is left to be written.
    entry: Option<AuditEntry>,
    outcome: AuditOutcome,
    request: &'a AuditedRequest,
}

impl<'a> HolderAudit<'a> {
    /// Begins with a request that carried this token.
    pub fn begin(action: Action, token: &Token, request: &'a AuditedRequest) -> Self {
        let record = &token.record;
        let takeover = record.takeover.as_ref().filter(|_| action == Action::TakeoverEnd);
        let entry = AuditEntry {
            user: Some(record.user().to_owned()),
            token: Some(record.id),
            takeover: takeover.map(|takeover| takeover.id),
            taken_over: takeover.map(|takeover| takeover.user.clone()),
            ..AuditEntry::new(action)
        };
        Self { entry: Some(entry), outcome: AuditOutcome::Unknown, request }
    }

    /// Ends with a result. If the token or the takeover had ended by itself, nothing was changed, so there is no line.
    pub fn conclude<T>(mut self, result: &Result<T, ServiceError>) {
        match result {
            Ok(_) => self.outcome = AuditOutcome::Done,
            Err(ServiceError::Store(StoreError::Unusable(_))) => self.outcome = AuditOutcome::Refused,
            Err(ServiceError::Store(_)) => {}
            Err(_) => self.entry = None,
        }
    }
}

impl Drop for HolderAudit<'_> {
    fn drop(&mut self) {
        let Some(entry) = &self.entry else { return };
        AuditLine::new(entry, self.outcome, Some(Actor::Holder)).of_request(self.request).write();
    }
}

/// Answers with the token object. Tells `known` the valid token and its user.
pub async fn show_session(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, HeaderMap>,
    known: &mut Option<(TokenId, String)>,
) -> HolderAnswer {
    let holder = authenticate(validator, settings, &origin, settings.access(origin.headers), known).await?;
    Ok(json(StatusCode::OK, &TokenJson::of(&holder.token, validator.service().clock().now_ms())))
}
