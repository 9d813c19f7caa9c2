//! The API keys: when each expires and was last used.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::gauges;
use crate::server::admin::api_keys::{ApiKeys, KnownKey};

/// Encodes the present API keys. Their names come from the settings, so there are at most 101 series of each metric.
pub fn encode(api_keys: &Arc<ApiKeys>, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let keys = api_keys.present();
    let each = |time_ms: fn(&KnownKey) -> Option<u64>| {
        keys.iter().filter_map(move |known| Some(([("key", known.name())], time_ms(known)? as f64 / 1000.0)))
    };
    let about = (
        "api_key_expiry_timestamp_seconds",
        "When this API key expires, in seconds since 1970. Absent for a key without an expiry.",
    );
    gauges(encoder, about, each(|known| known.key.expires_at_ms))?;
    let about = (
        "api_key_last_used_timestamp_seconds",
        "The last request with this API key to this node, in seconds since 1970. Absent before the first.",
    );
    gauges(encoder, about, each(KnownKey::last_used_ms))
}
