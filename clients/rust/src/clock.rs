//! The system's clocks. Nothing else of this crate reads them.

use std::time::{Instant, SystemTime};

/// Returns the monotonic time.
#[expect(clippy::disallowed_methods, reason = "a client's clock is the system's")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Returns the wall-clock time.
#[expect(clippy::disallowed_methods, reason = "a client's clock is the system's")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
