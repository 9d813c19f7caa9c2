//! `GET /metrics`: OpenMetrics text for Prometheus. The query is ignored: scrapers may add parameters.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::node::metrics;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::transport::response::with_body;

/// Shows the metrics.
pub async fn show(call: AdminCall<'_>) -> Answer {
    let mut response = with_body(StatusCode::OK, call.admin.metrics.text());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    Ok(response)
}
