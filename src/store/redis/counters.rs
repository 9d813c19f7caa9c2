//! Counts what happens on the connections to Redis, by what the connections are for.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::histogram::Histogram;
use redis::RedisError;

use crate::named_enum::named_enum;

named_enum! {
    /// The purpose of a connection.
    pub enum ConnectionUse {
        /// Look-ups of validations.
        LookUp => "lookup",
        /// Operations of the admin plane and of the workers, over the pools.
        Operation => "operation",
        /// Invalidations and heartbeats.
        Tracking => "tracking",
        /// The live feed.
        Events => "events",
    }
}

named_enum! {
    /// The kinds of errors.
    pub enum RedisErrorKind {
        /// No answer in time.
        Timeout => "timeout",
        /// The connection cannot be made, or broke.
        Connection => "connection",
        /// The server answered with an error.
        Server => "server",
        /// The answer is malformed.
        Malformed => "malformed",
    }
}

impl RedisErrorKind {
    /// Returns the kind of an error of the redis crate.
    pub(crate) fn of(error: &RedisError) -> Self {
        match error {
            error if error.is_timeout() => Self::Timeout,
            error if error.is_io_error() || error.is_connection_dropped() => Self::Connection,
            error if error.kind() == redis::ErrorKind::Parse => Self::Malformed,
            _ => Self::Server,
        }
    }
}

/// The upper bounds of the buckets of waits for a connection, in seconds.
const POOL_WAIT_BOUNDS: [f64; 9] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0];

/// The counters of a node's connections to Redis.
#[derive(Debug)]
pub struct RedisCounters {
    uses: [UseCounters; ConnectionUse::ALL.len()],
    /// How long operations waited for a connection of their pool, in seconds.
    pub pool_wait: Histogram,
}

/// The counters of one use. Validation threads share the counters of look-ups: one addition for each pipeline.
#[derive(Debug, Default)]
#[repr(align(128))]
struct UseCounters {
    round_trips: AtomicU64,
    reconnects: AtomicU64,
    errors: [AtomicU64; RedisErrorKind::ALL.len()],
}

impl Default for RedisCounters {
    fn default() -> Self {
        Self { uses: Default::default(), pool_wait: Histogram::new(POOL_WAIT_BOUNDS) }
    }
}

impl RedisCounters {
    /// Counts a round trip: one command or one pipeline.
    pub(crate) fn count_round_trip(&self, of: ConnectionUse) {
        self.uses[of as usize].round_trips.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection, or a pool of them, that worked, was lost, and is made again.
    pub(crate) fn count_reconnect(&self, of: ConnectionUse) {
        self.uses[of as usize].reconnects.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an error.
    pub(crate) fn count_error(&self, of: ConnectionUse, kind: RedisErrorKind) {
        self.uses[of as usize].errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of round trips.
    pub fn round_trips(&self, of: ConnectionUse) -> u64 {
        self.uses[of as usize].round_trips.load(Ordering::Relaxed)
    }

    /// Returns the number of reconnects.
    pub fn reconnects(&self, of: ConnectionUse) -> u64 {
        self.uses[of as usize].reconnects.load(Ordering::Relaxed)
    }

    /// Returns the number of errors of this kind.
    pub fn errors(&self, of: ConnectionUse, kind: RedisErrorKind) -> u64 {
        self.uses[of as usize].errors[kind as usize].load(Ordering::Relaxed)
    }
}
