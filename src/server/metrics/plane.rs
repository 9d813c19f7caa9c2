//! The listener of `metrics-listen`: the metrics without an API key, and the probes. Nothing else.

use std::sync::Arc;

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use hyper::{Method, Request, Response, StatusCode};

use crate::node::metrics::{Metrics, TextFormat};
use crate::node::readiness::Readiness;
use crate::server::transport::body::Body;
use crate::server::transport::response::{Reply, empty, method_not_allowed, with_body};

/// Answers the requests of scrapers.
pub struct MetricsPlane {
    /// The answer of `/metrics`.
    pub metrics: Arc<Metrics>,
    /// The answer of `/readyz`.
    pub readiness: Readiness,
}

impl MetricsPlane {
    /// Answers a request. Its query is ignored, and its body is not read.
    pub fn respond<B>(&self, request: &Request<B>) -> Reply {
        let path = request.uri().path();
        let is_known = matches!(path, "/metrics" | "/livez" | "/readyz");
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        let response = match path {
            _ if is_known && !is_get => method_not_allowed("GET, HEAD"),
            "/metrics" => metrics_response(&self.metrics, request.headers()),
            "/livez" => empty(StatusCode::OK),
            "/readyz" => self.readiness.response(),
            _ => empty(StatusCode::NOT_FOUND),
        };
        Reply::now(response)
    }
}

/// Builds the response in the format that `Accept` asks for.
pub fn metrics_response(metrics: &Metrics, headers: &HeaderMap) -> Response<Body> {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let format = TextFormat::accepted(&accept.collect::<Vec<_>>().join(","));
    let mut response = with_body(StatusCode::OK, metrics.text(format));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}
