//! Requests to the admin plane without valid credentials: all are counted, and the log gets a line a second at most.

use std::net::IpAddr;

use prometheus_client::metrics::counter::Counter;

use crate::clock::Clock;
use crate::logging::RepeatedFault;

/// See the module.
pub struct Refusals {
    clock: Clock,
    counter: Counter,
    fault: RepeatedFault,
}

impl Refusals {
    /// None so far; `counter` counts them.
    pub fn new(clock: Clock, counter: Counter) -> Self {
        Self { clock, counter, fault: RepeatedFault::default() }
    }

    /// One more, from this address.
    pub fn add(&self, address: Option<IpAddr>) {
        self.counter.inc();
        if let Some(due) = self.fault.due(self.clock.boottime_ms()) {
            let address = address.map(tracing::field::display);
            tracing::warn!(
                address,
                suppressed = due.suppressed,
                "admin request refused: no valid credentials"
            );
        }
    }
}
