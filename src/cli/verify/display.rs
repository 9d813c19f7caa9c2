//! The progress on standard error: a bar on a terminal, else a line now and then.

use std::convert::Infallible;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::note;
use crate::store::redis::verification::progress::VerifyProgress;

const BAR: &str = "{elapsed_precise} [{wide_bar}] {human_pos}/{human_len} keys, {msg}";
const BAR_INTERVAL: Duration = Duration::from_millis(200);
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Shows the progress until the caller drops this.
pub(crate) async fn show(progress: &VerifyProgress) -> Infallible {
    if io::stderr().is_terminal() { show_bar(progress).await } else { show_lines(progress).await }
}

async fn show_bar(progress: &VerifyProgress) -> Infallible {
    let bar = Cleared(ProgressBar::new(0));
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.0.set_style(style);
    }
    loop {
        // Keys may be added while they are counted.
        bar.0.set_length(progress.total().max(progress.keys()));
        bar.0.set_position(progress.keys());
        bar.0.set_message(format!("{} findings", progress.findings()));
        tokio::time::sleep(BAR_INTERVAL).await;
    }
}

/// A bar that goes when it is dropped, so that the report begins on a free line.
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn show_lines(progress: &VerifyProgress) -> Infallible {
    loop {
        tokio::time::sleep(LINE_INTERVAL).await;
        let (keys, total, findings) = (progress.keys(), progress.total(), progress.findings());
        note(&format!("verify: {keys} of {total} keys, {findings} findings"));
    }
}
