//! A deployment: two nodes of the real binary, and a Redis or a Redis Cluster. Of one Redis the first node reaches it
//! directly, the second through a proxy.

use std::process::Command;

use serde_json::json;

use crate::common::cluster::RedisCluster;
use crate::common::http::Client;
use crate::common::process::{Process, wait_for};
use crate::common::redis::{RedisServer, url_at};
use crate::proxy::Proxy;
use crate::{LEASE_MS, now_us};

/// The node with a direct link.
pub const DIRECT: usize = 0;
/// The node behind the proxy.
pub const PROXIED: usize = 1;
pub const NODES: usize = 2;

/// Half the lease: a node that waits for a silent Redis is asked several times in a segment.
const REDIS_TIMEOUT: &str = "250ms";
const ADMIN_KEY: &str = "history-checker-history-checker-0001";

pub struct World {
    pub store: Store,
    pub nodes: Vec<Node>,
}

pub enum Store {
    One {
        redis: Box<RedisServer>,
        /// Takes over where a fault demotes the master.
        second: Option<Box<RedisServer>>,
        proxy: Proxy,
    },
    Cluster(RedisCluster),
}

pub struct Node {
    pub process: Process,
    pub addresses: Addresses,
}

#[derive(Clone, Debug)]
pub struct Addresses {
    listen: String,
    admin_listen: String,
}

impl World {
    pub fn start(redis: RedisServer, second: Option<RedisServer>) -> Self {
        let proxy = Proxy::start(redis.port());
        let ports = [redis.port(), proxy.port()];
        let urls = ports.map(url_at);
        Self::on(Store::One { redis: Box::new(redis), second: second.map(Box::new), proxy }, urls)
    }

    pub fn start_on_cluster(cluster: RedisCluster) -> Self {
        let urls = [cluster.url(), cluster.url()];
        Self::on(Store::Cluster(cluster), urls)
    }

    fn on(store: Store, urls: [String; NODES]) -> Self {
        let nodes = urls.iter().map(|url| Node::start(url)).collect();
        let world = Self { store, nodes };
        world.await_service();
        world
    }

    pub fn redis(&mut self) -> &mut RedisServer {
        match &mut self.store {
            Store::One { redis, .. } => redis,
            Store::Cluster(_) => panic!("no single Redis"),
        }
    }

    pub fn proxy(&self) -> &Proxy {
        match &self.store {
            Store::One { proxy, .. } => proxy,
            Store::Cluster(_) => panic!("no proxy"),
        }
    }

    pub fn cluster(&self) -> &RedisCluster {
        match &self.store {
            Store::One { .. } => panic!("no cluster"),
            Store::Cluster(cluster) => cluster,
        }
    }

    pub fn addresses(&self) -> Vec<Addresses> {
        self.nodes.iter().map(|node| node.addresses.clone()).collect()
    }

    /// Waits until every node issues and admits; gives how long that took.
    pub fn await_service(&self) -> u64 {
        let started_us = now_us();
        for node in self.addresses() {
            let mut admin = node.admin();
            let issued = wait_for("a node issues", || admin.issue("witness"));
            let mut gate = node.gate();
            wait_for("a node admits", || (gate.validate(&issued.wire) == 200).then_some(()));
        }
        now_us() - started_us
    }
}

impl Node {
    fn start(redis_url: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| name.to_string_lossy().starts_with("DOORWARD_")) {
            command.env_remove(name);
        }
        command
            .env("DOORWARD_LISTEN", "127.0.0.1:0")
            .env("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0")
            .env("DOORWARD_ADMIN_KEY", ADMIN_KEY)
            .env("DOORWARD_REDIS_URL", redis_url)
            .env("DOORWARD_REDIS_TIMEOUT", REDIS_TIMEOUT)
            .env("DOORWARD_LEASE", format!("{LEASE_MS}ms"))
            // Every access is written down, soon: writes that must not bring an ended token back.
            .env("DOORWARD_TOUCH_RESOLUTION", "0")
            .env("DOORWARD_FLUSH_INTERVAL", "100ms");
        let mut process = Process::spawn("doorward", &mut command);
        process.wait_until("ready", |process| ready_line(&process.stdout()).is_some());
        let addresses = ready_line(&process.stdout()).unwrap();
        Self { process, addresses }
    }
}

fn ready_line(stdout: &str) -> Option<Addresses> {
    let line =
        stdout.split_inclusive('\n').find(|line| line.contains("ready listen=") && line.ends_with('\n'))?;
    let after = |label: &str| Some(line.split_once(label)?.1.split_whitespace().next()?.to_owned());
    Some(Addresses { listen: after("ready listen=")?, admin_listen: after(" admin-listen=")? })
}

impl Addresses {
    pub fn gate(&self) -> Gate {
        Gate(Client::new(&self.listen))
    }

    pub fn admin(&self) -> Admin {
        Admin(Client::new(&self.admin_listen))
    }
}

/// A client of the validation plane. Panics where there is no answer at all.
pub struct Gate(Client);

impl Gate {
    pub fn validate(&mut self, wire: &str) -> u16 {
        self.0.get("/auth", &[("Authorization", &format!("Bearer {wire}"))]).status
    }

    pub fn log_out(&mut self, wire: &str) -> u16 {
        self.0.request("POST", "/logout", &[("Authorization", &format!("Bearer {wire}"))], None).status
    }
}

/// A client of the admin plane. Panics where there is no answer at all.
pub struct Admin(Client);

pub struct Issued {
    pub id: String,
    pub wire: String,
}

impl Admin {
    /// `None` when the answer is 503.
    pub fn issue(&mut self, user: &str) -> Option<Issued> {
        let answer = self.request("POST", "/v1/tokens", Some(json!({"user": user, "ip": "192.0.2.1"})));
        match answer.status {
            201 => {
                let token = answer.json();
                let text = |field: &str| token[field].as_str().unwrap().to_owned();
                Some(Issued { id: text("id"), wire: text("token") })
            }
            503 => None,
            other => panic!("issuing: {other} {}", answer.text()),
        }
    }

    pub fn set_slug(&mut self, id: &str, slug: &str) -> u16 {
        self.request("PATCH", &format!("/v1/tokens/{id}"), Some(json!({"auth_slug": slug}))).status
    }

    pub fn end(&mut self, id: &str) -> u16 {
        self.request("DELETE", &format!("/v1/tokens/{id}"), None).status
    }

    pub fn end_all(&mut self, user: &str) -> u16 {
        self.request("DELETE", &format!("/v1/users/{user}/tokens"), None).status
    }

    fn request(
        &mut self,
        method: &str,
        path: &str,
        json: Option<serde_json::Value>,
    ) -> crate::common::http::Response {
        let key = format!("Bearer {ADMIN_KEY}");
        self.0.request(method, path, &[("Authorization", &key)], json.as_ref())
    }
}
