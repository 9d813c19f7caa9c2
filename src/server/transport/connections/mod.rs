//! The open connections of one listener: how many there may be, when each has to end, and which of them makes room when
//! there are too many.
//!
//! A connection ends when
//! 1. its first request is not complete in [`FIRST_REQUEST_TIMEOUT`],
//! 2. no further request has begun and come for `idle-timeout`, requests under way excepted,
//! 3. an answer was not sent as a whole for `idle-timeout`, whatever else is asked meanwhile,
//! 4. the listener is full and it is the one that has been silent for longest; if all have a request under way, the one
//!    whose client has been waited for longest, or
//! 5. the server stops.
//!
//! A worker's round looks at all of them, so that a request costs one store to memory and no timer.

#[cfg(test)]
pub mod tests;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::clock::Clock;

/// The longest time until a connection's first request is complete, TLS included; `idle-timeout` if that is shorter.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection ends at most this share of the shorter limit late.
const ROUNDS_PER_TIMEOUT: u32 = 8;
/// Of a full listener this share of the connections makes room at once, so that a flood does not cost a search for
/// each connection.
const EVICTED_SHARE: usize = 128;
/// When all connections of a full listener have a request under way, one that takes longer than this many rounds makes
/// room: most likely its client sends no body or reads no answer.
const STUCK_ROUNDS: u32 = 1;
/// The pause before the next search, when no connection could make room.
const EVICTION_PAUSE: Duration = Duration::from_millis(100);

/// Flag of [`Slot::used`]: no request was complete yet.
const FRESH: u32 = 1 << 31;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    clock: Clock,
    slots: Mutex<HashMap<u64, Arc<Slot>>>,
    next: AtomicU64,
    max: usize,
    room: Arc<Semaphore>,
    phase: AtomicU8,
    /// The rounds so far.
    round: AtomicU32,
}

/// Every connection gets its requests answered.
const SERVING: u8 = 0;
/// Answers say that the connection ends with them.
const DRAINING: u8 = 1;
/// Connections without a request end.
const CLOSING: u8 = 2;

struct Slot {
    waker: Mutex<Option<Waker>>,
    /// The round in which the last request was complete; with [`FRESH`] the one in which the connection came.
    used: AtomicU32,
    /// Requests under way; such a connection is not silent.
    busy: AtomicU32,
    /// Parts of answers that were not sent as a whole, by the round in which they were made.
    unsent: Mutex<BTreeMap<u32, u32>>,
    expired: AtomicBool,
}

/// The limits of silence, in rounds.
struct Limits {
    first_request: u32,
    idle: u32,
}

impl Connections {
    /// At most `max` connections, whose answers are dated by `clock`.
    pub fn new(max: usize, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            clock,
            slots: Mutex::default(),
            next: AtomicU64::new(0),
            max,
            room: Arc::new(Semaphore::new(max)),
            phase: AtomicU8::new(SERVING),
            round: AtomicU32::new(0),
        }))
    }

    /// Notes a new connection, until the value is dropped. If there are too many, waits until one has ended: the one
    /// that has been silent for longest does so at once.
    pub async fn open(&self) -> OpenConnection {
        let room = &self.0.room;
        let place = loop {
            if let Ok(place) = room.clone().try_acquire_owned() {
                break Some(place);
            }
            self.evict();
            // The semaphore is never closed.
            if let Ok(place) = timeout(EVICTION_PAUSE, room.clone().acquire_owned()).await {
                break place.ok();
            }
        };
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(Slot::new(self.0.round()));
        lock(&self.0.slots).insert(number, slot.clone());
        OpenConnection { shared: self.0.clone(), number, slot, _place: place }
    }

    /// Ends the connections that have been silent for longest: first those that never sent a whole request. If none is
    /// silent, ends those whose request has been under way for longest, and for more than [`STUCK_ROUNDS`].
    fn evict(&self) {
        let slots = lock(&self.0.slots);
        if slots.values().any(|slot| slot.is_expired()) {
            // They are about to make room.
            return;
        }
        let silent = slots.iter().filter(|(_, slot)| !slot.is_busy());
        let mut silent: Vec<_> = silent.map(|(number, slot)| (slot.silence(), *number, slot)).collect();
        if silent.is_empty() {
            let round = self.0.round();
            let stuck = slots.iter().map(|(number, slot)| ((true, slot.stuck_since()), *number, slot));
            silent = stuck.filter(|((_, since), ..)| elapsed(*since, round) > STUCK_ROUNDS).collect();
        }
        let count = (self.0.max / EVICTED_SHARE).max(1);
        if count < silent.len() {
            silent.select_nth_unstable_by_key(count - 1, |(silence, number, _)| (*silence, *number));
            silent.truncate(count);
        }
        for (_, _, slot) in silent {
            slot.expire();
        }
    }

    /// From now on each answer is the last of its connection, and says so.
    pub fn drain(&self) {
        self.0.phase.store(DRAINING, Ordering::SeqCst);
    }

    /// From now on connections end that have no request under way.
    pub fn close_idle(&self) {
        self.0.phase.store(CLOSING, Ordering::SeqCst);
        for slot in lock(&self.0.slots).values() {
            slot.wake();
        }
    }

    /// Resolves when no connection is open.
    pub async fn all_ended(&self) {
        let all = u32::try_from(self.0.max).unwrap_or(u32::MAX);
        let _ = self.0.room.acquire_many(all).await;
    }

    /// The worker: ends connections that have been silent for too long. Ends with its runtime.
    pub async fn expire(self, idle_timeout: Duration) -> Infallible {
        let round_time = idle_timeout.min(FIRST_REQUEST_TIMEOUT) / ROUNDS_PER_TIMEOUT;
        let idle = idle_timeout.as_nanos().div_ceil(round_time.as_nanos().max(1));
        let idle = u32::try_from(idle).unwrap_or(u32::MAX / 4);
        let limits = Limits { first_request: ROUNDS_PER_TIMEOUT, idle };
        loop {
            tokio::time::sleep(round_time).await;
            let round = self.0.round.fetch_add(1, Ordering::Relaxed) + 1;
            for slot in lock(&self.0.slots).values() {
                if slot.is_overdue(round, &limits) {
                    slot.expire();
                }
            }
        }
    }
}

impl Shared {
    fn round(&self) -> u32 {
        self.round.load(Ordering::Relaxed) & !FRESH
    }
}

/// One open connection.
pub struct OpenConnection {
    shared: Arc<Shared>,
    number: u64,
    slot: Arc<Slot>,
    _place: Option<OwnedSemaphorePermit>,
}

impl OpenConnection {
    /// Wakes `waker` when the connection has to end. To be called before the first look at the flags below: they are
    /// set before the waker is woken.
    pub fn wake_with(&self, waker: &Waker) {
        *lock(&self.slot.waker) = Some(waker.clone());
    }

    /// Whether it has to end at once.
    pub fn is_expired(&self) -> bool {
        self.slot.is_expired()
    }

    /// Whether the next answer is to be its last.
    pub fn is_draining(&self) -> bool {
        self.shared.phase.load(Ordering::SeqCst) >= DRAINING
    }

    /// The clock of the node.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Whether it has to end unless a request is under way.
    pub fn is_closing(&self) -> bool {
        self.shared.phase.load(Ordering::SeqCst) == CLOSING
    }

    /// Whether a request is under way.
    pub fn is_busy(&self) -> bool {
        self.slot.is_busy()
    }

    /// Notes a complete request.
    pub fn used(&self) {
        self.slot.used.store(self.shared.round(), Ordering::Relaxed);
    }

    /// Notes a request that takes its time, until the value is dropped.
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

impl Busy {
    /// Notes a part of its answer that waits to be sent, until the value is dropped.
    pub fn unsent(&self) -> Unsent {
        let round = self.shared.round();
        *lock(&self.slot.unsent).entry(round).or_default() += 1;
        Unsent { slot: self.slot.clone(), round }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.slot.used.store(self.shared.round(), Ordering::Relaxed);
        self.slot.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A part of an answer that waits to be sent.
pub struct Unsent {
    slot: Arc<Slot>,
    round: u32,
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let mut unsent = lock(&self.slot.unsent);
        if let Some(count) = unsent.get_mut(&self.round) {
            *count -= 1;
            if *count == 0 {
                unsent.remove(&self.round);
            }
        }
    }
}

impl Slot {
    fn new(round: u32) -> Self {
        Self {
            waker: Mutex::default(),
            used: AtomicU32::new(round | FRESH),
            busy: AtomicU32::new(0),
            unsent: Mutex::default(),
            expired: AtomicBool::new(false),
        }
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    fn is_expired(&self) -> bool {
        self.expired.load(Ordering::SeqCst)
    }

    /// The less it is, the sooner the connection makes room for another.
    fn silence(&self) -> (bool, u32) {
        let used = self.used.load(Ordering::Relaxed);
        (used & FRESH == 0, used & !FRESH)
    }

    /// The round since which the client has been waited for, if it is: in which the oldest answer was made that was not
    /// sent, else in which the last request came.
    fn stuck_since(&self) -> u32 {
        let oldest_unsent = lock(&self.unsent).keys().next().copied();
        oldest_unsent.unwrap_or_else(|| self.used.load(Ordering::Relaxed) & !FRESH)
    }

    fn is_overdue(&self, round: u32, limits: &Limits) -> bool {
        let since = |then: u32| elapsed(then, round);
        if lock(&self.unsent).keys().any(|made| since(*made) > limits.idle) {
            return true;
        }
        let used = self.used.load(Ordering::Relaxed);
        let limit = if used & FRESH == 0 { limits.idle } else { limits.first_request };
        !self.is_busy() && since(used & !FRESH) > limit
    }

    fn expire(&self) {
        self.expired.store(true, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }
}

/// The rounds from one to a later one.
fn elapsed(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from) & !FRESH
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
