//! gRPC: Envoy's external authorization, and the health service. One message in, one out, on hyper's HTTP/2.
//!
//! | method | answers |
//! |---|---|
//! | `envoy.service.auth.v3.Authorization/Check` | `check` |
//! | `grpc.health.v1.Health/Check` | as `/readyz` |
//!
//! The messages are kept by hand (`messages`): tonic and envoy-types bring 25 crates and 89,000 lines for these two
//! methods, and double the time of a build; what gRPC asks of a server of theirs is the frame below.

mod check;
mod messages;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use prost::Message;

use self::messages::{HealthCheckRequest, HealthCheckResponse};
use crate::http::connection::Reply;
use crate::http::validation::Validation;
use crate::http::{Body, empty};

/// The most bytes of a message. Envoy takes heads of up to 60 KiB and sends certificates beside them.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// A message is preceded by whether it is compressed, and by its length.
const PREFIX_BYTES: usize = 5;

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// What a call came to, as `grpc-status` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Ok = 0,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    Unimplemented = 12,
}

/// Why a call has no answer: its code, and a sentence for people.
type Failure = (Code, &'static str);

/// The gRPC services of one runtime.
pub struct Grpc {
    /// Decides; the same as over HTTP.
    pub validation: Arc<Validation>,
    /// A call's message must have arrived after this.
    pub request_timeout: Duration,
}

impl Grpc {
    /// Answers a call.
    pub fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        let is_grpc = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .strip_prefix(GRPC.as_bytes())
                .is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
        });
        if request.method() != Method::POST || !is_grpc {
            return Reply::now(empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let grpc = self.clone();
        Reply::later(async move { grpc.call(request).await.unwrap_or_else(failed) })
    }

    async fn call(&self, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
        match request.uri().path() {
            "/envoy.service.auth.v3.Authorization/Check" => {
                let answer = match self.message(request).await {
                    Ok(message) => {
                        let request = messages::CheckRequest::decode(&*message);
                        let request = request.map_err(|_| (Code::InvalidArgument, "not a CheckRequest"))?;
                        check::check(&self.validation, request).await
                    }
                    // A failed call lets everybody pass where Envoy's failure_mode_allow is on, and a client may
                    // make its own head too large to be judged.
                    Err((Code::ResourceExhausted, _)) => check::too_large(),
                    Err(failure) => return Err(failure),
                };
                Ok(answered(&answer))
            }
            "/grpc.health.v1.Health/Check" => {
                let message = self.message(request).await?;
                let request = HealthCheckRequest::decode(&*message);
                let request = request.map_err(|_| (Code::InvalidArgument, "not a HealthCheckRequest"))?;
                if !["", "envoy.service.auth.v3.Authorization"].contains(&&*request.service) {
                    return Err((Code::NotFound, "no such service"));
                }
                Ok(answered(&HealthCheckResponse::of(self.validation.readiness.is_ready())))
            }
            _ => Err((Code::Unimplemented, "no such method")),
        }
    }

    /// The one message of a call.
    async fn message(&self, request: Request<Incoming>) -> Result<Bytes, Failure> {
        let body = Limited::new(request.into_body(), MAX_MESSAGE_BYTES + PREFIX_BYTES).collect();
        let body = match tokio::time::timeout(self.request_timeout, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return Err((Code::ResourceExhausted, "the message is too long"));
            }
            Ok(Err(_)) => return Err((Code::InvalidArgument, "the message broke off")),
            Err(_) => return Err((Code::DeadlineExceeded, "the message did not arrive in time")),
        };
        let Some((&[is_compressed, length @ ..], _)) = body.split_first_chunk::<PREFIX_BYTES>() else {
            return Err((Code::InvalidArgument, "there is no message"));
        };
        if is_compressed != 0 {
            return Err((Code::Unimplemented, "compressed messages are not read"));
        }
        let message = body.slice(PREFIX_BYTES..);
        if usize::try_from(u32::from_be_bytes(length)) != Ok(message.len()) {
            return Err((Code::InvalidArgument, "there is not one whole message"));
        }
        Ok(message)
    }
}

fn answered(message: &impl Message) -> Response<Body> {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + length);
    bytes.push(0);
    // Answers are made of bounded fields.
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    // Writing to a Vec cannot fail.
    let _ = message.encode(&mut bytes);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(&GRPC_STATUS, HeaderValue::from(Code::Ok as u16));
    let mut response = Response::new(Body::new(bytes.into()).with_trailers(trailers));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// An answer without a message: its status is in the head.
fn failed((code, message): Failure) -> Response<Body> {
    const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');
    let message = utf8_percent_encode(message, ESCAPED).to_string();
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(&GRPC_STATUS, HeaderValue::from(code as u16));
    headers.extend(HeaderValue::from_str(&message).ok().map(|message| (GRPC_MESSAGE.clone(), message)));
    response
}
