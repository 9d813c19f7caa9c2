//! Requests to the admin plane without valid credentials: each is counted, and at most one line a second is logged.

use prometheus_client::metrics::counter::Counter;

use super::context::CallContext;
use crate::clock::Clock;
use crate::logging::RepeatedFault;

/// Counts and logs requests without valid credentials.
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

    /// Adds a request.
    pub fn add(&self, context: &CallContext) {
        self.counter.inc();
        if let Some(due) = self.fault.due(self.clock.boottime_ms()) {
            tracing::warn!(
                address = context.address.map(tracing::field::display),
                request_id = context.request_id.as_str(),
                suppressed = due.suppressed,
                "admin request refused: no valid credentials"
            );
        }
    }
}
