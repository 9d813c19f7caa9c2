//! Whether a request may pass.

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::error::Unavailable;
use crate::identity::Identity;
use crate::transport::outage;

const REASON: HeaderName = HeaderName::from_static("x-auth-reason");

/// Whether requests without a valid token pass, as the anonymous user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// They are refused.
    Refused,
    /// They pass without an identity.
    Allowed,
}

/// Whether a request may pass. An outage is not a verdict, but the error [`Unavailable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request may pass. `None` is the anonymous user, whom only [`Anonymous::Allowed`] or a named check lets pass.
    Allowed(Option<Identity>),
    /// The request must not pass.
    Refused(Refusal),
}

impl Verdict {
    /// Returns the user of an allowed request.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Allowed(identity) => identity.as_ref(),
            Self::Refused(_) => None,
        }
    }

    /// Returns whether the request may pass.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Returns the refusal's status, or 200.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Allowed(_) => StatusCode::OK,
            Self::Refused(refusal) => refusal.status,
        }
    }

    /// Returns the verdict about a request with an invalid token, or with none.
    pub(crate) fn of_anonymous(anonymous: Anonymous, refusal: fn() -> Refusal) -> Self {
        match anonymous {
            Anonymous::Allowed => Self::Allowed(None),
            Anonymous::Refused => Self::Refused(refusal()),
        }
    }

    /// Reads the validation plane's answer.
    pub(crate) fn read(response: &Response<Bytes>, anonymous: Anonymous) -> Result<Self, Unavailable> {
        match response.status() {
            StatusCode::OK => {
                let identity = Identity::from_headers(response.headers());
                let is_named = response.headers().contains_key("x-auth-user");
                // Some other server must not let everybody pass.
                if !is_named || (identity.is_none() && anonymous == Anonymous::Refused) {
                    return Err(Unavailable::new("the answer is not doorward's: it names no user"));
                }
                Ok(Self::Allowed(identity))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Self::Refused(Refusal::read(response))),
            // 404 is a check that Doorward does not know, so no request may pass.
            _ => Err(outage(response)),
        }
    }
}

/// Why a request must not pass. As an axum response, it is the answer to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// 401 or 403.
    pub status: StatusCode,
    /// `WWW-Authenticate` or `X-Auth-Reason`.
    pub headers: HeaderMap,
}

impl Refusal {
    /// Refuses a request without a token.
    pub fn no_token() -> Self {
        Self::challenge(r#"Bearer realm="doorward""#)
    }

    /// Refuses a request with an invalid token.
    pub fn invalid_token() -> Self {
        Self::challenge(r#"Bearer realm="doorward", error="invalid_token""#)
    }

    fn challenge(value: &'static str) -> Self {
        let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_static(value))]);
        Self { status: StatusCode::UNAUTHORIZED, headers }
    }

    fn read(response: &Response<Bytes>) -> Self {
        let told = [WWW_AUTHENTICATE, REASON].map(|name| (response.headers().get(&name).cloned(), name));
        let headers = told.into_iter().filter_map(|(value, name)| Some((name, value?))).collect();
        Self { status: response.status(), headers }
    }

    /// Returns why a valid token was refused: `second-factor`, `check` or `cross-site`.
    pub fn reason(&self) -> Option<&str> {
        self.headers.get(REASON)?.to_str().ok()
    }
}
