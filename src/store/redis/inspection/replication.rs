//! Checks a server's role, and its replicas.

use super::server_facts::ServerFacts;
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
