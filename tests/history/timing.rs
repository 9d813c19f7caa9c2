//! The clock of the checker, and what it allows for.

use std::time::Duration;

/// Short, to get many leases into a second.
pub const LEASE_MS: u64 = 500;

/// The node's clock counts whole milliseconds: a lease may seem up to one longer, and the heartbeat's time up to
/// one later. The rest is margin. Nothing is needed for a slow machine, see above.
pub const SLACK_US: u64 = 10_000;

/// Half the endings have reached the other node by then when nothing fails. Usually it takes less than one
/// millisecond; the rest is for a busy machine.
pub const PROMPT_US: u64 = 20_000;

/// The load alone, then the fault, then the load again until the endings of the faulty time are judged.
pub const CALM: Duration = Duration::from_millis(300);

pub const FAULTY_US: u64 = 1_000_000;

pub const AFTERWARDS: Duration = Duration::from_millis(LEASE_MS + 300);

/// Microseconds of the clock that the lease goes by.
pub fn now_us() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1000
}
