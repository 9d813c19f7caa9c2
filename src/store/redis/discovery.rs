//! Asking the nodes of a Cluster who has which slots, and Sentinels who the master is.

use std::collections::HashMap;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::{Value, cmd, pipe};

use super::describe;
use super::link::{Address, Link};

/// So many nodes of a cluster are asked at once; the first good answer counts.
const ASKED_AT_ONCE: usize = 3;

/// Slots of a cluster with the same master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotRange {
    pub(super) first: u16,
    /// Also one of them.
    pub(super) last: u16,
    pub(super) address: Address,
    pub(super) node_id: String,
}

/// Who has which slots, by the word of one of these nodes; which ones are asked changes with `round`.
pub(super) async fn cluster_slots<'a>(
    link: &Link,
    nodes: impl Iterator<Item = &'a Address> + Clone,
    round: u64,
) -> Result<Vec<SlotRange>, String> {
    let count = nodes.clone().count().max(1);
    let first = round as usize % count;
    let asked = nodes.clone().skip(first).chain(nodes.take(first)).take(ASKED_AT_ONCE);
    let mut answers: FuturesUnordered<_> = asked.map(|node| ask_node(link, node)).collect();
    let mut reason = "no nodes to ask".to_owned();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(ranges) => return Ok(ranges),
            Err(other) => reason = other,
        }
    }
    Err(reason)
}

/// A node that has lost touch with the others says so, and its word does not count.
async fn ask_node(link: &Link, node: &Address) -> Result<Vec<SlotRange>, String> {
    let mut connection = link.connect(node).await.map_err(|error| describe(&error))?;
    let mut questions = pipe();
    questions.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
    let (info, slots): (String, Value) =
        questions.query_async(&mut connection).await.map_err(|error| describe(&error))?;
    if !info.lines().any(|line| line.trim() == "cluster_state:ok") {
        return Err(format!("{node} says that the cluster is down"));
    }
    slot_ranges(&slots, node).ok_or_else(|| format!("{node} gives slots of an unexpected form"))
}

/// Reads the answer to `CLUSTER SLOTS` of the node that was `asked`.
pub(super) fn slot_ranges(answer: &Value, asked: &Address) -> Option<Vec<SlotRange>> {
    let Value::Array(ranges) = answer else { return None };
    ranges.iter().map(|range| slot_range(range, asked)).collect()
}

fn slot_range(range: &Value, asked: &Address) -> Option<SlotRange> {
    let Value::Array(range) = range else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = &range[..] else { return None };
    let [host, Value::Int(port), node_id, ..] = &master[..] else { return None };
    let host = match host {
        Value::Nil => "",
        host => text(host)?,
    };
    Some(SlotRange {
        first: u16::try_from(*first).ok()?,
        last: u16::try_from(*last).ok()?,
        address: Address::parse(&format!("{host}:{port}"), asked)?,
        node_id: text(node_id)?.to_owned(),
    })
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// The address that most of the Sentinels name: one alone may be cut off, and think of a former master.
pub(super) async fn sentinels_master(
    link: &Link,
    sentinels: &[Address],
    name: &str,
) -> Result<Address, String> {
    let mut answers: FuturesUnordered<_> =
        sentinels.iter().map(|sentinel| ask_sentinel(link, sentinel, name)).collect();
    let mut votes: HashMap<Address, usize> = HashMap::new();
    let mut reason = "no Sentinels to ask".to_owned();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(address) => {
                let count = votes.entry(address.clone()).or_default();
                *count += 1;
                if *count > sentinels.len() / 2 {
                    return Ok(address);
                }
            }
            Err(other) => reason = other,
        }
    }
    votes.into_iter().max_by_key(|(_, count)| *count).map(|(address, _)| address).ok_or(reason)
}

/// The master's `down-after-milliseconds`, by the word of the first Sentinel that answers.
pub(super) async fn down_after_ms(link: &Link, sentinels: &[Address], name: &str) -> Option<u64> {
    for sentinel in sentinels {
        let ask = async {
            let mut connection = link.connect(sentinel).await?;
            cmd("SENTINEL").arg("MASTER").arg(name).query_async(&mut connection).await
        };
        let answer: Result<HashMap<String, String>, redis::RedisError> = ask.await;
        if let Ok(known) = answer {
            return known.get("down-after-milliseconds")?.parse().ok();
        }
    }
    None
}

async fn ask_sentinel(link: &Link, sentinel: &Address, name: &str) -> Result<Address, String> {
    // A silent one must leave time to count the votes of the others.
    let patience = link.timeout / 2;
    let ask = async {
        let mut connection = link.connect(sentinel).await?;
        cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).query_async(&mut connection).await
    };
    let answer: Option<(String, u16)> = match tokio::time::timeout(patience, ask).await {
        Ok(answer) => answer.map_err(|error| describe(&error))?,
        Err(_) => return Err(format!("{sentinel} does not answer")),
    };
    match answer {
        Some((host, port)) => Ok(Address::tcp(&host, port)),
        None => Err(format!("{sentinel} knows no such master")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let master = Value::Array(vec![host, Value::Int(port), bulk("id"), Value::Array(vec![])]);
        let replica = Value::Array(vec![bulk("other"), Value::Int(1), bulk("other id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), master, replica])
    }

    #[test]
    fn the_answer_to_cluster_slots_is_read() {
        let asked = Address::tcp("asked", 1);
        let answer = Value::Array(vec![
            range(0, 5, bulk("10.0.0.1"), 7000),
            range(6, 16_383, Value::Nil, 7001),
            range(7, 7, bulk(""), 7002),
        ]);
        let ranges = slot_ranges(&answer, &asked).unwrap();
        let read: Vec<_> = ranges.iter().map(|r| (r.first, r.last, r.address.to_string())).collect();
        let expected = [(0, 5, "10.0.0.1:7000"), (6, 16_383, "asked:7001"), (7, 7, "asked:7002")]
            .map(|(f, l, a)| (f, l, a.to_owned()));
        assert_eq!(read, expected);
        assert_eq!(ranges[0].node_id, "id");
    }

    #[test]
    fn other_forms_are_none() {
        let asked = Address::tcp("asked", 1);
        for answer in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![Value::Array(vec![])]),
            Value::Array(vec![range(-1, 5, bulk("a"), 1)]),
            Value::Array(vec![range(0, 70_000, bulk("a"), 1)]),
            Value::Array(vec![range(0, 5, bulk("a"), 70_000)]),
            Value::Array(vec![range(0, 5, Value::Int(1), 1)]),
        ] {
            assert_eq!(slot_ranges(&answer, &asked), None, "{answer:?}");
        }
    }
}
