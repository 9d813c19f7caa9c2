//! The open connections of both planes: told when to end, and ended when they are silent for too long.
//!
//! One round of a worker looks at all of them, instead of each request setting a timer of its own: that costs a
//! request one store to memory.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::clock::Clock;

/// A silent connection ends at most this share of the idle timeout late.
const ROUNDS_PER_TIMEOUT: u32 = 8;

/// All open connections; cheap to clone.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    clock: Clock,
    slots: Mutex<HashMap<u64, Arc<Slot>>>,
    next: AtomicU64,
    draining: AtomicBool,
    round: AtomicU32,
}

#[derive(Default)]
struct Slot {
    waker: Mutex<Option<Waker>>,
    /// The round in which the connection was last used.
    used: AtomicU32,
    /// Requests under way; such a connection is not silent.
    busy: AtomicU32,
    expired: AtomicBool,
}

impl Connections {
    /// None yet; their answers are dated by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared {
            clock,
            slots: Mutex::default(),
            next: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            round: AtomicU32::new(0),
        }))
    }

    /// Notes a new connection; it is forgotten when this is dropped.
    pub fn open(&self) -> OpenConnection {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(Slot::default());
        slot.used.store(self.0.round.load(Ordering::Relaxed), Ordering::Relaxed);
        lock(&self.0.slots).insert(number, slot.clone());
        OpenConnection { shared: self.0.clone(), number, slot }
    }

    /// Tells every connection, also later ones, to end after the request at hand.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
        for slot in lock(&self.0.slots).values() {
            slot.wake();
        }
    }

    /// The worker: ends connections that were silent for `idle_timeout`. Ends with its runtime.
    pub async fn expire(self, idle_timeout: Duration) -> Infallible {
        loop {
            tokio::time::sleep(idle_timeout / ROUNDS_PER_TIMEOUT).await;
            let round = self.0.round.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            for slot in lock(&self.0.slots).values() {
                let silent_rounds = round.wrapping_sub(slot.used.load(Ordering::Relaxed));
                if silent_rounds > ROUNDS_PER_TIMEOUT && slot.busy.load(Ordering::Relaxed) == 0 {
                    slot.expired.store(true, Ordering::SeqCst);
                    slot.wake();
                }
            }
        }
    }
}

/// One open connection.
pub struct OpenConnection {
    shared: Arc<Shared>,
    number: u64,
    slot: Arc<Slot>,
}

impl OpenConnection {
    /// Who is to be woken when the connection has to end. To be called before the first look at the flags
    /// below: who sets one wakes afterwards.
    pub fn wake_with(&self, waker: &Waker) {
        *lock(&self.slot.waker) = Some(waker.clone());
    }

    /// It was silent for too long.
    pub fn is_expired(&self) -> bool {
        self.slot.expired.load(Ordering::SeqCst)
    }

    /// It has to end after the request at hand.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::SeqCst)
    }

    /// The clock of the node.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// A request came.
    pub fn used(&self) {
        self.slot.used.store(self.shared.round.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// A request came that takes its time; it does until this is dropped.
    pub fn busy(&self) -> Busy {
        self.slot.busy.fetch_add(1, Ordering::Relaxed);
        Busy { slot: self.slot.clone(), shared: self.shared.clone() }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        lock(&self.shared.slots).remove(&self.number);
    }
}

/// A request under way.
pub struct Busy {
    slot: Arc<Slot>,
    shared: Arc<Shared>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.slot.used.store(self.shared.round.load(Ordering::Relaxed), Ordering::Relaxed);
        self.slot.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    fn wake(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_silent_connections_expire() {
        let connections = Connections::new(Clock::manual(0));
        let (silent, used, busy) = (connections.open(), connections.open(), connections.open());
        let under_way = busy.busy();
        let worker = tokio::spawn(connections.clone().expire(Duration::from_secs(8)));
        for _ in 0..12 {
            used.used();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!([silent.is_expired(), used.is_expired(), busy.is_expired()], [true, false, false]);
        drop(under_way);
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert!(busy.is_expired());
        drop((silent, used, busy));
        assert!(lock(&connections.0.slots).is_empty());
        worker.abort();
    }

    #[test]
    fn draining_reaches_connections_of_before_and_after() {
        let connections = Connections::new(Clock::manual(0));
        let before = connections.open();
        assert!(!before.is_draining());
        connections.drain();
        assert!(before.is_draining() && connections.open().is_draining());
    }
}
