//! Lines of a server's log, if it logs JSON.

use serde_json::Value;

use super::process::wait_for;
use super::server::Server;

/// Returns the fields of the lines with this target so far.
pub fn lines(server: &Server, target: &str) -> Vec<Value> {
    let log = server.log();
    let parsed = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    parsed.filter(|line| line["target"] == target).map(|line| line["fields"].clone()).collect()
}

/// Waits until there are so many lines with this target, and returns their fields. There must never be more.
pub fn all_lines(server: &Server, target: &str, count: usize) -> Vec<Value> {
    let enough = |lines: &Vec<Value>| lines.len() >= count;
    let found = wait_for("the lines of the log", || Some(lines(server, target)).filter(enough));
    assert_eq!(found.len(), count, "{found:#?}");
    found
}

/// Returns an object with the members of both.
pub fn merged(one: &Value, other: Value) -> Value {
    let mut merged = one.clone();
    merged.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    merged
}
