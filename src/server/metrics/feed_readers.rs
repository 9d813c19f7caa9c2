//! The readers of the live feed.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::gauge;
use crate::server::admin::event_stream::FeedReaders;

/// Encodes the number of readers.
pub fn encode(readers: &FeedReaders, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Clients that follow the live feed of events.";
    gauge(encoder, "feed_readers", help, readers.count() as f64)
}
