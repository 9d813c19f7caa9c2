//! The gRPC methods.
//!
//! | method | answered in |
//! |---|---|
//! | `envoy.service.auth.v3.Authorization/Check` | `check` |
//! | `grpc.health.v1.Health/Check` | here, as `/readyz` |

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response, StatusCode};
use prost::Message as _;

use super::check;
use super::memory::{HeldMessage, MessageMemory};
use super::messages::{CheckRequest, CheckResponse, HealthCheckRequest, HealthCheckResponse};
use super::response::{GRPC, error_response, message_response};
use super::status::{GrpcCallError, GrpcCode};
use crate::server::auth::plane::ValidationPlane;
use crate::server::request::span::sampled_parent;
use crate::server::transport::body::Body;
use crate::server::transport::response::{Reply, empty};

/// The gRPC services of one runtime.
pub struct GrpcPlane {
    /// Decides as over HTTP.
    pub validation: Arc<ValidationPlane>,
    /// The longest time until the message of a call has arrived.
    pub request_timeout: Duration,
}

impl GrpcPlane {
    /// Answers a call. `memory` belongs to its connection.
    pub fn respond(self: &Arc<Self>, request: Request<Incoming>, memory: &MessageMemory) -> Reply {
        let is_grpc = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
            let rest = value.as_bytes().strip_prefix(GRPC.as_bytes());
            rest.is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
        });
        if request.method() != Method::POST || !is_grpc {
            return Reply::now(empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let (grpc, memory) = (self.clone(), memory.clone());
        Reply::later(async move { grpc.call(request, memory).await.unwrap_or_else(error_response) })
    }

    async fn call(
        &self,
        request: Request<Incoming>,
        memory: MessageMemory,
    ) -> Result<Response<Body>, GrpcCallError> {
        match request.uri().path() {
            "/envoy.service.auth.v3.Authorization/Check" => {
                let answer =
                    self.check(request, memory).await.inspect_err(|(code, _)| self.log_failure(*code));
                Ok(message_response(&answer?))
            }
            "/grpc.health.v1.Health/Check" => {
                let message = self.message(request, memory).await?;
                let request = HealthCheckRequest::decode(message.content());
                let request = request.map_err(|_| (GrpcCode::InvalidArgument, "not a HealthCheckRequest"))?;
                if !["", "envoy.service.auth.v3.Authorization"].contains(&&*request.service) {
                    return Err((GrpcCode::NotFound, "no such service"));
                }
                Ok(message_response(&HealthCheckResponse::of(self.validation.readiness.is_ready())))
            }
            _ => Err((GrpcCode::Unimplemented, "no such method")),
        }
    }

    async fn check(
        &self,
        request: Request<Incoming>,
        memory: MessageMemory,
    ) -> Result<CheckResponse, GrpcCallError> {
        let parent = self
            .validation
            .tracer
            .as_ref()
            .and_then(|_| sampled_parent(request.headers(), &self.validation.settings.places));
        match self.message(request, memory).await {
            Ok(message) => {
                let request = CheckRequest::decode(message.content());
                let request = request.map_err(|_| (GrpcCode::InvalidArgument, "not a CheckRequest"))?;
                drop(message);
                Ok(check::check(&self.validation, request, parent).await)
            }
            // With Envoy's `failure_mode_allow`, a failed call lets the request pass, and clients could cause these
            // failures: by a head that is too large to be judged, or by many requests.
            Err((GrpcCode::ResourceExhausted, _)) => Ok(check::too_large(&self.validation)),
            Err((GrpcCode::Unavailable, _)) => Ok(check::no_room(&self.validation)),
            Err(error) => Err(error),
        }
    }

    /// Logs a check that failed before its request was known.
    fn log_failure(&self, code: GrpcCode) {
        if let Some((result, status)) = code.of_failed_check() {
            self.validation.log_failure(result, status);
        }
    }

    async fn message(
        &self,
        request: Request<Incoming>,
        memory: MessageMemory,
    ) -> Result<HeldMessage, GrpcCallError> {
        let read = memory.read(request.into_body());
        tokio::time::timeout(self.request_timeout, read)
            .await
            .map_err(|_| (GrpcCode::DeadlineExceeded, "the message did not arrive in time"))?
    }
}
