//! Checks a server's role, and its replicas.

use super::server_facts::{ServerFacts, ServerSettings};
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::topology::Topology;
use crate::store::report::{Fault, FaultKind};

/// A replica that last acknowledged its master's data longer ago is behind. The default of `min-replicas-max-lag`.
const MAX_LAG_S: u64 = 10;

/// Returns the fault of a server that is a replica. On a Cluster the map of the slots says which servers are masters.
pub(crate) fn role(topology: &Topology, address: &ServerAddress, facts: &ServerFacts) -> Option<Fault> {
    let master = facts.replica_of.as_ref().filter(|_| !topology.is_cluster())?;
    Some(replica(address, format!("the server is a replica of {master}")))
}

/// The fault of a server that is a replica.
pub(crate) fn replica(address: &ServerAddress, cause: impl Into<String>) -> Fault {
    let fix = "redis-url must name the master; or make this server the master (REPLICAOF NO ONE)";
    Fault::new(FaultKind::Replica, address.to_string(), cause, fix)
}

/// Returns a warning if no replica could take over, or if one is behind.
pub(crate) fn warnings(topology: &Topology, address: &ServerAddress, facts: &ServerFacts) -> Vec<Fault> {
    let warning =
        |cause: String, fix: &str| Fault::new(FaultKind::Replication, address.to_string(), cause, fix);
    if topology.may_fail_over() && facts.replica_of.is_none() && facts.replicas.is_empty() {
        let cause = "no replica is connected: if this master stops, no server takes over";
        return vec![warning(cause.into(), "start a replica of it, or look at the log of the one it had")];
    }
    let is_behind = |lag_s: u64, state: &str| lag_s > MAX_LAG_S || state != "online";
    let behind = facts.replicas.iter().filter(|replica| is_behind(replica.lag_s, &replica.state));
    let cause = |address: &str, state: &str, lag_s: u64| match state {
        "online" => format!("the replica {address} is {lag_s} s behind: a failover to it loses revocations"),
        state => format!("the replica {address} has not got the data yet ({state})"),
    };
    behind
        .map(|replica| cause(&replica.address, &replica.state, replica.lag_s))
        .map(|cause| warning(cause, "look at the replica's log and at the network between them"))
        .collect()
}

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
