//! Whether a failover may bring revoked tokens back for longer than promised.
//!
//! A master that was cut off from its replicas goes on acknowledging revocations for `min-replicas-max-lag` seconds and up to
//! one more, because Redis looks once a second. Its successor does not know of them. It is there after `down-after` at the
//! earliest, and a node believes what it last heard for one lease more. So what such a master acknowledged is lost only
//! after the promise has ended, where
//!
//! > max-lag + 1 s ≤ down-after + lease
//!
//! On a Cluster down-after is `cluster-node-timeout`; with Sentinel the Sentinels know it. A user who may not ask for the
//! settings, as the shipped one, is told nothing.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::cmd;

use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::topology::Topology;
use crate::store::report::{Fault, FaultKind};

const SETTINGS: [&str; 3] = ["min-replicas-to-write", "min-replicas-max-lag", "cluster-node-timeout"];
/// Redis looks at the lag of its replicas once in this time (replication.c, `replicationCron`).
const LAG_CHECK_MS: u64 = 1_000;

/// The fault that this master's settings do not satisfy the rule, as far as can be seen.
pub(crate) async fn too_slow(
    topology: &Topology,
    address: &ServerAddress,
    lease_ms: u64,
    connection: &mut MultiplexedConnection,
) -> Option<Fault> {
    if !topology.may_fail_over() {
        return None;
    }
    let settings: HashMap<String, u64> =
        cmd("CONFIG").arg("GET").arg(&SETTINGS).query_async(connection).await.ok()?;
    let setting = |name: &str| settings.get(name).copied();
    let down_after_ms = match topology.is_cluster() {
        true => setting("cluster-node-timeout"),
        false => topology.sentinels_down_after_ms().await,
    };
    let (replicas, max_lag_s) = (setting("min-replicas-to-write")?, setting("min-replicas-max-lag")?);
    let (lag_ms, limit_ms) = (max_lag_s * 1000 + LAG_CHECK_MS, down_after_ms? + lease_ms);
    if replicas == 0 || max_lag_s == 0 || lag_ms <= limit_ms {
        return None;
    }
    let cause = format!(
        "min-replicas-max-lag is {max_lag_s} s: a master that was cut off acknowledges for {lag_ms} ms what its successor \
         after {limit_ms} ms (down-after and lease) does not know"
    );
    let fix = format!(
        "CONFIG SET min-replicas-max-lag {}, and in redis.conf",
        limit_ms.saturating_sub(LAG_CHECK_MS) / 1000
    );
    Some(Fault::new(FaultKind::FailoverLag, address.to_string(), cause, fix))
}
