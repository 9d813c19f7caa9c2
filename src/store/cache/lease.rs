//! Leases and epochs: whether what a server answered may be served, and until when.
//!
//! `Leases::may_serve` judges each hit. [`TrackingConnection`] is the only writer: heartbeats move the lease, a lost
//! connection ends the epoch.

use std::fmt;
use std::sync::Arc;

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, protection};

/// The number of a master; a standalone server is 0. The caller assigns numbers. A number may pass to another master
/// after [`NearCache::invalidate_all`](super::near_cache::NearCache::invalidate_all).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerIndex(pub u16);

/// Where and when a value was read: the server, and its epoch when the ticket was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadOrigin {
    pub(crate) server: ServerIndex,
    pub(crate) epoch: u64,
}

impl ReadOrigin {
    /// Returns whether tracking was live when the ticket was taken.
    pub(crate) fn is_tracked(self) -> bool {
        self.epoch % 2 == 1
    }
}

/// The leases of all servers. Read on every hit and written a few times a second, so the cache lines stay shared.
pub(crate) struct Leases {
    servers: Box<[Arc<ServerLease>]>,
    pub(crate) lease_ms: u64,
    stale_grace_ms: u64,
}

#[derive(Default)]
struct ServerLease {
    /// Odd while tracking is live, even while it is not. Only grows. An entry counts only while this equals the epoch
    /// of its ticket, so one number discards all entries of the server.
    epoch: AtomicU64,
    /// The end of the lease in milliseconds of CLOCK_BOOTTIME. Only grows.
    lease_until_ms: AtomicU64,
    /// Held to write the two numbers above, not to read them.
    connection: Mutex<NewestConnection>,
}

/// The newest tracking connection of a server.
#[derive(Default)]
struct NewestConnection {
    number: u64,
    /// The connection is live, and a heartbeat over it was answered.
    is_proven: bool,
    /// The last time without a proof: from the last answered heartbeat before it to the first one after it.
    gap_from_ms: u64,
    gap_until_ms: u64,
}

impl ServerLease {
    fn writer(&self) -> MutexGuard<'_, NewestConnection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Discards every entry and cancels every ticket of the server. Tracking stays as live as it was.
    fn start_epoch(&self) {
        let _writer = self.writer();
        self.epoch.fetch_add(2, Ordering::SeqCst);
    }
}

impl Leases {
    pub(crate) fn new(count: usize, lease_ms: u64, stale_grace_ms: u64) -> Self {
        Self { servers: (0..count).map(|_| Arc::default()).collect(), lease_ms, stale_grace_ms }
    }

    fn get(&self, server: ServerIndex) -> Option<&Arc<ServerLease>> {
        self.servers.get(usize::from(server.0))
    }

    /// Returns the origin of a value whose read begins now. For an unknown server the origin is not tracked, so
    /// nothing of that server is cached.
    pub(crate) fn origin(&self, server: ServerIndex) -> ReadOrigin {
        let epoch = self.get(server).map_or(0, |server| server.epoch.load(Ordering::SeqCst));
        ReadOrigin { server, epoch }
    }

    /// Returns whether a value of this origin may be served at `now_ms`: within the lease, and of the current epoch.
    ///
    /// Two orders matter:
    ///
    /// 1. The caller holds the lock of the entry's shard. Otherwise the entry's invalidation and the next heartbeat
    ///    could both arrive between the look at the entry and the look at the lease.
    /// 2. The lease is read before the epoch. Otherwise a reconnect and its first heartbeat could come between.
    #[inline]
    pub(crate) fn may_serve(&self, origin: ReadOrigin, now_ms: u64) -> bool {
        let Some(server) = self.get(origin.server) else { return false };
        let lease_until_ms = server.lease_until_ms.load(Ordering::SeqCst);
        let epoch = server.epoch.load(Ordering::SeqCst);
        protection("lease", now_ms < lease_until_ms) && protection("epoch", epoch == origin.epoch)
    }

    /// Returns whether a value of this origin may be served at `now_ms` while the store is unreachable: within the
    /// grace after the lease, and only if the loss of the value's own connection is all that happened since.
    ///
    /// Without a grace, never: losing the connection ends the rest of the lease.
    pub(crate) fn may_serve_stale(&self, origin: ReadOrigin, now_ms: u64) -> bool {
        if self.stale_grace_ms == 0 {
            return false;
        }
        let Some(server) = self.get(origin.server) else { return false };
        let until_ms = server.lease_until_ms.load(Ordering::SeqCst).saturating_add(self.stale_grace_ms);
        let epoch = server.epoch.load(Ordering::SeqCst);
        now_ms < until_ms && (epoch == origin.epoch || epoch == origin.epoch + 1)
    }

    pub(crate) fn is_live(&self, server: ServerIndex, now_ms: u64) -> bool {
        let origin = self.origin(server);
        origin.is_tracked() && self.may_serve(origin, now_ms)
    }

    /// Returns whether no heartbeat proves that the server was reachable at `then_ms`, give or take `slack_ms`, and the
    /// first proof after that is less than `slack_ms` old or still missing.
    pub(crate) fn was_away(&self, server: ServerIndex, then_ms: u64, now_ms: u64, slack_ms: u64) -> bool {
        let Some(server) = self.get(server) else { return false };
        let newest = server.writer();
        if newest.is_proven {
            let is_over = now_ms >= newest.gap_until_ms.saturating_add(slack_ms);
            return !is_over && then_ms.saturating_add(slack_ms) >= newest.gap_from_ms;
        }
        let proven_ms = server.lease_until_ms.load(Ordering::SeqCst).saturating_sub(self.lease_ms);
        then_ms.saturating_add(slack_ms) >= proven_ms
    }

    /// Returns the time since the newest proof of freshness; `None` without any.
    pub(crate) fn age_ms(&self, server: ServerIndex, now_ms: u64) -> Option<u64> {
        let until_ms = self.get(server)?.lease_until_ms.load(Ordering::SeqCst);
        (until_ms > 0).then(|| now_ms.saturating_sub(until_ms.saturating_sub(self.lease_ms)))
    }

    pub(crate) fn start_epoch(&self, server: ServerIndex) {
        if let Some(server) = self.get(server) {
            server.start_epoch();
        }
    }

    pub(crate) fn start_tracking(&self, server: ServerIndex) -> Option<TrackingConnection> {
        let server = Arc::clone(self.get(server)?);
        let number = {
            let mut newest = server.writer();
            (newest.number, newest.is_proven) = (newest.number + 1, false);
            // The next odd number: it discards everything read before, even if the loss of the previous connection
            // was never reported.
            let epoch = server.epoch.load(Ordering::SeqCst);
            server.epoch.store((epoch + 1) | 1, Ordering::SeqCst);
            newest.number
        };
        Some(TrackingConnection { server, number, lease_ms: self.lease_ms })
    }
}

/// A live tracking connection to one server. Dropping it reports the connection as lost, which discards everything read
/// from the server.
///
/// A newer connection to the same server replaces the older one: heartbeats and the loss of the older one are ignored.
#[must_use = "dropping it reports the connection as lost"]
pub struct TrackingConnection {
    server: Arc<ServerLease>,
    number: u64,
    lease_ms: u64,
}

impl TrackingConnection {
    /// Extends the lease to `sent_at_ms` + lease: the heartbeat sent at `sent_at_ms` was answered without an error.
    ///
    /// `sent_at_ms` is CLOCK_BOOTTIME, read before the heartbeat was sent. Every push that arrived before the answer
    /// must have been applied. The lease never moves back.
    pub fn heartbeat_answered(&self, sent_at_ms: u64) {
        let mut newest = self.server.writer();
        if protection("connection", newest.number == self.number) {
            let until_ms = sent_at_ms.saturating_add(self.lease_ms);
            if !newest.is_proven {
                let before_ms = self.server.lease_until_ms.load(Ordering::SeqCst);
                newest.gap_from_ms = before_ms.saturating_sub(self.lease_ms);
                (newest.gap_until_ms, newest.is_proven) = (sent_at_ms, true);
            }
            self.server.lease_until_ms.fetch_max(until_ms, Ordering::SeqCst);
        }
    }

    /// Discards everything read from the server and cancels its tickets: any key may have changed (a push of null).
    /// The connection stays live.
    pub fn invalidate_all(&self) {
        self.server.start_epoch();
    }
}

impl Drop for TrackingConnection {
    fn drop(&mut self) {
        let mut newest = self.server.writer();
        if newest.number == self.number {
            newest.is_proven = false;
            self.server.epoch.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for TrackingConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrackingConnection({})", self.number)
    }
}
