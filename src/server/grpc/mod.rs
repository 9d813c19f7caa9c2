//! gRPC: Envoy's external authorization, and the health service. One message in, one out, on hyper's HTTP/2.
//!
//! | method | answers |
//! |---|---|
//! | `envoy.service.auth.v3.Authorization/Check` | `check` |
//! | `grpc.health.v1.Health/Check` | as `/readyz` |
//!
//! The messages are kept by hand (`messages`): tonic and envoy-types bring 25 crates and 89,000 lines for these two
//! methods, and double the time of a build; what gRPC asks of a server of theirs is the frame below.

pub mod check;
pub mod messages;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::messages::{HealthCheckRequest, HealthCheckResponse};
use crate::server::auth::plane::Validation;
use crate::server::transport::body::Body;
use crate::server::transport::reply::Reply;
use crate::server::transport::response::empty;

/// The most bytes of a message. Envoy takes heads of up to 60 KiB and sends certificates beside them.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// The most bytes of messages that a connection holds before they are judged; a call beyond that is denied with 503.
/// Envoy sends whole messages one after the other, so that few are there in part.
const MAX_HELD_MESSAGE_BYTES: usize = 4 * MAX_MESSAGE_BYTES;
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
    Unavailable = 14,
}

/// Why a call has no answer: its code, and a sentence for people.
type Failure = (Code, &'static str);

/// What the messages of one connection may still take of the memory.
#[derive(Clone)]
pub struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_HELD_MESSAGE_BYTES)))
    }
}

/// A message, prefix included, and its part of the budget.
struct HeldMessage {
    bytes: Vec<u8>,
    held: Option<OwnedSemaphorePermit>,
}

/// The gRPC services of one runtime.
pub struct Grpc {
    /// Decides; the same as over HTTP.
    pub validation: Arc<Validation>,
    /// A call's message must have arrived after this.
    pub request_timeout: Duration,
}

impl Grpc {
    /// Answers a call; `budget` is that of its connection.
    pub fn respond(self: &Arc<Self>, request: Request<Incoming>, budget: &Budget) -> Reply {
        let is_grpc = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .strip_prefix(GRPC.as_bytes())
                .is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
        });
        if request.method() != Method::POST || !is_grpc {
            return Reply::now(empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let (grpc, budget) = (self.clone(), budget.clone());
        Reply::later(async move { grpc.call(request, budget).await.unwrap_or_else(failed) })
    }

    async fn call(&self, request: Request<Incoming>, budget: Budget) -> Result<Response<Body>, Failure> {
        match request.uri().path() {
            "/envoy.service.auth.v3.Authorization/Check" => {
                let answer = match self.message(request, budget).await {
                    Ok(message) => {
                        let request = messages::CheckRequest::decode(message.content());
                        let request = request.map_err(|_| (Code::InvalidArgument, "not a CheckRequest"))?;
                        drop(message);
                        check::check(&self.validation, request).await
                    }
                    // A failed call lets everybody pass where Envoy's failure_mode_allow is on, and a client may
                    // make its own head too large to be judged.
                    Err((Code::ResourceExhausted, _)) => check::too_large(),
                    Err((Code::Unavailable, _)) => check::no_room(),
                    Err(failure) => return Err(failure),
                };
                Ok(answered(&answer))
            }
            "/grpc.health.v1.Health/Check" => {
                let message = self.message(request, budget).await?;
                let request = HealthCheckRequest::decode(message.content());
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
    async fn message(&self, request: Request<Incoming>, budget: Budget) -> Result<HeldMessage, Failure> {
        let read = budget.read(request.into_body());
        let message = match tokio::time::timeout(self.request_timeout, read).await {
            Ok(message) => message?,
            Err(_) => return Err((Code::DeadlineExceeded, "the message did not arrive in time")),
        };
        let Some((&[is_compressed, length @ ..], content)) =
            message.bytes.split_first_chunk::<PREFIX_BYTES>()
        else {
            return Err((Code::InvalidArgument, "there is no message"));
        };
        if is_compressed != 0 {
            return Err((Code::Unimplemented, "compressed messages are not read"));
        }
        if usize::try_from(u32::from_be_bytes(length)) != Ok(content.len()) {
            return Err((Code::InvalidArgument, "there is not one whole message"));
        }
        Ok(message)
    }
}

impl Budget {
    async fn read(&self, mut body: Incoming) -> Result<HeldMessage, Failure> {
        let mut message = HeldMessage { bytes: Vec::new(), held: None };
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err((Code::InvalidArgument, "the message broke off")) };
            let Ok(data) = frame.into_data() else { continue };
            if message.bytes.len() + data.len() > MAX_MESSAGE_BYTES + PREFIX_BYTES {
                return Err((Code::ResourceExhausted, "the message is too long"));
            }
            let part = self.0.clone().try_acquire_many_owned(data.len() as u32);
            let Ok(part) = part else { return Err((Code::Unavailable, "too many messages at once")) };
            match &mut message.held {
                Some(held) => held.merge(part),
                none => *none = Some(part),
            }
            // Copied, because a frame, however short, keeps the whole buffer that it was read into.
            message.bytes.extend_from_slice(&data);
        }
        Ok(message)
    }
}

impl HeldMessage {
    fn content(&self) -> &[u8] {
        self.bytes.get(PREFIX_BYTES..).unwrap_or_default()
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
