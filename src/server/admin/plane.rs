//! The parts that the admin plane of a node works with.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::api_keys::ApiKeys;
use super::event_stream::FeedReaders;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::logging::{DueLine, RepeatedFault};
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

/// Counts requests without a valid API key, and limits their lines.
pub struct UnauthorizedLog {
    clock: Clock,
    counter: Counter,
    fault: RepeatedFault,
}

impl UnauthorizedLog {
    /// `counter` counts the requests.
    pub fn new(clock: Clock, counter: Counter) -> Self {
        Self { clock, counter, fault: RepeatedFault::default() }
    }

    /// Adds a request, and returns `Some` if it is to be logged.
    pub fn add(&self) -> Option<DueLine> {
        self.counter.inc();
        self.fault.due(self.clock.boottime_ms())
    }
}
