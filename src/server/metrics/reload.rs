//! The reloads of the settings, under the names that Prometheus uses for its own.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::{counters, gauge};
use crate::server::reload::status::ReloadStatus;

/// Encodes the outcomes of reloads.
pub fn encode(status: &Arc<ReloadStatus>, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let last = status.last();
    let (succeeded, refused) = status.counts();
    for (name, help, value) in [
        (
            "config_last_reload_successful",
            "1 if the settings were taken over when they were last read, else 0.",
            f64::from(u8::from(last.is_successful())),
        ),
        (
            "config_last_reload_success_timestamp_seconds",
            "When settings were last taken over, in seconds since 1970. The start counts.",
            status.last_success_ms() as f64 / 1000.0,
        ),
        (
            "config_restart_needed",
            "Settings that have changed and count only after a restart.",
            last.needs_restart.len() as f64,
        ),
    ] {
        gauge(encoder, name, help, value)?;
    }
    let about =
        ("config_reloads", "Reloads of the settings since the start, by result: succeeded or refused.");
    let counts = [("succeeded", succeeded), ("refused", refused)];
    counters(encoder, about, counts.map(|(result, count)| ([("result", result)], count)))
}
