//! The admin plane's errors: `application/problem+json` (RFC 9457).

use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::{Body, with_json_type};
use crate::service::ServiceError;
use crate::store::StoreError;

/// One bad field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// A JSON pointer as a URI fragment (RFC 6901, section 6), as in RFC 9457, section 3: `#/user`.
    pub pointer: String,
    /// What is wrong with it, without its value.
    pub detail: String,
}

impl FieldError {
    /// An error of the field with this path, such as `related_objects/0/object_id`.
    pub fn new(path: &str, detail: impl Into<String>) -> Self {
        // Names of unknown fields come from outside: escaped as RFC 6901 says, and kept short.
        let shown: String = path.chars().take(100).collect();
        let shown = percent_encoding::utf8_percent_encode(&shown, FRAGMENT_ESCAPED).to_string();
        Self { pointer: format!("#/{shown}"), detail: detail.into() }
    }

    /// An error of the body as a whole.
    pub fn of_whole(detail: impl Into<String>) -> Self {
        // `#/` would be a field without a name.
        Self { pointer: "#".into(), detail: detail.into() }
    }
}

/// Not allowed in a URI fragment as it is (RFC 3986, section 3.5).
const FRAGMENT_ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Why a request was refused.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    header: Option<(HeaderName, &'static str)>,
    /// Why it is a server error.
    cause: Option<Box<StoreError>>,
}

impl Problem {
    /// A refusal with a sentence for people.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new(), header: None, cause: None }
    }

    /// 422: these fields are wrong.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "some fields are missing, unknown or bad")
        }
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such thing here")
    }

    /// 405 with the methods that are allowed.
    pub fn method_not_allowed(allowed: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("allowed: {allowed}")).with_header(ALLOW, allowed)
    }

    /// 401: no good API key.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "an API key is needed: Authorization: Bearer KEY")
            .with_header(WWW_AUTHENTICATE, "Bearer realm=\"doorward-admin\"")
    }

    /// The same with a header.
    pub fn with_header(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// What the log is to say of it.
    pub fn cause(&self) -> Option<&StoreError> {
        self.cause.as_deref()
    }

    fn caused_by(self, error: StoreError) -> Self {
        Self { cause: Some(Box::new(error)), ..self }
    }

    /// The response.
    pub fn response(self) -> Response<Body> {
        #[derive(Serialize)]
        struct ProblemJson<'a> {
            r#type: &'static str,
            title: &'static str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [FieldError],
        }
        let body = ProblemJson {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let mut response = with_json_type(self.status, &body, "application/problem+json");
        response
            .headers_mut()
            .extend(self.header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NotFound => Self::not_found(),
            ServiceError::Ended
            | ServiceError::Pending
            | ServiceError::RotatedTooOften
            | ServiceError::TooManyTokens
            | ServiceError::TooManyDevices
            | ServiceError::ObjectFull
            | ServiceError::TooManyObjects
            | ServiceError::OwnUser => Self::new(StatusCode::CONFLICT, error.to_string()),
            // The callers of the service read their fields by the same rules, so this is a second line.
            ServiceError::Invalid { field, detail } => Self::fields(vec![FieldError::new(field, detail)]),
            // A realm of its own: it is not the API key that is wrong.
            ServiceError::LoginRefused => Self::new(StatusCode::UNAUTHORIZED, error.to_string())
                .with_header(WWW_AUTHENTICATE, "Bearer realm=\"doorward-device\", error=\"invalid_token\""),
            ServiceError::Store(error @ StoreError::Unavailable(_)) => {
                let detail = "the store cannot be asked; whether a write was done is unknown";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
                    .with_header(RETRY_AFTER, "1")
                    .caused_by(error)
            }
            ServiceError::Store(error @ StoreError::Unusable(_)) => {
                tracing::debug!(%error, "admin request refused");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the store must not be used as it is; nothing was changed",
                )
                .with_header(RETRY_AFTER, "1")
            }
            ServiceError::Store(error @ StoreError::Corrupt { .. }) => {
                let detail = "a record in the store is corrupt; see the log";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail).caused_by(error)
            }
        }
    }
}
