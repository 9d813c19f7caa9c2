//! The answer to `GET /metrics`, on both listeners that have it.

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use hyper::{Response, StatusCode};

use crate::node::metrics::{Metrics, TextFormat};
use crate::server::transport::body::Body;
use crate::server::transport::response::with_body;

/// Builds the response in the format that `Accept` asks for.
pub fn metrics_response(metrics: &Metrics, headers: &HeaderMap) -> Response<Body> {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let format = TextFormat::accepted(&accept.collect::<Vec<_>>().join(","));
    let mut response = with_body(StatusCode::OK, metrics.text(format));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}
