//! The span of a call to Redis, for tasks that work for a sampled request (OpenTelemetry's conventions for databases).

use crate::store::error::StoreError;
use crate::telemetry::{OpenSpan, client_span};

/// The span of one call, or nothing if the current task works for no sampled request. It ends when it is dropped.
pub(crate) struct RedisSpan(Option<Box<OpenSpan>>);

impl RedisSpan {
    /// Begins the span of a command.
    pub(crate) fn of_command(command: &'static str) -> Self {
        let mut span = Self::begin(command);
        if let Some(span) = &mut span.0 {
            span.set("db.operation.name", command);
        }
        span
    }

    /// Begins the span of an operation, which may be several commands on one connection.
    pub(crate) fn of_operation() -> Self {
        Self::begin("redis")
    }

    fn begin(name: &'static str) -> Self {
        let mut span = client_span(name);
        if let Some(span) = &mut span {
            span.set("db.system.name", "redis");
        }
        Self(span)
    }

    /// Ends the span with the outcome of its call.
    pub(crate) fn end<T>(self, outcome: &Result<T, StoreError>) {
        if let (Some(mut span), Err(error)) = (self.0, outcome) {
            span.fail(error.kind());
        }
    }
}
