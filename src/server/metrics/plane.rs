//! The listener of `metrics-listen`: the metrics without an API key, and the probes. Nothing else.

use std::sync::Arc;

use hyper::{Method, Request, StatusCode};

use super::text::metrics_response;
use crate::node::metrics::Metrics;
use crate::node::readiness::Readiness;
use crate::server::transport::reply::Reply;
use crate::server::transport::response::{empty, method_not_allowed};

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
