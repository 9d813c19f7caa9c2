//! When the certificates of the listeners expire.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::gauges;
use crate::server::transport::tls::ListenerTls;

/// Encodes the expiry of the certificates in use, by listener.
pub fn encode(
    certificates: &Vec<(&'static str, Arc<ListenerTls>)>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let about = (
        "certificate_expiry_timestamp_seconds",
        "When the first certificate of the chain in use expires, in seconds since 1970, by listener.",
    );
    let expiries = certificates
        .iter()
        .filter_map(|(listener, tls)| Some(([("listener", *listener)], tls.not_after_s()? as f64)));
    gauges(encoder, about, expiries)
}
