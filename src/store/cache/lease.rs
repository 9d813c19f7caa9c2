//! How long what a server answered may be believed: per server an epoch and a lease.

use std::fmt;
use std::sync::Arc;

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, protection};

/// Which master a token lives on. Standalone has one, 0. The caller numbers them; a number may be given to
/// another master after [`NearCache::invalidate_all`](super::near_cache::NearCache::invalidate_all).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerIndex(pub u16);

/// Where and when a value was read: the server, and the server's epoch when the read's ticket was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) server: ServerIndex,
    pub(crate) epoch: u64,
}

impl Origin {
    /// Whether tracking was live when the ticket was taken.
    pub(crate) fn is_tracked(self) -> bool {
        self.epoch % 2 == 1
    }
}

/// All servers. The numbers are read on every hit and written a few times a second at most, so their cache
/// lines stay shared.
pub(crate) struct Servers {
    servers: Box<[Arc<Server>]>,
    pub(crate) lease_ms: u64,
    stale_grace_ms: u64,
}

#[derive(Default)]
struct Server {
    /// Odd while tracking is live, even while it is not; only ever grows, and an entry counts only while the
    /// epoch is still the one of its ticket. So one number voids all entries of the server.
    epoch: AtomicU64,
    /// Entries count only before this, in milliseconds of CLOCK_BOOTTIME. Only ever grows.
    lease_until_ms: AtomicU64,
    /// Whoever writes the two above holds this lock; those who read them do not.
    connection: Mutex<Newest>,
}

/// The newest connection of a server.
#[derive(Default)]
struct Newest {
    number: u64,
    /// It is live, and a heartbeat over it was answered.
    is_proven: bool,
    /// The last time without a proof, from the last one before it to the first one after it.
    gap_from_ms: u64,
    gap_until_ms: u64,
}

impl Server {
    fn writer(&self) -> MutexGuard<'_, Newest> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Voids every entry and every ticket, in constant time.
    fn void_all(&self) {
        let _writer = self.writer();
        self.epoch.fetch_add(2, Ordering::SeqCst);
    }
}

impl Servers {
    pub(crate) fn new(count: usize, lease_ms: u64, stale_grace_ms: u64) -> Self {
        Self { servers: (0..count).map(|_| Arc::default()).collect(), lease_ms, stale_grace_ms }
    }

    fn get(&self, server: ServerIndex) -> Option<&Arc<Server>> {
        self.servers.get(usize::from(server.0))
    }

    /// The origin of a value whose read begins now. Of a server this was not made for, nothing is ever cached.
    pub(crate) fn origin(&self, server: ServerIndex) -> Origin {
        let epoch = self.get(server).map_or(0, |server| server.epoch.load(Ordering::SeqCst));
        Origin { server, epoch }
    }

    /// Whether a value of this origin may be served at `now_ms`.
    ///
    /// The order matters twice. The caller holds the lock of the entry's shard: else an invalidation of it and
    /// the heartbeat after that could both come between the look at the entry and the look at the lease. And
    /// the lease is read before the epoch: else a reconnect and its first heartbeat could come between.
    #[inline]
    pub(crate) fn may_serve(&self, origin: Origin, now_ms: u64) -> bool {
        let Some(server) = self.get(origin.server) else { return false };
        let lease_until_ms = server.lease_until_ms.load(Ordering::SeqCst);
        let epoch = server.epoch.load(Ordering::SeqCst);
        protection("lease", now_ms < lease_until_ms) && protection("epoch", epoch == origin.epoch)
    }

    /// Whether a value of this origin may be served at `now_ms` though the store cannot be asked: within the
    /// grace after the lease, and only if nothing but the loss of its own connection happened to the server.
    /// Without a grace never: the rest of the lease is no grace, a lost connection ends it.
    pub(crate) fn may_serve_stale(&self, origin: Origin, now_ms: u64) -> bool {
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

    /// Whether there was no proof of the server's being there at `then_ms` or within `slack_ms` of it, or the first proof
    /// after that is less than `slack_ms` ago.
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

    pub(crate) fn void_all(&self, server: ServerIndex) {
        if let Some(server) = self.get(server) {
            server.void_all();
        }
    }

    pub(crate) fn connect(&self, server: ServerIndex) -> Option<Connection> {
        let server = Arc::clone(self.get(server)?);
        let number = {
            let mut newest = server.writer();
            (newest.number, newest.is_proven) = (newest.number + 1, false);
            // The next odd number: all that was read before is void, also where the loss of the former
            // connection was never told.
            let epoch = server.epoch.load(Ordering::SeqCst);
            server.epoch.store((epoch + 1) | 1, Ordering::SeqCst);
            newest.number
        };
        Some(Connection { server, number, lease_ms: self.lease_ms })
    }
}

/// A live tracking connection to one server. Dropping it says that the connection is lost: everything that
/// was read from the server is void from then on, at once.
///
/// A newer connection of the same server takes the older one's place: what the older one says or that it is
/// lost then means nothing any more.
#[must_use = "dropping it says that the connection is lost"]
pub struct Connection {
    server: Arc<Server>,
    number: u64,
    lease_ms: u64,
}

impl Connection {
    /// The heartbeat sent at `sent_at_ms` (CLOCK_BOOTTIME, read before it was sent) was answered, without an
    /// error. To be called only after every push that came before the answer was applied. Moves the lease to
    /// `sent_at_ms` + lease; never back.
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

    /// The server said that any key may have changed (a push of null): voids everything read from it, also
    /// by tickets that are still out. The connection stays live.
    pub fn invalidate_all(&self) {
        self.server.void_all();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut newest = self.server.writer();
        if newest.number == self.number {
            newest.is_proven = false;
            self.server.epoch.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.number)
    }
}
