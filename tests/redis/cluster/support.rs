//! Calls and waits that the cluster tests share.

use std::sync::atomic::{AtomicBool, Ordering};

use doorward::internals::token_string::HashTag;
use serde_json::{Value, json};

use crate::common::cluster::{RedisCluster, slot_of};
use crate::common::process::wait_for;
use crate::common::server::{Server, token_path};

/// Node timeout long enough that a busy machine causes no failover.
pub const PATIENT: [&str; 2] = ["--cluster-node-timeout", "60000"];

/// Short node timeout, so that a failover does not take long.
pub const HASTY: [&str; 4] = ["--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0"];

pub const SETTINGS: [(&str, &str); 3] =
    [("DOORWARD_LEASE", "500ms"), ("DOORWARD_REDIS_TIMEOUT", "250ms"), ("DOORWARD_TOUCH_RESOLUTION", "0")];

pub fn start(cluster: &RedisCluster) -> Server {
    start_with(cluster, &[])
}

pub fn start_with(cluster: &RedisCluster, settings: &[(&str, &str)]) -> Server {
    let url = cluster.url();
    let server = Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &url)], settings].concat());
    await_ready(&server);
    server
}

pub fn ready(server: &Server) -> u16 {
    server.validation().get("/readyz", &[]).status
}

pub fn await_ready(server: &Server) {
    wait_for("ready", || (ready(server) == 200).then_some(()));
}

/// Returns a user of each master, and the user's slot.
pub fn users(cluster: &RedisCluster) -> Vec<(String, u16)> {
    let count = cluster.masters.len();
    let mut users = vec![None; count];
    for n in 0.. {
        let user = format!("user-{n}");
        let slot = slot_of(&cluster.masters[0], &format!("{{{}}}", HashTag::of_user(&user)));
        users[usize::from(slot) * count / 16_384].get_or_insert((user, slot));
        if users.iter().all(Option::is_some) {
            break;
        }
    }
    users.into_iter().map(Option::unwrap).collect()
}

pub fn issue(server: &Server, user: &str) -> Value {
    server.issue(json!({"user": user}))
}

/// Issues a token as soon as the store accepts it.
pub fn issue_soon(server: &Server, user: &str) -> Value {
    let body = json!({"user": user, "ip": "203.0.113.7"});
    wait_for("issued", || {
        let response = server.call("POST", "/v1/tokens", Some(&body));
        assert!([201, 503].contains(&response.status), "{response:?}");
        (response.status == 201).then(|| response.json())
    })
}

pub fn status(server: &Server, token: &Value) -> u16 {
    server.auth(&token["token"]).status
}

/// Waits until the token passes, and asserts that every earlier answer is 503.
pub fn await_passes(server: &Server, token: &Value) {
    wait_for("passes", || {
        let status = status(server, token);
        assert!([200, 503].contains(&status), "{status}\n{}", server.log());
        (status == 200).then_some(())
    });
}

pub fn await_refused(server: &Server, token: &Value) {
    wait_for("refused", || (status(server, token) == 401).then_some(()));
}

/// Returns the faults that make the node unready.
pub fn faults(server: &Server) -> Vec<Value> {
    let mut faults = server.call("GET", "/v1/status", None).json()["faults"].as_array().unwrap().clone();
    faults.retain(|fault| fault["fatal"] == true);
    faults
}

pub struct StopOnDrop<'a>(pub &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// While a slot moves, its keys are on both masters, and scripts that need all of them must wait.
pub fn revoke_soon(server: &Server, token: &Value) {
    wait_for("revoked", || {
        let status = server.call("DELETE", &token_path(&token["id"]), None).status;
        assert!([204, 503].contains(&status), "{status}");
        (status == 204).then_some(())
    });
}
