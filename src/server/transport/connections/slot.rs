//! The state of one open connection, as its listener sees it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Flag of [`ConnectionSlot::last_used`]: no request was complete yet.
pub(super) const FRESH: u32 = 1 << 31;

/// One open connection. Times are counted in sweeps.
pub(super) struct ConnectionSlot {
    waker: Mutex<Option<Waker>>,
    /// The sweep in which the last request was complete; with [`FRESH`], the sweep in which the connection was opened.
    last_used: AtomicU32,
    /// Requests in progress; with any, the connection is not idle.
    busy: AtomicU32,
    /// Parts of answers that are not sent yet, by the sweep in which they were made.
    unsent: Mutex<BTreeMap<u32, u32>>,
    must_end: AtomicBool,
}

/// How long a connection may be idle, in sweeps.
pub(super) struct IdleLimits {
    pub(super) first_request: u32,
    pub(super) idle: u32,
}

impl ConnectionSlot {
    pub(super) fn new(sweep: u32) -> Self {
        Self {
            waker: Mutex::default(),
            last_used: AtomicU32::new(sweep | FRESH),
            busy: AtomicU32::new(0),
            unsent: Mutex::default(),
            must_end: AtomicBool::new(false),
        }
    }

    pub(super) fn mark_used(&self, sweep: u32) {
        self.last_used.store(sweep, Ordering::Relaxed);
    }

    pub(super) fn begin_request(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn finish_request(&self, sweep: u32) {
        self.mark_used(sweep);
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    pub(super) fn add_unsent(&self, sweep: u32) {
        *lock(&self.unsent).entry(sweep).or_default() += 1;
    }

    pub(super) fn remove_unsent(&self, sweep: u32) {
        let mut unsent = lock(&self.unsent);
        if let Some(count) = unsent.get_mut(&sweep) {
            *count -= 1;
            if *count == 0 {
                unsent.remove(&sweep);
            }
        }
    }

    /// Returns the order in which idle connections make room, the first to go first: those without a complete request,
    /// then those that were used least recently.
    pub(super) fn idle_rank(&self) -> (bool, u32) {
        let last_used = self.last_used.load(Ordering::Relaxed);
        (last_used & FRESH == 0, last_used & !FRESH)
    }

    /// Returns the sweep since which a busy connection may have been waiting for its client: the one in which the oldest
    /// unsent answer was made, or else the one of the last request.
    pub(super) fn waiting_since(&self) -> u32 {
        let oldest_unsent = lock(&self.unsent).keys().next().copied();
        oldest_unsent.unwrap_or_else(|| self.last_used.load(Ordering::Relaxed) & !FRESH)
    }

    pub(super) fn is_overdue(&self, sweep: u32, limits: &IdleLimits) -> bool {
        let since = |then: u32| elapsed(then, sweep);
        if lock(&self.unsent).keys().any(|made| since(*made) > limits.idle) {
            return true;
        }
        let last_used = self.last_used.load(Ordering::Relaxed);
        let limit = if last_used & FRESH == 0 { limits.idle } else { limits.first_request };
        !self.is_busy() && since(last_used & !FRESH) > limit
    }

    /// Ends the connection, whatever is in progress.
    pub(super) fn end(&self) {
        self.must_end.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(super) fn must_end(&self) -> bool {
        self.must_end.load(Ordering::SeqCst)
    }

    pub(super) fn set_waker(&self, waker: &Waker) {
        *lock(&self.waker) = Some(waker.clone());
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }
}

/// Returns the number of sweeps from one to a later one.
pub(super) fn elapsed(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from) & !FRESH
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
