//! The runtime of the commands that send requests.

use std::process::ExitCode;

use super::output::{FAILURE, fail};

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
