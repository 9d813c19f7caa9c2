//! The checker's primitives in the place of `src/sync.rs`: each use of them is a point where another thread
//! may run.

use std::cell::Cell;

pub use shuttle::sync::atomic::{AtomicU64, Ordering};
pub use shuttle::sync::{Mutex, MutexGuard};
pub use std::sync::PoisonError;

thread_local! {
    // Of the test's own thread: the checker runs all threads of a model on the one that called it.
    static LEFT_OUT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// From here on, on this test's thread, the protection of this name is missing.
pub fn leave_out(name: &'static str) {
    LEFT_OUT.set(Some(name));
}

/// Whether this protection is missing.
pub fn is_left_out(name: &str) -> bool {
    LEFT_OUT.get() == Some(name)
}

/// See `src/sync.rs`.
pub fn protection(name: &str, holds: bool) -> bool {
    holds || is_left_out(name)
}
