//! The checker's clock and tolerances.

use std::time::Duration;

/// Short, to get many leases into a second.
pub const LEASE_MS: u64 = 500;

/// The node's clock counts whole milliseconds: a lease can appear up to one longer, and a heartbeat up to one later.
/// The rest is margin. A slow machine needs no tolerance (see main.rs).
pub const SLACK_US: u64 = 10_000;

/// Half the revocations reach the other node within this time when nothing fails. Less than one millisecond is usual;
/// the rest is for a busy machine.
pub const PROMPT_US: u64 = 20_000;

/// The load runs alone, then with the fault, then alone until the revocations made during the fault are judged.
pub const CALM: Duration = Duration::from_millis(300);

pub const FAULTY_US: u64 = 1_000_000;

pub const AFTERWARDS: Duration = Duration::from_millis(LEASE_MS + 300);

/// Returns microseconds of the clock that leases are measured with.
pub fn now_us() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1000
}

/// After Redis lost writes, how long the load runs alone: the nodes settle for 3 s (`REPLAY_SETTLE`), and the
/// revocations made until then are judged.
pub const SETTLED: Duration = Duration::from_millis(3_000 + LEASE_MS + 300);
