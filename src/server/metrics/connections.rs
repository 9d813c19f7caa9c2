//! The connections of each listener.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use crate::node::metrics::encode::{counters, gauges};
use crate::server::transport::connections::{ConnectionStats, ListenerConnections};

/// The connections of each listener. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionsByListener {
    /// The connections of the validation plane.
    pub validation: ListenerConnections,
    /// The connections of gRPC, if it is served.
    pub grpc: Option<ListenerConnections>,
    /// The connections of the admin plane.
    pub admin: ListenerConnections,
    /// The connections of the metrics without a key, if they are served.
    pub metrics: Option<ListenerConnections>,
}

impl ConnectionsByListener {
    /// Returns the counters of each listener, by its name.
    pub fn stats(&self) -> Vec<(&'static str, ConnectionStats)> {
        let listeners = [
            ("validation", Some(&self.validation)),
            ("grpc", self.grpc.as_ref()),
            ("admin", Some(&self.admin)),
            ("metrics", self.metrics.as_ref()),
        ];
        listeners.into_iter().filter_map(|(name, listener)| Some((name, listener?.stats()))).collect()
    }
}

/// Encodes the connections of each listener.
pub fn encode(connections: &ConnectionsByListener, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let stats = connections.stats();
    let each = |value: fn(&ConnectionStats) -> u64| {
        stats.iter().map(move |(name, stats)| ([("listener", *name)], value(stats)))
    };
    let gauge = |value| each(value).map(|(labels, value)| (labels, value as f64));
    gauges(encoder, ("connections_open", "Open connections, by listener."), gauge(|of| of.open as u64))?;
    gauges(
        encoder,
        ("connections_max", "The most connections that a listener may have open."),
        gauge(|of| of.max as u64),
    )?;
    counters(
        encoder,
        ("connections_accepted", "Accepted connections, by listener."),
        each(|of| of.accepted),
    )?;
    counters(
        encoder,
        ("connections_evicted", "Connections that were ended to make room at the maximum, by listener."),
        each(|of| of.evicted),
    )
}
