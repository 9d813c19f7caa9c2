//! The pace of reconnecting.

use std::time::Duration;

/// The pause before each further attempt to connect: short enough that an outage ends within a second of the
/// server's return.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
