//! The JSON object of a cut-off.

use serde::Serialize;

use super::timestamp::timestamp;
use crate::model::cutoff::Cutoff;

/// A cut-off, and the progress of the worker that revokes its tokens for good. Its fields are described in
/// docs/lifecycle.md.
#[derive(Serialize)]
pub struct CutoffJson {
    name: String,
    before: String,
    created_at: String,
    scanned: u64,
    revoked: u64,
    finished_at: Option<String>,
}

impl CutoffJson {
    /// Shows a cut-off.
    pub fn of(cutoff: &Cutoff) -> Self {
        let Cutoff { name, before_ms, created_at_ms, progress } = cutoff;
        Self {
            name: name.to_string(),
            before: timestamp(*before_ms),
            created_at: timestamp(*created_at_ms),
            scanned: progress.scanned,
            revoked: progress.revoked,
            finished_at: progress.finished_at_ms.map(timestamp),
        }
    }
}
