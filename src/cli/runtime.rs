//! The runtime of the commands that send requests, and the signals that stop one: SIGTERM and SIGINT.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::{FAILURE, fail};

/// The signals, caught from now on: they do not end the process by themselves any more.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Catches the signals.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }
}

/// Runs a command on this thread until it ends.
pub(crate) fn run_to_end(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(command);
            // A DNS look-up blocks its thread for as long as the resolver takes. The end does not wait for it.
            runtime.shutdown_background();
            code
        }
        Err(error) => fail(&error, FAILURE),
    }
}
