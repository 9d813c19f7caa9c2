//! The call of an authenticated OAuth client.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};

use super::credentials::ClientCredentials;
use super::error::OAuthError;
use super::form::Form;
use crate::logging::audit::AuditedRequest;
use crate::model::event::Actor;
use crate::server::admin::api_keys::KnownKey;
use crate::server::admin::input::body::{BodyLimit, has_type, read_body, unsupported_type};
use crate::server::admin::plane::AdminPlane;
use crate::server::transport::body::Body;
use crate::validation::Access;
use crate::values::Scope;

const FORM: &str = "application/x-www-form-urlencoded";

/// The result of an OAuth handler.
pub type OAuthAnswer = Result<Response<Body>, OAuthError>;

/// The call of an authenticated OAuth client.
pub struct OAuthCall<'a> {
    /// The plane that got it.
    pub admin: &'a AdminPlane,
    /// The API key.
    pub key: Arc<KnownKey>,
    /// The token string in the form.
    pub token: String,
    /// Whether the use of the token counts as an access.
    pub access: Access,
    /// The part of audit lines that comes from the request.
    pub audited: AuditedRequest,
}

impl<'a> OAuthCall<'a> {
    /// Authenticates the client and reads its form. `key_name` gets the name of its API key, if that is valid; `audited` becomes
    /// part of the call. Without valid credentials in the headers, only a little of the body is read: the key may be in it.
    ///
    /// # Errors
    /// OAuth's, and 415, 413 and 408 like other calls.
    pub async fn read(
        admin: &'a AdminPlane,
        request: Request<Incoming>,
        scopes: &'static [Scope],
        key_name: &mut Option<String>,
        audited: AuditedRequest,
    ) -> Result<Self, OAuthError> {
        let (head, body) = request.into_parts();
        let credentials = ClientCredentials::extract(&head.headers);
        let by_headers = credentials.authorize(&admin.api_keys, scopes, key_name);
        let limit = if by_headers.is_ok() { BodyLimit::AUTHENTICATED } else { BodyLimit::UNAUTHENTICATED };
        let is_form = has_type(&head.headers, &[FORM]);
        let body = match is_form {
            true => read_body(body, limit, admin.request_timeout).await,
            false => Ok(Vec::new()),
        };
        let body = match (body, by_headers) {
            (Ok(body), _) => body,
            // Bad credentials in the headers are reported before a bad body.
            (Err(_), Err(error)) if credentials != ClientCredentials::Absent => return Err(error),
            (Err(problem), _) => return Err(problem.into()),
        };
        let form = Form::parse(&body)?;
        let key = credentials.with(&form)?.authorize(&admin.api_keys, scopes, key_name)?;
        if !is_form {
            return Err(unsupported_type(&format!("the body must be a form: Content-Type: {FORM}")).into());
        }
        if head.uri.query().is_some_and(|query| !query.is_empty()) {
            return Err(OAuthError::InvalidRequest("parameters must be in the body, not in the query"));
        }
        let token = form.token.ok_or(OAuthError::InvalidRequest("token is missing"))?;
        let access = admin.settings.access(&head.headers);
        Ok(Self { admin, key, token, access, audited })
    }

    /// The API key, as events name it.
    pub fn actor(&self) -> Actor<'_> {
        Actor::ApiKey(self.key.name())
    }
}
