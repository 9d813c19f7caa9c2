//! The clock is a parameter: everything that asks for the time holds a [`Clock`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells the wall-clock time, and a monotonic time that counts through a suspended machine.
///
/// Cheap to clone; all clones share one state.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// The latest wall-clock reading handed out, so that `now_ms` never goes back when the system clock does.
    System {
        latest_ms: AtomicU64,
    },
    Manual {
        now_ms: AtomicU64,
    },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(Source::System { latest_ms: AtomicU64::new(0) }))
    }

    /// A clock that stands at `now_ms` until it is moved with [`Clock::advance_ms`]; for tests.
    pub fn manual(now_ms: u64) -> Self {
        Self(Arc::new(Source::Manual { now_ms: AtomicU64::new(now_ms) }))
    }

    /// Milliseconds since the Unix epoch; never goes back within a process.
    pub fn now_ms(&self) -> u64 {
        match &*self.0 {
            Source::System { latest_ms } => {
                let now_ms = system_now_ms();
                let latest = latest_ms.load(Ordering::Relaxed);
                if now_ms > latest {
                    // At most one store per millisecond and thread: the cache line stays shared.
                    latest_ms.fetch_max(now_ms, Ordering::Relaxed);
                    now_ms
                } else {
                    latest
                }
            }
            Source::Manual { now_ms } => now_ms.load(Ordering::SeqCst),
        }
    }

    /// Milliseconds of a clock that only goes forward, also while the machine is suspended
    /// (`CLOCK_BOOTTIME`, clock_gettime(2)). Only differences mean anything.
    pub fn boottime_ms(&self) -> u64 {
        match &*self.0 {
            Source::System { .. } => boottime_now_ms(),
            Source::Manual { now_ms } => now_ms.load(Ordering::SeqCst),
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
}

#[allow(clippy::disallowed_methods)] // the one place that may ask
fn system_now_ms() -> u64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

fn boottime_now_ms() -> u64 {
    #[cfg(target_os = "linux")]
    const ID: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    // On macOS the monotonic clock counts through sleep.
    #[cfg(not(target_os = "linux"))]
    const ID: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let t = rustix::time::clock_gettime(ID);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1000 + u64::try_from(t.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_moved() {
        let clock = Clock::manual(5);
        let twin = clock.clone();
        clock.advance_ms(10);
        assert_eq!((twin.now_ms(), twin.boottime_ms()), (15, 15));
    }

    #[test]
    fn the_system_clock_never_goes_back() {
        let clock = Clock::system();
        let ahead = clock.now_ms() + 60_000;
        if let Source::System { latest_ms } = &*clock.0 {
            latest_ms.store(ahead, Ordering::Relaxed);
        }
        assert_eq!(clock.now_ms(), ahead);
        assert!(clock.boottime_ms() > 0);
    }
}
