//! The admin plane's errors: `application/problem+json` (RFC 9457).

pub mod kind;

use hyper::Response;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;

pub use self::kind::Kind;
use crate::server::transport::body::Body;
use crate::server::transport::response::with_json_type;
use crate::service::ServiceError;
use crate::store::{Rejection, StoreError};

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

/// The challenge of a 403 for a missing scope (RFC 6750, section 3.1).
pub const INSUFFICIENT_SCOPE: &str = "Bearer realm=\"doorward-admin\", error=\"insufficient_scope\"";

/// Why a request was refused.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    header: Option<(HeaderName, &'static str)>,
    /// Why it is a server error.
    cause: Option<Box<StoreError>>,
}

impl Problem {
    /// A refusal with a sentence for people.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), header: None, cause: None }
    }

    /// 422: these fields are wrong.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Kind::InvalidFields, "some fields are missing, unknown or bad") }
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "there is no such thing here")
    }

    /// 405 with the methods that are allowed.
    pub fn method_not_allowed(allowed: &'static str) -> Self {
        Self::new(Kind::MethodNotAllowed, format!("allowed: {allowed}")).with_header(ALLOW, allowed)
    }

    /// 401: no API key. The challenge has no `error` (RFC 6750, section 3.1).
    pub fn api_key_missing() -> Self {
        Self::new(Kind::ApiKeyMissing, "an API key is needed: Authorization: Bearer KEY")
            .with_header(WWW_AUTHENTICATE, "Bearer realm=\"doorward-admin\"")
    }

    /// 401: a wrong API key.
    pub fn api_key_invalid() -> Self {
        Self::new(Kind::ApiKeyInvalid, "this is no API key of this server")
            .with_header(WWW_AUTHENTICATE, "Bearer realm=\"doorward-admin\", error=\"invalid_token\"")
    }

    /// 403: the API key has none of the scopes of which one is needed.
    pub fn insufficient_scope(detail: String) -> Self {
        Self::new(Kind::InsufficientScope, detail).with_header(WWW_AUTHENTICATE, INSUFFICIENT_SCOPE)
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
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let mut response = with_json_type(self.kind.status(), &body, "application/problem+json");
        response
            .headers_mut()
            .extend(self.header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let conflict = |kind| Self::new(kind, rejection.to_string());
        match rejection {
            Rejection::NotFound => Self::not_found(),
            Rejection::Revoked => conflict(Kind::TokenRevoked),
            Rejection::Pending => conflict(Kind::SecondFactorPending),
            Rejection::RotatedTooOften => conflict(Kind::RotatedTooOften),
            Rejection::TooManyTokens => conflict(Kind::TooManyTokens),
            Rejection::TooManyDevices => conflict(Kind::TooManyDevices),
            Rejection::ObjectFull => conflict(Kind::ObjectFull),
            Rejection::TooManyObjects => conflict(Kind::TooManyObjects),
            Rejection::OwnUser => conflict(Kind::OwnUser),
            // A realm of its own: it is not the API key that is wrong.
            Rejection::LoginRefused => Self::new(Kind::LoginRefused, rejection.to_string())
                .with_header(WWW_AUTHENTICATE, "Bearer realm=\"doorward-device\", error=\"invalid_token\""),
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Rejected(rejection) => rejection.into(),
            // The callers of the service read their fields by the same rules, so this is a second line.
            ServiceError::Invalid { field, detail } => Self::fields(vec![FieldError::new(field, detail)]),
            ServiceError::Store(error @ StoreError::Unavailable(_)) => {
                let detail = "the store cannot be asked; whether a write was done is unknown";
                Self::new(Kind::StoreUnavailable, detail).with_header(RETRY_AFTER, "1").caused_by(error)
            }
            ServiceError::Store(error @ StoreError::Unusable(_)) => {
                tracing::debug!(%error, "admin request refused");
                Self::new(Kind::StoreUnusable, "the store must not be used as it is; nothing was changed")
                    .with_header(RETRY_AFTER, "1")
            }
            ServiceError::Store(error @ StoreError::Corrupt { .. }) => {
                let detail = "a record in the store is corrupt; see the log";
                Self::new(Kind::CorruptRecord, detail).caused_by(error)
            }
        }
    }
}
