//! Calls and waits that the cluster tests share.

use doorward::internals::token_string::HashTag;
use serde_json::{Value, json};

use crate::common::cluster::{RedisCluster, slot_of};
use crate::common::recovery::await_ready;
use crate::common::server::Server;

/// Node timeout long enough that a busy machine causes no failover.
pub const PATIENT: [&str; 2] = ["--cluster-node-timeout", "60000"];

/// Short node timeout, so that a failover does not take long, and long enough that a busy machine causes none.
pub const HASTY: [&str; 4] = ["--cluster-node-timeout", "3000", "--cluster-replica-validity-factor", "0"];

pub const SETTINGS: [(&str, &str); 2] = [("DOORWARD_LEASE", "500ms"), ("DOORWARD_TOUCH_RESOLUTION", "0")];

/// Short enough for a frozen master, and long enough for a master that a busy machine delays.
pub const TIMEOUT: (&str, &str) = ("DOORWARD_REDIS_TIMEOUT", "3s");

pub fn start(cluster: &RedisCluster) -> Server {
    start_with(cluster, &[])
}

pub fn start_with(cluster: &RedisCluster, settings: &[(&str, &str)]) -> Server {
    let url = cluster.url();
    let server = Server::start(&[&SETTINGS[..], &[("DOORWARD_REDIS_URL", &url)], settings].concat());
    await_ready(&server);
    server
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

pub fn status(server: &Server, token: &Value) -> u16 {
    server.auth(&token["token"]).status
}
