//! The holder of a token, for the calls that act on the token itself.

use hyper::Response;
use hyper::header::HeaderMap;

use super::access_log::holder_of;
use crate::logging::audit::AuditedRequest;
use crate::model::token::{Token, Transport};
use crate::request::credentials::{Credentials, TokenString, extract};
use crate::request::origin::RequestOrigin;
use crate::request_check::refusal::{ForbiddenReason, Refusal};
use crate::request_check::settings::ValidationSettings;
use crate::server::transport::body::Body;
use crate::server::transport::response::unavailable;
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
