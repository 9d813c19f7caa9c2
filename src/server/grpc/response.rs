//! Responses of gRPC calls.

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use prost::Message;

use super::memory::PREFIX_BYTES;
use super::status::{GrpcCallError, GrpcCode};
use crate::server::transport::body::Body;

pub(super) const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Builds the response with a message.
pub(super) fn message_response(message: &impl Message) -> Response<Body> {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + length);
    bytes.push(0);
    // Cannot overflow: all fields of the messages are bounded.
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    // Writing to a Vec cannot fail.
    let _ = message.encode(&mut bytes);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(&GRPC_STATUS, HeaderValue::from(GrpcCode::Ok as u16));
    let mut response = Response::new(Body::new(bytes.into()).with_trailers(trailers));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// Builds the response of a failed call. Without a message, the status is in the head.
pub(super) fn error_response((code, message): GrpcCallError) -> Response<Body> {
    const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');
    let message = utf8_percent_encode(message, ESCAPED).to_string();
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(&GRPC_STATUS, HeaderValue::from(code as u16));
    headers.extend(HeaderValue::from_str(&message).ok().map(|message| (GRPC_MESSAGE.clone(), message)));
    response
}
