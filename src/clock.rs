//! The clock is a parameter: every component that needs the time holds a [`Clock`].
//!
//! A node reads the system's wall clock once, at its start. From then on its time is CLOCK_BOOTTIME plus an offset, so
//! that no later change of the wall clock affects a decision. With Redis, the offset follows the store's clock
//! (`store/redis/store_clock.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rustix::time::ClockId;

/// A wall clock, and a monotonic clock that keeps counting while the machine is suspended.
///
/// Cheap to clone; all clones share one state. Nodes on different stores need separate clocks.
#[derive(Clone, Debug)]
pub struct Clock(Arc<TimeSource>);

#[derive(Debug)]
enum TimeSource {
    System {
        /// The wall-clock time minus CLOCK_BOOTTIME.
        offset_us: AtomicI64,
        /// The simulated error of the wall clock; 0 outside tests.
        wall_error_ms: AtomicI64,
    },
    Manual {
        now_ms: AtomicU64,
    },
}

/// The clock, read once. One reading costs as much as the rest of a look at the near cache, so the hot path shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The time of all decisions: [`Clock::now_ms`].
    pub now_ms: u64,
    /// The monotonic clock in nanoseconds: [`Clock::boottime_ms`].
    pub boottime_ns: u64,
}

impl ClockReading {
    /// Returns the monotonic clock in milliseconds.
    pub fn boottime_ms(&self) -> u64 {
        self.boottime_ns / 1_000_000
    }
}

impl Clock {
    /// Returns the system's clock.
    pub fn system() -> Self {
        Self::with_wrong_wall(0)
    }

    /// Returns the system's clock as on a machine whose wall clock is wrong by `error_ms`; for tests.
    pub fn with_wrong_wall(error_ms: i64) -> Self {
        let wall_us = system_wall_us().saturating_add(error_ms.saturating_mul(1000));
        let offset_us = wall_us.saturating_sub_unsigned(system_boottime_ns() / 1000);
        Self(Arc::new(TimeSource::System {
            offset_us: AtomicI64::new(offset_us),
            wall_error_ms: AtomicI64::new(error_ms),
        }))
    }

    /// Returns a clock that stands at `now_ms` until [`Clock::advance_ms`] moves it; for tests. It does not follow the
    /// clock of a store.
    pub fn manual(now_ms: u64) -> Self {
        Self(Arc::new(TimeSource::Manual { now_ms: AtomicU64::new(now_ms) }))
    }

    /// Returns the time of all decisions, in milliseconds since the Unix epoch. It goes back only if the store's clock does.
    pub fn now_ms(&self) -> u64 {
        self.reading().now_ms
    }

    /// Reads the clock once for both times.
    pub fn reading(&self) -> ClockReading {
        match &*self.0 {
            TimeSource::System { offset_us, .. } => {
                let boottime_ns = system_boottime_ns();
                let now_us = (boottime_ns / 1000).saturating_add_signed(offset_us.load(Ordering::Relaxed));
                ClockReading { now_ms: now_us / 1000, boottime_ns }
            }
            TimeSource::Manual { now_ms } => {
                let now_ms = now_ms.load(Ordering::SeqCst);
                ClockReading { now_ms, boottime_ns: now_ms.saturating_mul(1_000_000) }
            }
        }
    }

    /// Returns the system's wall clock in milliseconds since the Unix epoch, for decisions that do not involve the store,
    /// such as the validity of certificates.
    pub fn wall_ms(&self) -> u64 {
        self.wall_us() / 1000
    }

    /// Returns [`Clock::wall_ms`] in microseconds.
    pub fn wall_us(&self) -> u64 {
        match &*self.0 {
            TimeSource::System { wall_error_ms, .. } => {
                let error_us = wall_error_ms.load(Ordering::SeqCst).saturating_mul(1000);
                u64::try_from(system_wall_us().saturating_add(error_us)).unwrap_or(0)
            }
            TimeSource::Manual { now_ms } => now_ms.load(Ordering::SeqCst).saturating_mul(1000),
        }
    }

    /// Returns the milliseconds of a monotonic clock that counts while the machine is suspended (`CLOCK_BOOTTIME`,
    /// clock_gettime(2)). Only differences are meaningful.
    pub fn boottime_ms(&self) -> u64 {
        self.boottime_us() / 1000
    }

    /// Returns [`Clock::boottime_ms`] in microseconds.
    pub fn boottime_us(&self) -> u64 {
        self.boottime_ns() / 1000
    }

    /// Returns [`Clock::boottime_ms`] in nanoseconds.
    pub fn boottime_ns(&self) -> u64 {
        match &*self.0 {
            TimeSource::System { .. } => system_boottime_ns(),
            TimeSource::Manual { now_ms } => now_ms.load(Ordering::SeqCst).saturating_mul(1_000_000),
        }
    }

    /// Returns CLOCK_MONOTONIC in microseconds, by which systemd orders events. It stands while the machine is suspended.
    pub fn monotonic_us(&self) -> u64 {
        match &*self.0 {
            TimeSource::System { .. } => nanoseconds(ClockId::Monotonic) / 1000,
            TimeSource::Manual { now_ms } => now_ms.load(Ordering::SeqCst).saturating_mul(1000),
        }
    }

    /// Returns the nanoseconds since a reading.
    pub fn elapsed_ns(&self, since: ClockReading) -> u64 {
        self.boottime_ns().saturating_sub(since.boottime_ns)
    }

    /// Returns the wall-clock time minus CLOCK_BOOTTIME; `None` for a manual clock.
    pub(crate) fn offset_us(&self) -> Option<i64> {
        match &*self.0 {
            TimeSource::System { offset_us, .. } => Some(offset_us.load(Ordering::Relaxed)),
            TimeSource::Manual { .. } => None,
        }
    }

    /// Sets the offset. Has no effect on a manual clock.
    pub(crate) fn set_offset_us(&self, to_us: i64) {
        if let TimeSource::System { offset_us, .. } = &*self.0 {
            offset_us.store(to_us, Ordering::Relaxed);
        }
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// On the system's clock.
    pub fn advance_ms(&self, by_ms: u64) {
        match &*self.0 {
            TimeSource::System { .. } => panic!("the system clock cannot be moved"),
            TimeSource::Manual { now_ms } => {
                now_ms.fetch_add(by_ms, Ordering::SeqCst);
            }
        }
    }

    /// Makes the wall clock of [`Clock::with_wrong_wall`] jump: from now on it is wrong by `error_ms`.
    ///
    /// # Panics
    /// On a manual clock, which has no wall clock.
    pub fn set_wall_error_ms(&self, error_ms: i64) {
        match &*self.0 {
            TimeSource::System { wall_error_ms, .. } => wall_error_ms.store(error_ms, Ordering::SeqCst),
            TimeSource::Manual { .. } => panic!("a manual clock has no wall clock"),
        }
    }
}

#[allow(clippy::disallowed_methods)] // the only place that may read the wall clock
fn system_wall_us() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

fn system_boottime_ns() -> u64 {
    #[cfg(target_os = "linux")]
    const ID: ClockId = ClockId::Boottime;
    // On macOS the monotonic clock counts through sleep.
    #[cfg(not(target_os = "linux"))]
    const ID: ClockId = ClockId::Monotonic;
    nanoseconds(ID)
}

fn nanoseconds(id: ClockId) -> u64 {
    let t = rustix::time::clock_gettime(id);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3600 * 1000;

    #[test]
    fn a_manual_clock_stands_until_it_is_moved() {
        let clock = Clock::manual(5);
        let twin = clock.clone();
        clock.advance_ms(10);
        assert_eq!((twin.now_ms(), twin.boottime_ms(), twin.wall_ms()), (15, 15, 15));
        assert_eq!(twin.offset_us(), None);
    }

    #[test]
    fn a_jump_of_the_wall_clock_does_not_change_the_time_of_decisions() {
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
