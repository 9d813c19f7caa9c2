//! Counts what happens on the connections to Redis, by what the connections are for.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::histogram::Histogram;
use redis::RedisError;

/// The purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionUse {
    /// Look-ups of validations.
    LookUp,
    /// Operations of the admin plane and of the workers, over the pools.
    Operation,
    /// Invalidations and heartbeats.
    Tracking,
    /// The live feed.
    Events,
}

impl ConnectionUse {
    /// Every use.
    pub const ALL: [Self; 4] = [Self::LookUp, Self::Operation, Self::Tracking, Self::Events];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LookUp => "lookup",
            Self::Operation => "operation",
            Self::Tracking => "tracking",
            Self::Events => "events",
        }
    }
}

/// The kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisErrorKind {
    /// No answer in time.
    Timeout,
    /// The connection cannot be made, or broke.
    Connection,
    /// The server answered with an error.
    Server,
    /// The answer is malformed.
    Malformed,
}

impl RedisErrorKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Timeout, Self::Connection, Self::Server, Self::Malformed];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Malformed => "malformed",
        }
    }

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
