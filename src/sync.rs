//! The primitives the near cache is built from. Its model check (`tests/cache_model`) compiles the very same
//! cache with the checker's in their place.

pub use std::sync::atomic::{AtomicU64, Ordering};
pub use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stands around each condition the cache's promise rests on, and is that condition. In the model check it
/// can leave one out by its name, to prove that the model notices.
#[inline(always)]
pub const fn protection(_name: &str, holds: bool) -> bool {
    holds
}
