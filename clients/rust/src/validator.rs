//! The validation plane: may this request pass?

use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde::Deserialize;

use crate::endpoint::InvalidSetting;
use crate::error::Unavailable;
use crate::path::segment;
use crate::request::{ClientRequest, bearing, question};
use crate::transport::{Repeat, Transport, outage};
use crate::verdict::{Anonymous, Verdict};

const TIMEOUT: Duration = Duration::from_secs(1);

/// Judges requests: a [`Validator`], a [`Batcher`](crate::Batcher), or a type of your own.
pub trait Checker: Clone + Send + Sync + 'static {
    /// Judges a request.
    ///
    /// # Errors
    /// If it is unknown whether the token is valid. The client gets 503 then.
    fn check(
        &self,
        request: &ClientRequest<'_>,
        anonymous: Anonymous,
    ) -> impl Future<Output = Result<Verdict, Unavailable>> + Send;
}

/// The validation plane. Cheap to clone; the clones share the connections.
#[derive(Clone, Debug)]
pub struct Validator {
    transport: Transport,
    further: Vec<HeaderName>,
    check: Option<String>,
}

impl Validator {
    /// Makes a client of `http://host:port`, `https://host:port` (feature `tls`) or `unix:/path`. It connects when it is
    /// first used; the deadline of each check is 1 s.
    ///
    /// # Errors
    /// If the address is malformed.
    pub fn new(url: &str) -> Result<Self, InvalidSetting> {
        Ok(Self { transport: Transport::new(url, TIMEOUT)?, further: Vec::new(), check: None })
    }

    /// Changes the deadline of each check.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.transport.set_timeout(timeout);
        self
    }

    /// Trusts these certificate authorities only, in PEM, instead of those that the system trusts.
    ///
    /// # Errors
    /// If the address is not `https://`, or the text has no certificate.
    #[cfg(feature = "tls")]
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Self, InvalidSetting> {
        self.transport.trust(pem)?;
        Ok(self)
    }

    /// Names further headers of the client's request that Doorward's settings give a meaning.
    #[must_use]
    pub fn with_forwarded_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.further.extend(names);
        self
    }

    /// Demands a check of Doorward's settings, `[checks.NAME]`. The check says whether anonymous users pass.
    #[must_use]
    pub fn with_check(mut self, name: impl Into<String>) -> Self {
        self.check = Some(name.into());
        self
    }

    /// Judges a token string, as if it came in the header of a request without anything else.
    ///
    /// # Errors
    /// In an outage.
    pub async fn check_token(&self, token: &str) -> Result<Verdict, Unavailable> {
        self.check(&ClientRequest::new(&Method::GET, &bearing(token)), Anonymous::Refused).await
    }

    /// Ends the request's takeover, or else revokes its token, as `POST /logout` does.
    ///
    /// A logout by cookie that another site caused does nothing.
    ///
    /// # Errors
    /// In an outage. Then, it is unknown whether the logout was done.
    pub async fn logout(&self, request: &ClientRequest<'_>) -> Result<Logout, Unavailable> {
        // After a takeover, a repeat would revoke the token.
        let response = self.ask(Method::POST, "/logout", request, Repeat::Unsafe).await?;
        let ended = match response.status() {
            StatusCode::OK => {
                let body: LogoutBody = serde_json::from_slice(response.body())
                    .map_err(|_| Unavailable::new("the answer to a logout is not doorward's"))?;
                Some(body.ended)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => None,
            _ => return Err(outage(&response)),
        };
        let cookies = response.headers().get_all(SET_COOKIE).iter();
        Ok(Logout { ended, set_cookie: cookies.map(|value| (SET_COOKIE, value.clone())).collect() })
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        client: &ClientRequest<'_>,
        repeat: Repeat,
    ) -> Result<http::Response<bytes::Bytes>, Unavailable> {
        let request = question(method, path, client, &self.further)
            .map_err(|error| Unavailable::new(format!("the request cannot be described: {error}")))?;
        self.transport.send(request, repeat).await
    }
}

impl Checker for Validator {
    async fn check(&self, request: &ClientRequest<'_>, anonymous: Anonymous) -> Result<Verdict, Unavailable> {
        let (path, anonymous) = match (&self.check, anonymous) {
            (Some(name), _) => (format!("/check/{}", segment(name)), Anonymous::Allowed),
            (None, Anonymous::Allowed) => ("/auth-optional".to_owned(), anonymous),
            (None, Anonymous::Refused) => ("/auth".to_owned(), anonymous),
        };
        Verdict::read(&self.ask(Method::GET, &path, request, Repeat::Safe).await?, anonymous)
    }
}

/// What a logout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The takeover. The token is valid, for the user who logged in.
    Takeover,
    /// The token, which is revoked.
    Token,
}

#[derive(Deserialize)]
struct LogoutBody {
    ended: Ended,
}

/// What a logout did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logout {
    /// What ended; `None` if the request had no valid token, or came from another site.
    pub ended: Option<Ended>,
    /// `Set-Cookie` for the client, to clear its cookie. A part of an axum response.
    pub set_cookie: HeaderMap,
}
