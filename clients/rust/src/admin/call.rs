//! Sends calls and reads their answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::endpoint::InvalidSetting;
use crate::entropy::unique_name;
use crate::error::{CallError, Problem, Unavailable};
use crate::fields::Paging;
use crate::models::Page;
use crate::path::segment;
use crate::request::sensitive;
use crate::transport::{Repeat, Transport, outage};

const TIMEOUT: Duration = Duration::from_secs(5);

/// The admin plane: the lifecycle of tokens. Cheap to clone; the clones share the connections.
///
/// Each call fails with [`CallError::Unavailable`] in an outage, and with [`CallError::Refused`] if Doorward refuses it.
/// After a broken connection or a 503, [`issue`](Self::issue), [`rotate`](Self::rotate) and
/// [`create_device`](Self::create_device) are sent again, once, and are done once. Other calls that may not be repeated are
/// sent once.
#[derive(Clone, Debug)]
pub struct Admin {
    transport: Transport,
    authorization: HeaderValue,
}

impl Admin {
    /// Makes a client of `http://host:port`, `https://host:port` (feature `tls`) or `unix:/path` with an API key. It connects when it is first used; the deadline
    /// of each call is 5 s.
    ///
    /// # Errors
    /// If the address is malformed, or the key cannot be sent.
    pub fn new(url: &str, api_key: &str) -> Result<Self, InvalidSetting> {
        let authorization = sensitive(&format!("Bearer {api_key}"))
            .map_err(|_| InvalidSetting("the API key of Doorward must not have control characters"))?;
        Ok(Self { transport: Transport::new(url, TIMEOUT)?, authorization })
    }

    /// Changes the deadline of each call.
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

    /// Sends a call whose answer has a secret, so that Doorward does it once, however often it is sent.
    pub(super) async fn make_secret<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body).map_err(|error| Unavailable::new(error.to_string()))?;
        read(&self.answer(Method::POST, path, Some(body), Repeat::Keyed).await?)
    }

    /// Sends a call with a JSON body and reads the answer's JSON.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body).map_err(|error| Unavailable::new(error.to_string()))?;
        read(&self.answer(method, path, Some(body), repeat).await?)
    }

    /// Sends a call without a body and reads the answer's JSON.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        repeat: Repeat,
    ) -> Result<T, CallError> {
        read(&self.answer(method, path, None, repeat).await?)
    }

    /// Sends a call without a body whose answer says nothing.
    pub(super) async fn tell(&self, method: Method, path: &str, repeat: Repeat) -> Result<(), CallError> {
        self.answer(method, path, None, repeat).await.map(drop)
    }

    /// Reads a page of a listing, whose entries are the member `name`.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &str,
        name: &str,
        paging: &Paging,
    ) -> Result<Page<T>, CallError> {
        let limit = paging.limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
        let cursor = paging.cursor.as_deref().map(|cursor| format!("&cursor={}", segment(cursor)));
        let target = format!("{path}?{query}{limit}{}", cursor.unwrap_or_default());
        let mut page: Value = self.ask(Method::GET, &target, Repeat::Safe).await?;
        let items = serde_json::from_value(page[name].take()).map_err(|error| malformed(&error))?;
        let next_cursor = page["next_cursor"].as_str().map(str::to_owned);
        Ok(Page { items, next_cursor })
    }

    /// Sends a call and returns its answer if it succeeded.
    pub(super) async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        repeat: Repeat,
    ) -> Result<Response<Bytes>, CallError> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(AUTHORIZATION, self.authorization.clone());
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if repeat == Repeat::Keyed {
            request = request.header("idempotency-key", unique_name()?);
        }
        let request = request
            .body(body.map_or_else(Bytes::new, Bytes::from))
            .map_err(|error| Unavailable::new(format!("the call cannot be sent: {error}")))?;
        let response = self.transport.send(request, repeat).await?;
        match response.status() {
            status if status.is_success() => Ok(response),
            status if status.is_client_error() => {
                Err(CallError::Refused(Box::new(Problem::read(status, response.body()))))
            }
            _ => Err(outage(&response).into()),
        }
    }
}

fn read<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, CallError> {
    serde_json::from_slice(response.body()).map_err(|error| malformed(&error))
}

/// The error's text may repeat the answer, which may hold a secret: only the place is reported.
fn malformed(error: &serde_json::Error) -> CallError {
    let place = format!("line {}, column {}", error.line(), error.column());
    Unavailable::new(format!("the answer is not doorward's: a member is missing or malformed at {place}"))
        .into()
}
