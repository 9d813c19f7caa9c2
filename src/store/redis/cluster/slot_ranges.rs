//! The slots of each master, as a Cluster lists them.

use super::endpoint::ServerAddress;
use redis::Value;

/// Slots of a cluster with the same master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRange {
    pub(crate) first: u16,
    /// Also one of them.
    pub(crate) last: u16,
    pub(crate) address: ServerAddress,
    pub(crate) node_id: String,
    /// The replicas of the master and their ids.
    pub(crate) replicas: Vec<(ServerAddress, String)>,
}

/// Reads the answer to `CLUSTER SLOTS` of the node that was `asked`.
pub(crate) fn slot_ranges(answer: &Value, asked: &ServerAddress) -> Option<Vec<SlotRange>> {
    let Value::Array(ranges) = answer else { return None };
    ranges.iter().map(|range| slot_range(range, asked)).collect()
}

fn slot_range(range: &Value, asked: &ServerAddress) -> Option<SlotRange> {
    let Value::Array(range) = range else { return None };
    let [Value::Int(first), Value::Int(last), master, replicas @ ..] = &range[..] else { return None };
    let (address, node_id) = member(master, asked)?;
    Some(SlotRange {
        first: u16::try_from(*first).ok()?,
        last: u16::try_from(*last).ok()?,
        address,
        node_id,
        replicas: replicas.iter().filter_map(|replica| member(replica, asked)).collect(),
    })
}

/// The address and the id of a node.
fn member(node: &Value, asked: &ServerAddress) -> Option<(ServerAddress, String)> {
    let Value::Array(node) = node else { return None };
    let [host, Value::Int(port), node_id, ..] = &node[..] else { return None };
    let host = match host {
        Value::Nil => "",
        host => text(host)?,
    };
    Some((ServerAddress::parse(&format!("{host}:{port}"), asked)?, text(node_id)?.to_owned()))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}
