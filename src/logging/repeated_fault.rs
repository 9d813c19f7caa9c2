//! Limits the log lines of a fault that occurs again and again.

use std::sync::{Mutex, PoisonError};

/// By default, a repeated fault is logged at most once in this time.
const REPEAT_INTERVAL_MS: u64 = 1_000;

/// Decides which occurrences of a fault are logged: by default, at most one per second.
#[derive(Debug)]
pub struct RepeatedFault {
    interval_ms: u64,
    repeats: Mutex<Repeats>,
}

impl Default for RepeatedFault {
    fn default() -> Self {
        Self::every_ms(REPEAT_INTERVAL_MS)
    }
}

#[derive(Debug, Default)]
struct Repeats {
    silent_until_ms: u64,
    suppressed: u64,
}

/// An occurrence of the fault that is to be logged.
#[derive(Debug, PartialEq, Eq)]
pub struct DueLine {
    /// The number of occurrences since the last line that were not logged. `None` instead of 0, so that the line then has
    /// no such field.
    pub suppressed: Option<u64>,
}

impl RepeatedFault {
    /// Lets at most one occurrence be logged in each interval.
    pub fn every_ms(interval_ms: u64) -> Self {
        Self { interval_ms, repeats: Mutex::default() }
    }

    /// Counts an occurrence, and returns `Some` if it is to be logged. `now_ms` comes from a monotonic clock.
    pub fn due(&self, now_ms: u64) -> Option<DueLine> {
        let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms < repeats.silent_until_ms {
            repeats.suppressed += 1;
            return None;
        }
        repeats.silent_until_ms = now_ms + self.interval_ms;
        let suppressed = std::mem::take(&mut repeats.suppressed);
        Some(DueLine { suppressed: (suppressed > 0).then_some(suppressed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_fault_is_logged_once_a_second_with_a_count() {
        let fault = RepeatedFault::default();
        let mut suppressed = |now_ms| fault.due(now_ms).map(|due| due.suppressed);
        assert_eq!([5, 5, 6].map(&mut suppressed), [Some(None), None, None]);
        assert_eq!(suppressed(5 + REPEAT_INTERVAL_MS - 1), None);
        assert_eq!([1_005, 1_006].map(&mut suppressed), [Some(Some(3)), None]);
        assert_eq!(suppressed(60_000), Some(Some(1)));
        assert_eq!(suppressed(70_000), Some(None));
    }
}
