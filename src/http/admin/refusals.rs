//! What is told of requests without good credentials. Whoever can reach the admin plane can send any number of them: all
//! are counted, and the log gets a line a second at most.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;

use crate::clock::Clock;

/// From one line to the next, at least.
const SILENCE_MS: u64 = 1_000;

/// See the module.
pub struct Refusals {
    clock: Clock,
    counter: Counter,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    silent_until_ms: u64,
    /// Refusals since the last line.
    untold: u64,
}

impl Refusals {
    /// None so far; `counter` counts them.
    pub fn new(clock: Clock, counter: Counter) -> Self {
        Self { clock, counter, log: Mutex::default() }
    }

    /// One more, from this address.
    pub fn add(&self, address: Option<IpAddr>) {
        self.counter.inc();
        if let Some(untold) = self.due() {
            let address = address.map(tracing::field::display);
            tracing::warn!(
                address,
                untold,
                "the admin plane refused a request without good credentials; untold ones came before it"
            );
        }
    }

    /// Whether this one gets a line; then how many before it got none.
    fn due(&self) -> Option<u64> {
        let now_ms = self.clock.boottime_ms();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms < log.silent_until_ms {
            log.untold += 1;
            return None;
        }
        log.silent_until_ms = now_ms + SILENCE_MS;
        Some(std::mem::take(&mut log.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_second_tells_how_many_got_none() {
        let clock = Clock::manual(0);
        let refusals = Refusals::new(clock.clone(), Counter::default());
        assert_eq!([(); 3].map(|()| refusals.due()), [Some(0), None, None]);
        clock.advance_ms(SILENCE_MS - 1);
        assert_eq!(refusals.due(), None);
        clock.advance_ms(1);
        assert_eq!([(); 2].map(|()| refusals.due()), [Some(3), None]);
        clock.advance_ms(60_000);
        assert_eq!(refusals.due(), Some(1));
        refusals.add(None);
        assert_eq!(refusals.counter.get(), 1);
    }
}
