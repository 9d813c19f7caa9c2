//! The synchronization primitives of the near cache. Its model check (`tests/cache_model`) compiles the same cache with the
//! checker's primitives instead.

use std::sync::atomic::AtomicUsize;
pub use std::sync::atomic::{AtomicU64, Ordering};
pub use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number of the next thread that asks for its number.
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD_NUMBER: usize = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
}

/// Returns the number of this thread, in the order in which threads first asked. It chooses memory that other threads do
/// not write; nothing else may depend on it.
#[inline]
pub fn thread_number() -> usize {
    THREAD_NUMBER.with(|number| *number)
}

/// Returns `holds`. Wraps each condition that the cache's guarantee rests on: the model check can leave one out by its
/// name, to prove that it would notice.
#[inline(always)]
pub const fn protection(_name: &str, holds: bool) -> bool {
    holds
}
