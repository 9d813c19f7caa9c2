//! Requests to the admin plane without a valid API key: each is counted, and at most one line a second is logged.

use prometheus_client::metrics::counter::Counter;

use crate::clock::Clock;
use crate::logging::{DueLine, RepeatedFault};

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
