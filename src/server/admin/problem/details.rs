//! A refused request, and its response.

use std::borrow::Cow;

use hyper::header::{ALLOW, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Response};
use serde::Serialize;

use super::challenge;
use super::field_error::FieldError;
use super::kind::ProblemKind;
use crate::request::request_id::RequestId;
use crate::server::plane_hint::not_found_on_admin;
use crate::server::transport::body::Body;
use crate::server::transport::response::with_json_type;
use crate::store::StoreError;
use crate::token_string::TokenId;

/// Why a request was refused.
#[derive(Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    // Boxed to keep the result of every handler small.
    errors: Box<[FieldError]>,
    token: Option<Box<TokenId>>,
    header: Option<(HeaderName, Cow<'static, str>)>,
    cause: Option<Box<StoreError>>,
}

impl Problem {
    /// A refusal; `detail` is a sentence for people.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Box::default(), token: None, header: None, cause: None }
    }

    /// 422 with these errors.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self {
            errors: errors.into(),
            ..Self::new(ProblemKind::InvalidFields, "some fields are missing, unknown or invalid")
        }
    }

    /// 404 for a record.
    pub fn no_such_record() -> Self {
        Self::new(ProblemKind::NotFound, "the record does not exist")
    }

    /// 404 for a path.
    pub fn no_such_path(path: &str) -> Self {
        Self::new(ProblemKind::NoSuchPath, not_found_on_admin(path))
    }

    /// 405 with the methods that the path takes.
    pub fn method_not_allowed(allowed: &[Method]) -> Self {
        let allowed = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        Self::new(ProblemKind::MethodNotAllowed, format!("the path takes {allowed}"))
            .with_header(ALLOW, allowed)
    }

    /// 401 without an API key.
    pub fn api_key_missing() -> Self {
        Self::new(ProblemKind::ApiKeyMissing, "the request needs an API key: Authorization: Bearer KEY")
            .with_header(WWW_AUTHENTICATE, challenge::API_KEY_MISSING)
    }

    /// 401 for an unknown API key.
    pub fn api_key_invalid() -> Self {
        Self::new(ProblemKind::ApiKeyInvalid, "the API key is unknown")
            .with_header(WWW_AUTHENTICATE, challenge::API_KEY_INVALID)
    }

    /// 401 for an API key that has expired. Only the holder of the key can get this answer.
    pub fn api_key_expired() -> Self {
        Self::new(ProblemKind::ApiKeyInvalid, "the API key has expired")
            .with_header(WWW_AUTHENTICATE, challenge::API_KEY_INVALID)
    }

    /// 403: the API key has none of the scopes of which the call needs one.
    pub fn insufficient_scope(detail: String) -> Self {
        Self::new(ProblemKind::InsufficientScope, detail)
            .with_header(WWW_AUTHENTICATE, challenge::INSUFFICIENT_SCOPE)
    }

    /// Sets the one header that the response has besides its body's.
    pub fn with_header(self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    /// Names the token that an earlier request made.
    pub fn of_token(self, token: Option<TokenId>) -> Self {
        Self { token: token.map(Box::new), ..self }
    }

    /// Sets the error of the store that the log shall report.
    pub fn caused_by(self, error: StoreError) -> Self {
        Self { cause: Some(Box::new(error)), ..self }
    }

    /// The kind of the refusal.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The error of the store that the log shall report.
    pub fn cause(&self) -> Option<&StoreError> {
        self.cause.as_deref()
    }

    /// The response. `request_id` and `token` are extension members (RFC 9457, section 3.2).
    pub fn response(self, request_id: &RequestId) -> Response<Body> {
        #[derive(Serialize)]
        struct ProblemJson<'a> {
            r#type: &'static str,
            title: &'static str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [FieldError],
            #[serde(skip_serializing_if = "Option::is_none")]
            token: Option<String>,
            request_id: &'a str,
        }
        let body = ProblemJson {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            token: self.token.map(|id| id.to_string()),
            request_id: request_id.as_str(),
        };
        let mut response = with_json_type(self.kind.status(), &body, "application/problem+json");
        if let Some((name, value)) = self.header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
