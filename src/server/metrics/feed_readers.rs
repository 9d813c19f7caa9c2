//! The readers of the live feed.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::gauge;
use crate::server::admin::event_stream::FeedReaders;

/// Counts the readers.
#[derive(Debug)]
pub struct FeedReaderCollector(pub FeedReaders);

impl Collector for FeedReaderCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let help = "Clients that follow the live feed of events.";
        gauge(&mut encoder, "feed_readers", help, self.0.count() as f64)
    }
}
