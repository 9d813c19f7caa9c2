//! The checker's primitives in the place of `src/sync.rs`: at each use of them, another thread may run.

use std::cell::Cell;

pub use shuttle::sync::atomic::{AtomicU64, Ordering};
pub use shuttle::sync::{Mutex, MutexGuard};
pub use std::sync::PoisonError;

thread_local! {
    // Per test thread: the checker runs all threads of a model on the thread that called it.
    static LEFT_OUT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// All threads of a model share one front: what one copies, another reads. A front of its own would only separate them.
pub fn thread_number() -> usize {
    0
}

/// Disables the protection of this name on this test's thread.
pub fn leave_out(name: &'static str) {
    LEFT_OUT.set(Some(name));
}

/// Returns whether this protection is disabled.
pub fn is_left_out(name: &str) -> bool {
    LEFT_OUT.get() == Some(name)
}

/// The counterpart of the same name in `src/sync.rs`.
pub fn protection(name: &str, holds: bool) -> bool {
    holds || is_left_out(name)
}
