//! The tower layer.

use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::error::Unavailable;
use crate::identity::Identity;
use crate::request::ClientRequest;
use crate::validator::Checker;
use crate::verdict::{Anonymous, Refusal, Verdict};

type ClientIp = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// Lets only requests with a valid token pass, and puts the user's [`Identity`] into the request's extensions.
///
/// A request without a valid token gets 401 with `WWW-Authenticate`. A request during an outage gets 503 with `Retry-After`.
#[derive(Clone)]
pub struct AuthLayer<C> {
    checker: C,
    rules: Rules,
}

#[derive(Clone)]
struct Rules {
    anonymous: Anonymous,
    scheme: &'static str,
    client_ip: Option<Arc<ClientIp>>,
}

impl<C: Checker> AuthLayer<C> {
    /// Makes a layer that asks a [`Validator`](crate::Validator), a [`Batcher`](crate::Batcher), or a checker of your own.
    pub fn new(checker: C) -> Self {
        let rules = Rules { anonymous: Anonymous::Refused, scheme: "http", client_ip: None };
        Self { checker, rules }
    }

    /// Lets requests without a valid token pass, too, without an identity.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.rules.anonymous = Anonymous::Allowed;
        self
    }

    /// Tells Doorward that clients use `https`. The default is `http`.
    #[must_use]
    pub fn https(mut self) -> Self {
        self.rules.scheme = "https";
        self
    }

    /// Tells Doorward the client's address. It must come from the connection or from a proxy that you trust.
    #[must_use]
    pub fn client_ip(mut self, client_ip: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.rules.client_ip = Some(Arc::new(client_ip));
        self
    }
}

impl<C: fmt::Debug> fmt::Debug for AuthLayer<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("AuthLayer");
        shown.field("checker", &self.checker).field("anonymous", &self.rules.anonymous);
        shown.field("scheme", &self.rules.scheme).finish_non_exhaustive()
    }
}

impl<C: Checker, S> Layer<S> for AuthLayer<C> {
    type Service = AuthService<C, S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService { checker: self.checker.clone(), rules: self.rules.clone(), inner }
    }
}

/// The service of an [`AuthLayer`].
#[derive(Clone)]
pub struct AuthService<C, S> {
    checker: C,
    rules: Rules,
    inner: S,
}

impl<C, S> fmt::Debug for AuthService<C, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthService").finish_non_exhaustive()
    }
}

impl<C, S, B, R> Service<Request<B>> for AuthService<C, S>
where
    C: Checker,
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Only the service that was polled is ready; the clone is not.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let (checker, rules) = (self.checker.clone(), self.rules.clone());
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let verdict = {
                let client = rules.client_ip.as_ref().and_then(|client_ip| client_ip(&parts));
                let described = ClientRequest::from(&parts).with_scheme(rules.scheme).with_client(client);
                checker.check(&described, rules.anonymous).await
            };
            match verdict {
                Ok(Verdict::Allowed(identity)) => {
                    Identity::attach(identity, &mut parts.extensions);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Ok(Verdict::Refused(refusal)) => Ok(refusal.to_response()),
                Err(error) => Ok(error.to_response()),
            }
        })
    }
}

impl Refusal {
    /// Returns the answer to the client, without a body.
    pub fn to_response<B: Default>(&self) -> Response<B> {
        empty(self.status, self.headers.clone())
    }
}

impl Unavailable {
    /// Returns the answer to the client: 503 with `Retry-After`, without a body.
    pub fn to_response<B: Default>(&self) -> Response<B> {
        let retry_after = (RETRY_AFTER, HeaderValue::from(self.retry_after().as_secs().max(1)));
        empty(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::from_iter([retry_after]))
    }
}

fn empty<B: Default>(status: StatusCode, headers: HeaderMap) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
