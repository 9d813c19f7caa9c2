//! A server whose settings are in files of a directory, and reloads of it.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::http::Response;
use crate::common::server::Server;

/// The files of a server's settings.
pub struct Files(TempDir);

impl Files {
    /// A directory with this `doorward.toml`.
    pub fn new(toml: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("doorward.toml", toml);
        files
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces a file at once, as a careful operator does.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// Starts a server with the settings of `doorward.toml` and these.
    pub fn start(&self, more: &[(&str, &str)]) -> Server {
        let toml = self.path("doorward.toml");
        Server::start(&[&[("DOORWARD_CONFIG", toml.to_str().unwrap())], more].concat())
    }
}

/// The ends of a reload in the log.
const RELOADED: &str = " settings reloaded";
const REFUSED: &str = " settings not reloaded";

/// Sends SIGHUP and waits for the end of the reload. Returns whether the settings were taken over.
pub fn reload(server: &mut Server) -> bool {
    let count = |log: &str, message: &str| log.matches(message).count();
    let before = server.log();
    let (reloaded, refused) = (count(&before, RELOADED), count(&before, REFUSED));
    server.process().signal(Signal::HUP);
    server.process().wait_until("reloaded", |process| {
        let log = process.log();
        count(&log, RELOADED) + count(&log, REFUSED) > reloaded + refused
    });
    count(&server.log(), RELOADED) > reloaded
}

/// Reloads settings that must be taken over.
pub fn reload_well(server: &mut Server) {
    assert!(reload(server), "{}", server.log());
}

/// Returns `last_reload` of the status.
pub fn last_reload(server: &Server) -> Value {
    server.call("GET", "/v1/status", None).json()["last_reload"].clone()
}

/// Returns the value of a sample in the metrics; `None` without such a sample.
pub fn sample(server: &Server, name: &str) -> Option<f64> {
    let metrics = server.call("GET", "/metrics", None).text();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(value.parse().unwrap())
}

/// Returns the names of a list of the status.
pub fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

/// An item of `api-keys`.
pub fn api_key(name: &str, scopes: &str, text: &str) -> String {
    format!("{name}:{scopes}:{}", doorward::internals::config::hash_key(text).unwrap())
}

/// Issues a token with this API key.
pub fn issue_with(server: &Server, key: &str) -> Response {
    let body = json!({"user": "alice", "ip": "203.0.113.7"});
    server.admin().request("POST", "/v1/tokens", &[("Authorization", &format!("Bearer {key}"))], Some(&body))
}
