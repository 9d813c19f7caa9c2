//! All connections of one listener: room for new ones, the sweep, and the drain.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::open_connection::OpenConnection;
use super::slot::{IdleLimits, elapsed, lock};
use super::state::ListenerState;
use crate::clock::Clock;

/// The longest time until a connection's first request is complete, TLS included; `idle-timeout` if that is shorter.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection ends at most this fraction of the shorter limit late.
const SWEEPS_PER_TIMEOUT: u32 = 8;
/// If a listener is full, this fraction of its connections makes room at once, so that a flood does not cost one search
/// for each connection.
const EVICTED_FRACTION: usize = 128;
/// If all connections of a full listener have a request in progress, those that have waited for their client for more than
/// this many sweeps make room. Most likely the client sends no body or reads no answer.
const STUCK_SWEEPS: u32 = 1;
/// The pause before the next search if no connection could make room.
const EVICTION_PAUSE: Duration = Duration::from_millis(100);

/// The figures of a listener's connections, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionStats {
    /// Open now.
    pub open: usize,
    /// The most that may be open at once.
    pub max: usize,
    /// Accepted since the start.
    pub accepted: u64,
    /// Ended to make room for others.
    pub evicted: u64,
}

/// The open connections of one listener. Cheap to clone.
#[derive(Clone)]
pub struct ListenerConnections(pub(super) Arc<ListenerState>);

impl ListenerConnections {
    /// Allows at most `max` connections at once. Their answers are dated by `clock`.
    pub fn new(max: usize, clock: Clock) -> Self {
        Self(Arc::new(ListenerState::new(max, clock)))
    }

    /// Adds a connection. If there are too many, waits until one has ended, and ends those that have been idle for longest.
    pub async fn open(&self) -> OpenConnection {
        let room = &self.0.room;
        let permit = loop {
            if let Ok(permit) = room.clone().try_acquire_owned() {
                break Some(permit);
            }
            self.evict();
            // An error is impossible: the semaphore is never closed.
            if let Ok(permit) = timeout(EVICTION_PAUSE, room.clone().acquire_owned()).await {
                break permit.ok();
            }
        };
        OpenConnection::new(self.0.clone(), permit)
    }

    /// Ends the connections that have been idle for longest, first those without a complete request. If none is idle,
    /// ends those that have waited for their client for longest, and for more than [`STUCK_SWEEPS`].
    fn evict(&self) {
        let slots = lock(&self.0.slots);
        if slots.values().any(|slot| slot.must_end()) {
            // These are about to make room.
            return;
        }
        let idle = slots.iter().filter(|(_, slot)| !slot.is_busy());
        let mut evicted: Vec<_> = idle.map(|(number, slot)| (slot.idle_rank(), *number, slot)).collect();
        if evicted.is_empty() {
            let sweep = self.0.sweep();
            let waiting = slots.iter().map(|(number, slot)| ((true, slot.waiting_since()), *number, slot));
            evicted = waiting.filter(|((_, since), ..)| elapsed(*since, sweep) > STUCK_SWEEPS).collect();
        }
        let count = (self.0.max / EVICTED_FRACTION).max(1);
        if count < evicted.len() {
            evicted.select_nth_unstable_by_key(count - 1, |(rank, number, _)| (*rank, *number));
            evicted.truncate(count);
        }
        self.0.evicted.fetch_add(evicted.len() as u64, Ordering::Relaxed);
        for (_, _, slot) in evicted {
            slot.end();
        }
    }

    /// Returns the counters, and the connections that are open now.
    pub fn stats(&self) -> ConnectionStats {
        ConnectionStats {
            open: lock(&self.0.slots).len(),
            max: self.0.max,
            accepted: self.0.accepted(),
            evicted: self.0.evicted.load(Ordering::Relaxed),
        }
    }

    /// Makes each further answer the last of its connection, and lets it say so.
    pub fn drain(&self) {
        self.0.drain();
    }

    /// Ends connections without a request in progress, from now on.
    pub fn close_idle(&self) {
        self.0.close_idle();
    }

    /// Resolves when no connection is open.
    pub async fn all_ended(&self) {
        let all = u32::try_from(self.0.max).unwrap_or(u32::MAX);
        let _ = self.0.room.acquire_many(all).await;
    }

    /// Runs the worker that ends connections which have been idle for too long. Ends with its runtime.
    pub async fn sweep(self, idle_timeout: Duration) -> Infallible {
        let pause = idle_timeout.min(FIRST_REQUEST_TIMEOUT) / SWEEPS_PER_TIMEOUT;
        let idle = idle_timeout.as_nanos().div_ceil(pause.as_nanos().max(1));
        let idle = u32::try_from(idle).unwrap_or(u32::MAX / 4);
        let limits = IdleLimits { first_request: SWEEPS_PER_TIMEOUT, idle };
        loop {
            sleep(pause).await;
            let number = self.0.begin_sweep();
            for slot in lock(&self.0.slots).values() {
                if slot.is_overdue(number, &limits) {
                    slot.end();
                }
            }
        }
    }
}
