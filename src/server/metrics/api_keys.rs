//! The API keys: when each expires and was last used.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::gauges;
use crate::server::admin::api_keys::{ApiKeys, KnownKey};

/// Reads the present API keys. Their names come from the settings, so there are at most 101 series of each metric.
pub struct ApiKeyCollector(pub Arc<ApiKeys>);

impl fmt::Debug for ApiKeyCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyCollector")
    }
}

impl Collector for ApiKeyCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let keys = self.0.present();
        let each = |time_ms: fn(&KnownKey) -> Option<u64>| {
            keys.iter()
                .filter_map(move |known| Some(([("key", known.name())], time_ms(known)? as f64 / 1000.0)))
        };
        let about = (
            "api_key_expiry_timestamp_seconds",
            "When this API key expires, in seconds since 1970. Absent for a key without an expiry.",
        );
        gauges(&mut encoder, about, each(|known| known.key.expires_at_ms))?;
        let about = (
            "api_key_last_used_timestamp_seconds",
            "The last request with this API key to this node, in seconds since 1970. Absent before the first.",
        );
        gauges(&mut encoder, about, each(KnownKey::last_used_ms))
    }
}
