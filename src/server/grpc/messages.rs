//! The messages, with the fields that are used. Names and numbers come from the definitions:
//! `envoy/service/auth/v3/{external_auth,attribute_context}.proto`, `envoy/config/core/v3/{address,base}.proto`,
//! `envoy/type/v3/http_status.proto`, `google/rpc/status.proto`, `grpc/health/v1/health.proto`. Other fields are skipped
//! when a message is read.
//!
//! Texts of clients are bytes here: a text that is not UTF-8 must not make the whole message invalid.

use prost::{Message, Oneof};

/// `envoy.config.core.v3.HeaderValue`, or an entry of a map.
#[derive(Clone, PartialEq, Message)]
pub struct MessageHeader {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
    /// Replaces `value` if Envoy's `encode_raw_headers` is on.
    #[prost(bytes = "vec", tag = "3")]
    pub raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub attributes: Option<AttributeContext>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttributeContext {
    #[prost(message, optional, tag = "1")]
    pub source: Option<AttributeContextPeer>,
    #[prost(message, optional, tag = "4")]
    pub request: Option<AttributeContextRequest>,
    #[prost(message, repeated, tag = "10")]
    pub context_extensions: Vec<MessageHeader>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttributeContextPeer {
    #[prost(message, optional, tag = "1")]
    pub address: Option<EnvoyAddress>,
}

#[derive(Clone, PartialEq, Message)]
pub struct EnvoyAddress {
    #[prost(message, optional, tag = "1")]
    pub socket_address: Option<EnvoySocketAddress>,
}

#[derive(Clone, PartialEq, Message)]
pub struct EnvoySocketAddress {
    #[prost(string, tag = "2")]
    pub address: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttributeContextRequest {
    #[prost(message, optional, tag = "2")]
    pub http: Option<AttributeContextHttpRequest>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttributeContextHttpRequest {
    #[prost(string, tag = "2")]
    pub method: String,
    #[prost(message, repeated, tag = "3")]
    pub headers: Vec<MessageHeader>,
    #[prost(bytes = "vec", tag = "4")]
    pub path: Vec<u8>,
    #[prost(string, tag = "5")]
    pub host: String,
    #[prost(message, optional, tag = "13")]
    pub header_map: Option<EnvoyHeaderMap>,
}

#[derive(Clone, PartialEq, Message)]
pub struct EnvoyHeaderMap {
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<MessageHeader>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<RpcStatus>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    pub http_response: Option<HttpResponse>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedHttpResponse),
    #[prost(message, tag = "3")]
    Ok(OkHttpResponse),
}

#[derive(Clone, PartialEq, Message)]
pub struct DeniedHttpResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderValueOption>,
}

#[derive(Clone, PartialEq, Message)]
pub struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderValueOption>,
    #[prost(string, repeated, tag = "5")]
    pub headers_to_remove: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    pub header: Option<MessageHeader>,
    #[prost(int32, tag = "3")]
    pub append_action: i32,
}

/// `HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD`.
pub const OVERWRITE_IF_EXISTS_OR_ADD: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub service: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

impl HealthCheckResponse {
    /// `SERVING` or `NOT_SERVING`.
    pub fn of(is_ready: bool) -> Self {
        Self { status: if is_ready { 1 } else { 2 } }
    }
}
