//! The parts that the admin plane of a node works with.

use std::sync::Arc;
use std::time::Duration;

use super::api_keys::ApiKeys;
use super::event_stream::FeedReaders;
use super::unauthorized_log::UnauthorizedLog;
use crate::entropy::Entropy;
use crate::node::metrics::Metrics;
use crate::node::readiness::Readiness;
use crate::node::reporter::Reporter;
use crate::request_check::settings::ValidationSettings;
use crate::server::metrics::admin_calls::AdminCalls;
use crate::server::metrics::connections::ConnectionsByListener;
use crate::server::reload::status::ReloadStatus;
use crate::server::request::span::RequestTracer;
use crate::service::Service;
use crate::validation::Validator;

/// The admin plane of a node.
pub struct AdminPlane {
    /// The use cases.
    pub service: Arc<Service>,
    /// Validates the tokens of batches and introspections, on the runtime of the admin plane.
    pub validator: Validator,
    /// The settings of the validation plane, which batches share.
    pub settings: ValidationSettings,
    /// Makes the ids of requests.
    pub entropy: Entropy,
    /// The API keys that callers may use.
    pub api_keys: Arc<ApiKeys>,
    /// Counts requests without valid credentials.
    pub unauthorized: UnauthorizedLog,
    /// Starts the spans of sampled requests; `None` without tracing.
    pub tracer: Option<RequestTracer>,
    /// Answers `/v1/events`.
    pub feed: FeedReaders,
    /// Counts and times the calls.
    pub calls: AdminCalls,
    /// The connections of all listeners, for `/v1/stats`.
    pub connections: ConnectionsByListener,
    /// Answers `/metrics` and `/v1/stats`.
    pub metrics: Arc<Metrics>,
    /// Answers `/v1/nodes`.
    pub reporter: Arc<Reporter>,
    /// Answers `/readyz` and `/v1/status`.
    pub readiness: Readiness,
    /// Answers `/v1/status`: the last reload of the settings.
    pub reload: Arc<ReloadStatus>,
    /// Whether the console is served.
    pub console: bool,
    /// The time within which a body must arrive.
    pub request_timeout: Duration,
}
