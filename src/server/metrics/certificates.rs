//! When the certificates of the listeners expire.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::gauges;
use crate::server::transport::tls::ListenerTls;

/// Reads the expiry of the certificates in use, by listener.
pub struct CertificateCollector(pub Vec<(&'static str, Arc<ListenerTls>)>);

impl fmt::Debug for CertificateCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(listener, _)| listener)).finish()
    }
}

impl Collector for CertificateCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let about = (
            "certificate_expiry_timestamp_seconds",
            "When the first certificate of the chain in use expires, in seconds since 1970, by listener.",
        );
        let expiries = self
            .0
            .iter()
            .filter_map(|(listener, tls)| Some(([("listener", *listener)], tls.not_after_s()? as f64)));
        gauges(&mut encoder, about, expiries)
    }
}
