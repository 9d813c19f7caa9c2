//! The progress on standard error, if that is a terminal.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;

use indicatif::{ProgressBar, ProgressStyle};

use super::lines::LineBatch;
use super::summary::Summary;
use crate::cli::output::note;

const BAR: &str = "{elapsed_precise} [{wide_bar}] {percent} %, line {msg}";
/// The progress of an export without a known size.
const COUNTER: &str = "{elapsed_precise} line {msg}";

/// A bar that goes when it is dropped, so that the summary begins on a free line.
pub(super) struct ProgressOfLines(ProgressBar);

impl ProgressOfLines {
    /// Shows a bar, on a terminal.
    pub(super) fn start() -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let size = export_size();
        let bar = ProgressBar::new(size.unwrap_or_default());
        if let Ok(style) = ProgressStyle::with_template(if size.is_some() { BAR } else { COUNTER }) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Shows that a batch is done.
    pub(super) fn advance(&self, batch: &LineBatch, summary: &Summary) {
        self.0.set_position(batch.bytes_read);
        self.0.set_message(format!("{}: {}", batch.last_line, summary.counts()));
    }

    /// Prints a remark beside the bar.
    pub(super) fn note(&self, text: &str) {
        self.0.suspend(|| note(text));
    }
}

impl Drop for ProgressOfLines {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Returns the size of the export, if it is a file.
fn export_size() -> Option<u64> {
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    stdin.metadata().ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len())
}
