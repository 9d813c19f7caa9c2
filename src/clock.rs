//! The clock is a parameter: everything that asks for the time holds a [`Clock`].
//!
//! A running node reads the system's wall clock once, at its start. From then on its time is CLOCK_BOOTTIME plus an
//! offset, so no later change of the wall clock reaches a decision. On Redis the offset follows the store's clock
//! (`store/redis/store_clock.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Tells the time of day, and a monotonic time that counts through a suspended machine.
///
/// Cheap to clone; all clones share one state. Nodes of different stores need clocks of their own.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System {
        /// The time of day minus CLOCK_BOOTTIME.
        offset_us: AtomicI64,
        /// How wrong the wall clock is; 0 outside tests.
        wall_error_ms: AtomicI64,
    },
    Manual {
        now_ms: AtomicU64,
    },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::with_wrong_wall(0)
    }

    /// The system's clock as on a machine whose wall clock is wrong by `error_ms`; for tests.
    pub fn with_wrong_wall(error_ms: i64) -> Self {
        let wall_us = system_wall_us().saturating_add(error_ms.saturating_mul(1000));
        let offset_us = wall_us.saturating_sub_unsigned(system_boottime_us());
        Self(Arc::new(Source::System {
            offset_us: AtomicI64::new(offset_us),
            wall_error_ms: AtomicI64::new(error_ms),
        }))
    }

    /// A clock that stands at `now_ms` until it is moved with [`Clock::advance_ms`]; for tests. It follows no store, and
    /// no store compares it with its own.
    pub fn manual(now_ms: u64) -> Self {
        Self(Arc::new(Source::Manual { now_ms: AtomicU64::new(now_ms) }))
    }

    /// Milliseconds since the Unix epoch, by which everything is decided. Goes back only when the store's clock does.
    pub fn now_ms(&self) -> u64 {
        match &*self.0 {
            Source::System { offset_us, .. } => {
                system_boottime_us().saturating_add_signed(offset_us.load(Ordering::Relaxed)) / 1000
            }
            Source::Manual { now_ms } => now_ms.load(Ordering::SeqCst),
        }
    }

    /// The system's wall clock in milliseconds since the Unix epoch: for what has nothing to do with the store, such as
    /// the validity of certificates.
    pub fn wall_ms(&self) -> u64 {
        match &*self.0 {
            Source::System { wall_error_ms, .. } => {
                let wall_ms = (system_wall_us() / 1000).saturating_add(wall_error_ms.load(Ordering::SeqCst));
                u64::try_from(wall_ms).unwrap_or(0)
            }
            Source::Manual { now_ms } => now_ms.load(Ordering::SeqCst),
        }
    }

    /// Milliseconds of a clock that only goes forward, also while the machine is suspended
    /// (`CLOCK_BOOTTIME`, clock_gettime(2)). Only differences mean anything.
    pub fn boottime_ms(&self) -> u64 {
        self.boottime_us() / 1000
    }

    /// [`Clock::boottime_ms`] in microseconds.
    pub fn boottime_us(&self) -> u64 {
        match &*self.0 {
            Source::System { .. } => system_boottime_us(),
            Source::Manual { now_ms } => now_ms.load(Ordering::SeqCst).saturating_mul(1000),
        }
    }

    /// The time of day minus CLOCK_BOOTTIME; `None` for a manual clock, which follows no store.
    pub(crate) fn offset_us(&self) -> Option<i64> {
        match &*self.0 {
            Source::System { offset_us, .. } => Some(offset_us.load(Ordering::Relaxed)),
            Source::Manual { .. } => None,
        }
    }

    /// Sets what [`Clock::offset_us`] returns. Does nothing to a manual clock.
    pub(crate) fn set_offset_us(&self, to_us: i64) {
        if let Source::System { offset_us, .. } = &*self.0 {
            offset_us.store(to_us, Ordering::Relaxed);
        }
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// On the system's clock, which no test may move.
    pub fn advance_ms(&self, by_ms: u64) {
        match &*self.0 {
            Source::System { .. } => panic!("the system clock cannot be moved"),
            Source::Manual { now_ms } => {
                now_ms.fetch_add(by_ms, Ordering::SeqCst);
            }
        }
    }

    /// Makes the wall clock of [`Clock::with_wrong_wall`] jump while it is in use: from now on it is wrong by `error_ms`.
    ///
    /// # Panics
    /// On a manual clock, which has no wall clock.
    pub fn set_wall_error_ms(&self, error_ms: i64) {
        match &*self.0 {
            Source::System { wall_error_ms, .. } => wall_error_ms.store(error_ms, Ordering::SeqCst),
            Source::Manual { .. } => panic!("a manual clock has no wall clock"),
        }
    }
}

#[allow(clippy::disallowed_methods)] // the one place that may ask
fn system_wall_us() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

fn system_boottime_us() -> u64 {
    #[cfg(target_os = "linux")]
    const ID: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    // On macOS the monotonic clock counts through sleep.
    #[cfg(not(target_os = "linux"))]
    const ID: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let t = rustix::time::clock_gettime(ID);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3600 * 1000;

    #[test]
    fn a_manual_clock_stands_until_moved() {
        let clock = Clock::manual(5);
        let twin = clock.clone();
        clock.advance_ms(10);
        assert_eq!((twin.now_ms(), twin.boottime_ms(), twin.wall_ms()), (15, 15, 15));
        assert_eq!(twin.offset_us(), None);
    }

    #[test]
    fn a_jump_of_the_wall_clock_moves_no_decision() {
        let clock = Clock::system();
        let (now_ms, wall_ms) = (clock.now_ms(), clock.wall_ms());
        for days in [3, -3] {
            clock.set_wall_error_ms(days * DAY_MS as i64);
            assert!(clock.now_ms().abs_diff(now_ms) < DAY_MS);
            assert!(clock.wall_ms().abs_diff(wall_ms) > 2 * DAY_MS);
        }
        clock.set_wall_error_ms(0);
        assert!(clock.wall_ms().abs_diff(wall_ms) < DAY_MS);
    }

    #[test]
    fn a_clock_starts_with_the_wall_clock_and_follows_its_offset() {
        let (right, wrong) = (Clock::system(), Clock::with_wrong_wall(3 * DAY_MS as i64));
        assert!(wrong.now_ms().abs_diff(right.now_ms()) > 2 * DAY_MS);
        wrong.set_offset_us(right.offset_us().unwrap());
        assert!(wrong.now_ms().abs_diff(right.now_ms()) < DAY_MS);
    }
}
