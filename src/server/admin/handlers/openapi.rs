//! `GET /openapi.json`: the OpenAPI 3.1 document.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::server::transport::body::Body;
use crate::server::transport::response::with_body;

/// All calls of both planes. Tests compare the document with the table of routes and with real answers.
pub const OPENAPI: &str = include_str!("../../../../docs/openapi.json");

/// Builds the answer. It needs no API key: the document is public anyway.
pub fn document() -> Response<Body> {
    let mut response = with_body(StatusCode::OK, OPENAPI);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
