//! The reloads of the settings.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::{counters, gauge};
use crate::server::reload::status::ReloadStatus;

/// Reads the outcomes of the reloads.
#[derive(Debug)]
pub struct ReloadCollector(pub Arc<ReloadStatus>);

impl Collector for ReloadCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let encoder = &mut encoder;
        let is_successful = f64::from(u8::from(self.0.last().is_successful()));
        let help = "1 if the last reload of the settings was accepted, or there was none; else 0.";
        gauge(encoder, "config_last_reload_successful", help, is_successful)?;
        let help = "When settings were last accepted, the start included, in seconds since 1970.";
        let accepted_s = self.0.last_success_ms() as f64 / 1000.0;
        gauge(encoder, "config_last_reload_success_timestamp_seconds", help, accepted_s)?;
        let (succeeded, refused) = self.0.counts();
        let reloads = [("success", succeeded), ("refused", refused)];
        let about = ("config_reloads", "Reloads of the settings, by result.");
        counters(encoder, about, reloads.map(|(result, count)| ([("result", result)], count)))
    }
}
