//! Nodes whose readiness, status and logs the tests read.

use serde_json::{Value, json};

use crate::common::server::Server;

/// Starts a node on the Redis at this address.
pub fn start(redis_url: &str) -> Server {
    Server::start(&[("DOORWARD_REDIS_URL", redis_url)])
}

pub fn issue(server: &Server) -> (u16, Value) {
    let body = json!({"user": "alice", "ip": "203.0.113.7"});
    let response = server.call("POST", "/v1/tokens", Some(&body));
    (response.status, if response.status == 201 { response.json() } else { Value::Null })
}

pub fn status(server: &Server) -> Value {
    let response = server.call("GET", "/v1/status", None);
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

/// Returns the faults of the node and its store.
pub fn all_faults(server: &Server) -> Vec<Value> {
    status(server)["faults"].as_array().unwrap().clone()
}

/// Returns the faults that make the node unready. (The servers of most tests keep nothing on the disk: a warning.)
pub fn faults_of(server: &Server) -> Vec<Value> {
    let mut faults = all_faults(server);
    faults.retain(|fault| fault["fatal"] == true);
    faults
}

pub fn metric(server: &Server, name: &str) -> String {
    let text = server.call("GET", "/metrics", None).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

pub fn lines(server: &Server, message: &str) -> usize {
    server.log().lines().filter(|line| line.contains(message)).count()
}
