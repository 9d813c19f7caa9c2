//! The span of a request, by OpenTelemetry's semantic conventions for HTTP and gRPC servers.
//!
//! Paths and queries may contain users and secrets, so `url.path` is the route, and the query is left out. The user and
//! the token's id are left out, too.

use hyper::header::HeaderName;
use hyper::{Response, StatusCode};
use opentelemetry::trace::{SpanContext, SpanKind};

use crate::request::headers::RequestHeaders;
use crate::request::origin::RequestOrigin;
use crate::request::places::CredentialPlaces;
use crate::request::repeated::repeats_credential;
use crate::server::transport::body::Body;
use crate::server::transport::response::Reply;
use crate::telemetry::{OpenSpan, Tracer, trace_context, within};
use crate::values::TrustedProxies;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The methods that conventions name; the attribute of any other one is `_OTHER`.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
/// The text in place of a path that may contain anything.
const REDACTED: &str = "REDACTED";

/// Starts the spans of a listener's requests.
#[derive(Clone)]
pub struct RequestTracer {
    /// Starts the spans.
    pub tracer: Tracer,
    /// Whether the listener speaks TLS.
    pub is_tls: bool,
    /// The proxies whose forwarding headers count.
    pub trusted_proxies: TrustedProxies,
}

/// Returns the parent of a request's span, if the request has one valid `traceparent` whose sampled flag is set. A line
/// that repeats a credential of the request is not sent on: it counts as absent.
pub fn sampled_parent(
    headers: &(impl RequestHeaders + ?Sized),
    places: &CredentialPlaces,
) -> Option<SpanContext> {
    let mut lines = headers.values(&TRACEPARENT);
    let line = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    let parent = trace_context::sampled_parent(line)?;
    if repeats_credential(line, headers, places) {
        return None;
    }
    let states = headers.values(&TRACESTATE);
    Some(trace_context::with_state(parent, states.filter(|line| !repeats_credential(line, headers, places))))
}

impl RequestTracer {
    /// Begins the span of an HTTP request, if its parent is sampled. `route` is asked only then; `None` is an unknown path.
    pub fn begin<H: RequestHeaders + ?Sized>(
        &self,
        origin: &RequestOrigin<'_, H>,
        places: &CredentialPlaces,
        route: impl FnOnce() -> Option<&'static str>,
    ) -> Option<Box<RequestSpan>> {
        let parent = sampled_parent(origin.headers, places)?;
        Some(self.begin_http(origin, &parent, route()))
    }

    #[cold]
    fn begin_http<H: RequestHeaders + ?Sized>(
        &self,
        origin: &RequestOrigin<'_, H>,
        parent: &SpanContext,
        route: Option<&'static str>,
    ) -> Box<RequestSpan> {
        let method = METHODS.into_iter().find(|known| *known == origin.method);
        let name =
            [Some(method.unwrap_or("HTTP")), route].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let mut span = self.tracer.start(name, SpanKind::Server, parent);
        span.set("http.request.method", method.unwrap_or("_OTHER"));
        span.set("url.scheme", if self.is_tls { "https" } else { "http" });
        span.set("url.path", route.unwrap_or(REDACTED));
        if let Some(route) = route {
            span.set("http.route", route);
        }
        self.set_client(&mut span, origin);
        Box::new(RequestSpan { span, is_http: true })
    }

    /// Begins the span of a gRPC call below this parent.
    #[cold]
    pub fn begin_call<H: RequestHeaders + ?Sized>(
        &self,
        method: &'static str,
        parent: &SpanContext,
        origin: &RequestOrigin<'_, H>,
    ) -> Box<RequestSpan> {
        let mut span = self.tracer.start(method, SpanKind::Server, parent);
        span.set("rpc.system.name", "grpc");
        span.set("rpc.method", method);
        span.set("rpc.response.status_code", "OK");
        self.set_client(&mut span, origin);
        Box::new(RequestSpan { span, is_http: false })
    }

    fn set_client<H: RequestHeaders + ?Sized>(&self, span: &mut OpenSpan, origin: &RequestOrigin<'_, H>) {
        if let Some(address) = origin.client_address(&self.trusted_proxies) {
            span.set("client.address", address.to_string());
        }
    }
}

/// The span of a sampled request. It ends when it is dropped.
pub struct RequestSpan {
    span: OpenSpan,
    is_http: bool,
}

impl RequestSpan {
    /// Sets the outcome of an auth subrequest, and whether the store was read for it.
    #[cold]
    pub fn decided(&mut self, result: &'static str, status: StatusCode, has_read: bool) {
        self.span.set("doorward.result", result);
        self.span.set("doorward.source", if has_read { "store" } else { "cache" });
        self.answered(status);
    }

    /// Sets the status of the response. Only server errors make the span fail: conventions demand it.
    pub fn answered(&mut self, status: StatusCode) {
        if self.is_http {
            self.span.set("http.response.status_code", i64::from(status.as_u16()));
        }
        if status.is_server_error() {
            self.span.fail(status.as_str().to_owned());
        }
    }

    /// Names the request as the log and the response do.
    pub fn set_request_id(&mut self, id: &str) {
        self.span.set("doorward.request_id", id.to_owned());
    }

    /// Does work for this span. Its calls of the store become child spans.
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> T {
        within(&self.span, work).await
    }
}

/// Answers a request later, as part of its span if it has one.
pub fn later_within(
    span: Option<Box<RequestSpan>>,
    response: impl Future<Output = Response<Body>> + Send + 'static,
) -> Reply {
    match span {
        None => Reply::later(response),
        Some(mut span) => Reply::later(async move {
            let response = span.within(response).await;
            span.answered(response.status());
            response
        }),
    }
}
