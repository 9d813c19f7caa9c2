//! `doorward nodes`: all nodes of a store.

use serde_json::Value;

use crate::cli::admin::{AdminClient, Failure};
use crate::cli::output::note;
use crate::cli::show::{Column, Output, rows, text};

/// Lists the nodes.
pub(crate) async fn run(client: &AdminClient, output: Output) -> Result<(), Failure> {
    let listed = client.get("/v1/nodes").await?;
    if listed["complete"] == false {
        note("the store was not reached: only the node that answered is listed");
    }
    output.print(&listed, |listed| rows(NODES, listed["nodes"].as_array().map_or(&[], Vec::as_slice)))
}

const NODES: &[Column] = &[
    ("NODE", |node| text(&node["name"])),
    ("STATE", |node| state(node).to_owned()),
    ("FAULTS", |node| match node["faults"].as_array().map_or(&[][..], Vec::as_slice) {
        [] => "-".to_owned(),
        faults => faults.iter().map(text).collect::<Vec<_>>().join(","),
    }),
    ("REPORT AGE", |node| with_unit(&node["age_seconds"], "s")),
    ("VALIDATIONS/S", |node| match node["validations_per_second"].as_object() {
        None => "-".to_owned(),
        Some(rates) => format!("{:.1}", rates.values().filter_map(Value::as_f64).sum::<f64>()),
    }),
    ("LOGINS/S", |node| text(&node["tokens_per_second"]["issued"])),
    ("HIT RATE", |node| text(&node["hit_rate"])),
    ("MEDIAN", |node| micros(&node["validation_seconds"]["median"])),
    ("P99", |node| micros(&node["validation_seconds"]["p99"])),
    ("LEASE AGE", |node| with_unit(&node["lease_age_seconds"], "s")),
    ("CACHED", |node| text(&node["cached_tokens"])),
    ("VERSION", |node| text(&node["version"])),
    ("STARTED", |node| text(&node["started_at"])),
];

/// Returns the state of a node in a word. What a silent node said last no longer counts.
fn state(node: &Value) -> &'static str {
    let is = |name: &str| node[name] == true;
    match (is("silent"), is("stopping"), is("ready")) {
        (true, _, _) => "silent",
        (_, true, _) => "stopping",
        (_, _, true) => "ready",
        _ => "not-ready",
    }
}

fn with_unit(value: &Value, unit: &str) -> String {
    if value.is_null() { text(value) } else { format!("{value}{unit}") }
}

fn micros(seconds: &Value) -> String {
    seconds.as_f64().map_or_else(|| "-".to_owned(), |seconds| format!("{:.1}us", seconds * 1e6))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_a_line() {
        let new = json!({"name": "a", "ready": true, "stopping": false, "silent": false, "faults": [],
            "age_seconds": 0.0, "validations_per_second": null, "hit_rate": null, "version": "1.0.0"});
        let other = json!({"name": "b", "ready": true, "stopping": false, "silent": true,
            "faults": ["persistence", "memory_low"], "age_seconds": 12.5,
            "validations_per_second": {"valid": 10.5, "refused": 0.5}, "tokens_per_second": {"issued": 2.0},
            "hit_rate": 0.99, "validation_seconds": {"median": 0.000_001_25, "p99": 0.0003}, "cached_tokens": 7});
        let table = rows(NODES, &[new, other]);
        let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["a", "ready", "-", "0.0s", "-", "-", "-", "-", "-", "-", "-", "1.0.0", "-"]);
        let expected = [
            "b",
            "silent",
            "persistence,memory_low",
            "12.5s",
            "11.0",
            "2.0",
            "0.99",
            "1.2us",
            "300.0us",
            "-",
            "7",
            "-",
            "-",
        ];
        assert_eq!(lines[2], expected);
    }

    #[test]
    fn the_last_word_of_a_silent_node_does_not_count() {
        let of = |silent: bool, stopping: bool, ready: bool| {
            state(&json!({"silent": silent, "stopping": stopping, "ready": ready}))
        };
        assert_eq!([of(true, true, false), of(false, true, false)], ["silent", "stopping"]);
        assert_eq!([of(false, false, true), of(false, false, false)], ["ready", "not-ready"]);
    }
}
