//! The answer to `CLUSTER SLOTS`.

use redis::Value;

use super::address::ServerAddress;

/// A range of slots with the same master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRange {
    pub(crate) first: u16,
    /// Inclusive.
    pub(crate) last: u16,
    pub(crate) address: ServerAddress,
    pub(crate) node_id: String,
    /// The master's replicas and their ids.
    pub(crate) replicas: Vec<(ServerAddress, String)>,
}

/// Parses the answer of the server that was `asked`; `None` if it has an unexpected form.
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

/// Returns the address and the id of a master or replica.
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
    fn the_answer_to_cluster_slots_is_parsed() {
        let asked = ServerAddress::tcp("asked", 1);
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
        assert_eq!(ranges[0].replicas, [(ServerAddress::tcp("other", 1), "other id".into())]);
    }

    #[test]
    fn answers_of_other_forms_are_rejected() {
        let asked = ServerAddress::tcp("asked", 1);
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
