//! The log. Lines go to standard error through a thread of their own, so that neither a full disk nor a reader that
//! is gone, or stands still, can stop or end the server. A line that cannot be written is lost and counted.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, panic, thread};

use crate::values::{LogFormat, LogLevel};

/// The most bytes of lines that wait to be written; further lines are lost.
const MAX_QUEUED_BYTES: usize = 1024 * 1024;
/// The longest wait for the last lines when the process ends.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(1);
/// A repeated fault is logged at most once in this time.
const REPEAT_INTERVAL_MS: u64 = 1_000;

static QUEUE: Queue = Queue::new();
static LOST_LINES: AtomicU64 = AtomicU64::new(0);

/// Starts the log of this process. Panics are logged, too.
///
/// # Errors
/// If there is no thread for it.
pub fn start(level: LogLevel, format: LogFormat) -> io::Result<()> {
    thread::Builder::new().name("log".into()).spawn(|| QUEUE.write_all_lines(&mut io::stderr()))?;
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::from(level))
        .with_writer(|| QueueWriter)
        // Written to standard error by a macro that panics where that cannot be written.
        .log_internal_errors(false)
        .with_ansi(false);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    panic::set_hook(Box::new(|info| tracing::error!(panic = %info, "thread panicked")));
    Ok(())
}

/// Waits until all lines are written, at most a second.
pub fn flush() {
    QUEUE.flush(LAST_LINES_TIMEOUT);
}

/// How many lines could not be written.
pub fn lost_lines() -> u64 {
    LOST_LINES.load(Ordering::Relaxed)
}

/// Lines on their way to the thread.
struct Queue {
    state: Mutex<QueueState>,
    filled: Condvar,
    emptied: Condvar,
}

struct QueueState {
    lines: VecDeque<Vec<u8>>,
    /// Of `lines` and of the line being written.
    bytes: usize,
}

impl Queue {
    const fn new() -> Self {
        let state = QueueState { lines: VecDeque::new(), bytes: 0 };
        Self { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line; false if there is no room.
    fn push(&self, line: &[u8]) -> bool {
        let mut state = self.state();
        if state.bytes + line.len() > MAX_QUEUED_BYTES {
            return false;
        }
        state.bytes += line.len();
        state.lines.push_back(line.to_vec());
        self.filled.notify_one();
        true
    }

    /// The thread: writes lines for ever.
    fn write_all_lines(&self, output: &mut impl Write) {
        let mut state = self.state();
        loop {
            let Some(line) = state.lines.pop_front() else {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            if output.write_all(&line).is_err() {
                LOST_LINES.fetch_add(1, Ordering::Relaxed);
            }
            state = self.state();
            state.bytes -= line.len();
            if state.bytes == 0 {
                self.emptied.notify_all();
            }
        }
    }

    fn flush(&self, timeout: Duration) {
        let waited = self.emptied.wait_timeout_while(self.state(), timeout, |state| state.bytes > 0);
        drop(waited);
    }
}

/// Takes a whole line with each write, and never fails.
struct QueueWriter;

impl Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !QUEUE.push(line) {
            LOST_LINES.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Limits the log lines of a fault that may happen again and again: one a second, which says how many were left out
/// since the last one.
#[derive(Debug, Default)]
pub struct RepeatedFault(Mutex<Repeats>);

#[derive(Debug, Default)]
struct Repeats {
    silent_until_ms: u64,
    suppressed: u64,
}

/// A fault that is to be logged.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    /// How many lines were left out since the last one; `None` for none, so that the line has no such field.
    pub suppressed: Option<u64>,
}

impl RepeatedFault {
    /// Notes the fault; `Some` if it is to be logged. `now_ms` is of a monotonic clock.
    pub fn due(&self, now_ms: u64) -> Option<Due> {
        let mut repeats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms < repeats.silent_until_ms {
            repeats.suppressed += 1;
            return None;
        }
        repeats.silent_until_ms = now_ms + REPEAT_INTERVAL_MS;
        let suppressed = std::mem::take(&mut repeats.suppressed);
        Some(Due { suppressed: (suppressed > 0).then_some(suppressed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_fault_is_logged_once_a_second_with_a_count() {
        let fault = RepeatedFault::default();
        let mut suppressed = |now_ms| fault.due(now_ms).map(|due| due.suppressed);
        assert_eq!([5, 5, 6].map(&mut suppressed), [Some(None), None, None]);
        assert_eq!(suppressed(5 + REPEAT_INTERVAL_MS - 1), None);
        assert_eq!([1_005, 1_006].map(&mut suppressed), [Some(Some(3)), None]);
        assert_eq!(suppressed(60_000), Some(Some(1)));
        assert_eq!(suppressed(70_000), Some(None));
    }

    #[test]
    fn a_full_queue_takes_no_line_and_an_empty_one_is_flushed_at_once() {
        let queue = Queue::new();
        queue.flush(Duration::from_secs(60));
        let line = vec![b'a'; MAX_QUEUED_BYTES / 4];
        assert_eq!([(); 5].map(|()| queue.push(&line)), [true, true, true, true, false]);
        queue.flush(Duration::ZERO);
    }
}
