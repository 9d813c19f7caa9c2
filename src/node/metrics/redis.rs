//! The connections to Redis. Absent on the embedded store.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;

use super::encode::counters;
use crate::store::Store;
use crate::store::redis::counters::{ConnectionUse, RedisErrorKind};

/// Encodes the counters of the connections.
pub(super) fn encode(store: &Store, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Some(redis) = store.redis_counters() else { return Ok(()) };
    let uses = || ConnectionUse::ALL.into_iter().map(|of| ([("use", of.name())], of));
    let about = ("redis_round_trips", "Commands and pipelines sent to Redis, by the use of the connection.");
    counters(encoder, about, uses().map(|(labels, of)| (labels, redis.round_trips(of))))?;
    let about = ("redis_reconnects", "Connections to Redis that were lost and are made again, by use.");
    counters(encoder, about, uses().map(|(labels, of)| (labels, redis.reconnects(of))))?;
    let pairs = ConnectionUse::ALL.into_iter().flat_map(|of| RedisErrorKind::ALL.map(|kind| (of, kind)));
    let errors =
        pairs.map(|(of, kind)| ([("use", of.name()), ("kind", kind.name())], redis.errors(of, kind)));
    counters(encoder, ("redis_errors", "Errors of connections to Redis, by use and kind."), errors)?;
    let help = "Time that an operation waits for a connection.";
    let wait = encoder.encode_descriptor("redis_pool_wait_seconds", help, None, MetricType::Histogram)?;
    redis.pool_wait.encode(wait)
}
