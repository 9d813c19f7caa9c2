//! Checks that a failover cannot bring revoked tokens back for longer than promised.
//!
//! A master that is cut off from its replicas acknowledges revocations for `min-replicas-max-lag` seconds and up to one
//! more, because Redis checks the lag once a second. Its successor, which does not know them, starts after
//! `down-after` at the earliest, and nodes serve their cached records for one lease more. So no revocation is lost within
//! the promise if
//!
//! > max-lag + 1 s ≤ down-after + lease
//!
//! On a Cluster, down-after is `cluster-node-timeout`; otherwise the Sentinels know it. A Redis user that may not run
//! CONFIG GET, like the one in config/, gets no such fault.

use super::server_settings::ServerSettings;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::topology::Topology;
use crate::store::report::{Fault, FaultKind};

/// The interval at which Redis checks the lag of its replicas (replication.c, `replicationCron`).
const LAG_CHECK_MS: u64 = 1_000;

/// Returns a fault if this master's settings break the rule. Returns none if they are not known.
pub(crate) async fn too_slow(
    topology: &Topology,
    address: &ServerAddress,
    lease_ms: u64,
    settings: Option<&ServerSettings>,
) -> Option<Fault> {
    let settings = settings.filter(|_| topology.may_fail_over())?;
    let setting = |name: &str| settings.number(name);
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
        "min-replicas-max-lag is {max_lag_s} s: a master that is cut off acknowledges revocations for {lag_ms} ms; its \
         successor, after {limit_ms} ms (down-after and lease), does not know them"
    );
    let fix = format!(
        "CONFIG SET min-replicas-max-lag {}, also in redis.conf",
        limit_ms.saturating_sub(LAG_CHECK_MS) / 1000
    );
    Some(Fault::new(FaultKind::FailoverLag, address.to_string(), cause, fix))
}
