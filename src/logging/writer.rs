//! Writes log lines to standard error from a thread of its own. Neither a full disk nor a reader that is gone or stalled
//! can block the server. A line that cannot be written is lost and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{panic, thread};

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use super::access::ACCESS;
use super::audit::AUDIT;
use crate::values::{LogFormat, LogLevel};

/// The maximum size of all waiting lines. Further lines are lost.
const MAX_QUEUED_BYTES: usize = 1024 * 1024;
/// Lines of the access log leave room for the others.
const MAX_QUEUED_ACCESS_BYTES: usize = 512 * 1024;
/// The maximum wait for the last lines at the end of the process.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(1);

static QUEUE: LineQueue = LineQueue::new();
static LOST_LINES: AtomicU64 = AtomicU64::new(0);
/// The filter of the log that was started.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts the log of this process. Panics are logged as well.
///
/// # Errors
/// If no thread can be started.
pub fn start(level: LogLevel, audit_log: bool, format: LogFormat) -> io::Result<()> {
    thread::Builder::new().name("log".into()).spawn(|| QUEUE.write_all_lines(&mut io::stderr()))?;
    let (filter, handle) = reload::Layer::new(filter(level, audit_log));
    let _ = FILTER.set(handle);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(QueueWriters)
        // The subscriber would report these with a macro that panics if standard error cannot be written.
        .log_internal_errors(false)
        .with_ansi(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines).init(),
        LogFormat::Json => registry.with(lines.json()).init(),
    }
    panic::set_hook(Box::new(|info| tracing::error!(panic = %info, "thread panicked")));
    Ok(())
}

/// Changes what the log has, if it was started. A line below the level costs one comparison, before and after:
/// `tracing` keeps the level in an atomic and each call site's interest beside the call.
pub fn set_filter(level: LogLevel, audit_log: bool) {
    if let Some(handle) = FILTER.get() {
        // Fails only if the log has ended.
        let _ = handle.reload(filter(level, audit_log));
    }
}

/// Returns the filter: the level counts for all lines except the audit log and the access log, which have settings
/// of their own.
fn filter(level: LogLevel, audit_log: bool) -> Targets {
    let audit = if audit_log { LevelFilter::INFO } else { LevelFilter::OFF };
    let level = tracing::Level::from(level);
    Targets::new().with_default(level).with_target(AUDIT, audit).with_target(ACCESS, LevelFilter::INFO)
}

/// Waits until all lines are written, for at most a second.
pub fn flush() {
    QUEUE.flush(LAST_LINES_TIMEOUT);
}

/// Returns how many lines could not be written.
pub fn lost_lines() -> u64 {
    LOST_LINES.load(Ordering::Relaxed)
}

/// The lines that wait for the writer thread.
struct LineQueue {
    state: Mutex<WaitingLines>,
    filled: Condvar,
    emptied: Condvar,
}

struct WaitingLines {
    lines: VecDeque<Vec<u8>>,
    /// The size of `lines` and of the line that is being written.
    bytes: usize,
}

impl LineQueue {
    const fn new() -> Self {
        let state = WaitingLines { lines: VecDeque::new(), bytes: 0 };
        Self { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, WaitingLines> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, if no more than `max_bytes` wait then; returns whether there was room.
    fn push(&self, line: &[u8], max_bytes: usize) -> bool {
        let mut state = self.state();
        if state.bytes + line.len() > max_bytes {
            return false;
        }
        state.bytes += line.len();
        state.lines.push_back(line.to_vec());
        self.filled.notify_one();
        true
    }

    /// Writes lines forever: the body of the writer thread.
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

/// Makes the writer of each line.
struct QueueWriters;

impl<'a> MakeWriter<'a> for QueueWriters {
    type Writer = QueueWriter;

    fn make_writer(&'a self) -> QueueWriter {
        QueueWriter { max_bytes: MAX_QUEUED_BYTES }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> QueueWriter {
        let is_access = metadata.target() == ACCESS;
        QueueWriter { max_bytes: if is_access { MAX_QUEUED_ACCESS_BYTES } else { MAX_QUEUED_BYTES } }
    }
}

/// Queues the line of each write. Never fails.
struct QueueWriter {
    max_bytes: usize,
}

impl Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !QUEUE.push(line, self.max_bytes) {
            LOST_LINES.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_rejects_lines_and_an_empty_queue_flushes_at_once() {
        let queue = LineQueue::new();
        queue.flush(Duration::from_secs(60));
        let line = vec![b'a'; MAX_QUEUED_BYTES / 4];
        assert_eq!([(); 5].map(|()| queue.push(&line, MAX_QUEUED_BYTES)), [true, true, true, true, false]);
        queue.flush(Duration::ZERO);
    }
}
