//! A deployment: two nodes of the real binary, and a Redis or a Redis Cluster. The first node reaches a single Redis
//! directly, the second one through a proxy.

use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::common::cluster::RedisCluster;
use crate::common::fake_sentinel::FakeSentinel;
use crate::common::fake_time::FakeTime;
use crate::common::http::{Client, Response, request_bytes};
use crate::common::process::{Process, wait_for};
use crate::common::redis::{RedisServer, url_at};
use crate::common::server::{ADMIN_KEY, binary, command, key, wait_ready};
use crate::lossy::await_sync;
use crate::proxy::Proxy;
use crate::timing::{LEASE_MS, now_us};

/// The node with a direct link.
pub const DIRECT: usize = 0;
/// The node behind the proxy.
pub const PROXIED: usize = 1;
pub const NODES: usize = 2;

/// Half the lease: a node that waits for a silent Redis gets several requests in a segment.
const REDIS_TIMEOUT: &str = "250ms";
const ROTATION_GRACE: &str = "1d";

pub struct World {
    pub store: Store,
    /// The Sentinels that name the master, for faults that need them.
    pub sentinels: Vec<FakeSentinel>,
    pub nodes: Vec<Node>,
    /// The wall clock of one node or of Redis, for faults that make it jump.
    pub clock: Option<FakeTime>,
    /// The folder of the sockets of restartable nodes.
    _sockets: Option<TempDir>,
}

pub enum Store {
    One {
        redis: Box<RedisServer>,
        /// Becomes the master if a fault demotes the first one.
        second: Option<Box<RedisServer>>,
        proxy: Proxy,
    },
    /// A master that the Sentinels name, and its replicas.
    Replicated(Replicated),
    Cluster(RedisCluster),
}

pub struct Replicated {
    pub servers: Vec<RedisServer>,
    /// The place of the master in `servers`.
    pub master: usize,
    /// The epoch of the last failover.
    pub epoch: u64,
}

pub struct Node {
    pub process: Process,
    pub addresses: Addresses,
    redis_url: String,
}

#[derive(Clone, Debug)]
pub struct Addresses {
    listen: String,
    admin_listen: String,
    /// The node may be restarted: a missing answer counts as a 503, and clients pause between requests.
    is_restarted: bool,
}

/// Uses any free ports.
fn any_ports() -> Addresses {
    let any = || "127.0.0.1:0".to_owned();
    Addresses { listen: any(), admin_listen: any(), is_restarted: false }
}

/// Pause between two requests to a node that is restarted.
const REST: Duration = Duration::from_millis(5);

impl World {
    pub fn start(redis: RedisServer, second: Option<RedisServer>) -> Self {
        let proxy = Proxy::start(redis.port());
        let ports = [redis.port(), proxy.port()];
        let urls = ports.map(url_at);
        Self::on(Store::One { redis: Box::new(redis), second: second.map(Box::new), proxy }, urls)
    }

    /// Starts one Redis whose clock can jump.
    pub fn start_with_store_clock() -> Self {
        let clock = FakeTime::new("+0");
        let redis = RedisServer::with_clock(&["--appendonly", "no"], &clock);
        Self { clock: Some(clock), ..Self::start(redis, None) }
    }

    /// Starts one Redis, and a node whose system clock can jump.
    pub fn start_with_node_clock() -> Self {
        let mut world = Self::start(RedisServer::start(), None);
        let Store::One { proxy, .. } = &world.store else { panic!("no proxy") };
        let clock = FakeTime::new("+0");
        world.nodes[PROXIED] = Node::start(&url_at(proxy.port()), any_ports(), &clock.env());
        world.await_service();
        Self { clock: Some(clock), ..world }
    }

    pub fn start_on_cluster(cluster: RedisCluster) -> Self {
        let urls = [cluster.url(), cluster.url()];
        Self::on(Store::Cluster(cluster), urls)
    }

    /// Adds three Sentinels that name the first server.
    pub fn start_with_sentinels(redis: RedisServer, second: RedisServer) -> Self {
        let sentinels: Vec<_> = (0..3).map(|id| FakeSentinel::start(id, redis.port())).collect();
        let (proxy, url) = (Proxy::start(redis.port()), FakeSentinel::url(&sentinels));
        let store = Store::One { redis: Box::new(redis), second: Some(Box::new(second)), proxy };
        Self { sentinels, ..Self::on(store, [url.clone(), url]) }
    }

    fn on(store: Store, urls: [String; NODES]) -> Self {
        let nodes = urls.iter().map(|url| Node::start(url, any_ports(), &[])).collect();
        let world = Self { store, sentinels: Vec::new(), nodes, clock: None, _sockets: None };
        world.await_service();
        world
    }

    /// Starts one Redis and restartable nodes.
    pub fn start_restartable(redis: RedisServer) -> Self {
        let (proxy, url) = (Proxy::start(redis.port()), redis.url());
        Self::on_restartable(Store::One { redis: Box::new(redis), second: None, proxy }, &url, &[])
    }

    pub fn start_restartable_on_cluster(cluster: RedisCluster) -> Self {
        let url = cluster.url();
        Self::on_restartable(Store::Cluster(cluster), &url, &[])
    }

    /// Starts restartable nodes, and three Sentinels that name the first server. The others are its replicas.
    pub fn start_replicated(servers: Vec<RedisServer>, env: &[(String, String)]) -> Self {
        let port = servers[0].port();
        for replica in &servers[1..] {
            replica.cli(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
            await_sync(replica);
        }
        let sentinels: Vec<_> = (0..3).map(|id| FakeSentinel::start(id, port)).collect();
        let url = FakeSentinel::url(&sentinels);
        let store = Store::Replicated(Replicated { servers, master: 0, epoch: 1 });
        Self { sentinels, ..Self::on_restartable(store, &url, env) }
    }

    /// Makes the nodes restartable: they listen on sockets of their own.
    fn on_restartable(store: Store, url: &str, env: &[(String, String)]) -> Self {
        let sockets = tempfile::tempdir().unwrap();
        let at = |name: String| format!("unix:{}", sockets.path().join(name).display());
        let addresses = |n| Addresses {
            listen: at(format!("{n}.sock")),
            admin_listen: at(format!("{n}-admin.sock")),
            is_restarted: true,
        };
        let nodes = (0..NODES).map(|n| Node::start(url, addresses(n), env)).collect();
        let world = Self { store, sentinels: Vec::new(), nodes, clock: None, _sockets: Some(sockets) };
        world.await_service();
        world
    }

    pub fn redis(&mut self) -> &mut RedisServer {
        match &mut self.store {
            Store::One { redis, .. } => redis,
            Store::Replicated(_) | Store::Cluster(_) => panic!("no single Redis"),
        }
    }

    pub fn proxy(&self) -> &Proxy {
        match &self.store {
            Store::One { proxy, .. } => proxy,
            Store::Replicated(_) | Store::Cluster(_) => panic!("no proxy"),
        }
    }

    pub fn replicated(&mut self) -> &mut Replicated {
        match &mut self.store {
            Store::Replicated(replicated) => replicated,
            Store::One { .. } | Store::Cluster(_) => panic!("no Sentinels"),
        }
    }

    pub fn cluster(&self) -> &RedisCluster {
        match &self.store {
            Store::One { .. } | Store::Replicated(_) => panic!("no cluster"),
            Store::Cluster(cluster) => cluster,
        }
    }

    pub fn addresses(&self) -> Vec<Addresses> {
        self.nodes.iter().map(|node| node.addresses.clone()).collect()
    }

    /// Waits until every node issues and accepts tokens; returns how long that took.
    pub fn await_service(&self) -> u64 {
        let started_us = now_us();
        (0..self.nodes.len()).for_each(|node| self.await_service_of(node));
        now_us() - started_us
    }

    /// Waits until a node issues and accepts tokens.
    pub fn await_service_of(&self, node: usize) {
        let node = &self.nodes[node].addresses;
        let mut admin = node.admin();
        let issued = wait_for("a node issues", || admin.issue("witness"));
        let mut gate = node.gate();
        wait_for("a node admits", || (gate.validate(&issued.token_string) == 200).then_some(()));
    }
}

impl Node {
    fn start(redis_url: &str, addresses: Addresses, env: &[(String, String)]) -> Self {
        let lease = format!("{LEASE_MS}ms");
        let settings = [
            ("DOORWARD_LISTEN", addresses.listen.as_str()),
            ("DOORWARD_ADMIN_LISTEN", &addresses.admin_listen),
            ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
            ("DOORWARD_REDIS_URL", redis_url),
            ("DOORWARD_REDIS_TIMEOUT", REDIS_TIMEOUT),
            ("DOORWARD_LEASE", &lease),
            // Longer than any run, so that no issued secret is ever refused, however slow the machine.
            ("DOORWARD_ROTATION_GRACE", ROTATION_GRACE),
            // Every access is written soon: such writes must not revive a revoked token.
            ("DOORWARD_TOUCH_RESOLUTION", "0"),
            ("DOORWARD_FLUSH_INTERVAL", "100ms"),
        ];
        let mut command = command(binary(), &settings);
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let mut process = Process::spawn("doorward", &mut command);
        let (listen, admin_listen) = wait_ready(&mut process);
        let addresses = Addresses { listen, admin_listen, ..addresses };
        Self { process, addresses, redis_url: redis_url.to_owned() }
    }

    /// Starts the stopped node again at the same addresses.
    pub fn start_again(&mut self) {
        *self = Self::start(&self.redis_url, self.addresses.clone(), &[]);
    }
}

impl Addresses {
    pub fn gate(&self) -> Gate {
        Gate(Asker { client: Client::new(&self.listen), is_restarted: self.is_restarted })
    }

    pub fn admin(&self) -> Admin {
        Admin(Asker { client: Client::new(&self.admin_listen), is_restarted: self.is_restarted })
    }
}

/// A client. Panics if it gets no answer, unless its node may be restarted.
struct Asker {
    client: Client,
    is_restarted: bool,
}

impl Asker {
    /// Returns `None` if there is no answer.
    fn ask(
        &mut self,
        method: &str,
        path: &str,
        header: (&str, &str),
        json: Option<&serde_json::Value>,
    ) -> Option<Response> {
        if !self.is_restarted {
            return Some(self.client.request(method, path, &[header], json));
        }
        thread::sleep(REST);
        let answer = self.client.try_send(request_bytes(method, path, &[header], json));
        answer.inspect_err(|_| self.client.disconnect()).ok()
    }

    fn status(
        &mut self,
        method: &str,
        path: &str,
        header: (&str, &str),
        json: Option<&serde_json::Value>,
    ) -> u16 {
        self.ask(method, path, header, json).map_or(503, |answer| answer.status)
    }
}

/// A client of the validation plane.
pub struct Gate(Asker);

impl Gate {
    pub fn validate(&mut self, token_string: &str) -> u16 {
        self.0.status("GET", "/auth", ("Authorization", &format!("Bearer {token_string}")), None)
    }

    pub fn log_out(&mut self, token_string: &str) -> u16 {
        self.0.status("POST", "/logout", ("Authorization", &format!("Bearer {token_string}")), None)
    }
}

/// A client of the admin plane.
pub struct Admin(Asker);

pub struct Issued {
    pub id: String,
    pub token_string: String,
}

impl Admin {
    /// Returns `None` for a 503 or a missing answer.
    pub fn issue(&mut self, user: &str) -> Option<Issued> {
        let body = json!({"user": user, "ip": "192.0.2.1", "backend": user});
        let answer = self.0.ask("POST", "/v1/tokens", key(), Some(&body))?;
        match answer.status {
            201 => {
                let token = answer.json();
                let text = |field: &str| token[field].as_str().unwrap().to_owned();
                Some(Issued { id: text("id"), token_string: text("token") })
            }
            503 => None,
            other => panic!("issuing: {other} {}", answer.text()),
        }
    }

    /// Issues a token with long fields.
    pub fn issue_large(&mut self, user: &str) {
        let scopes: Vec<_> = (0..15).map(|n| format!("{}{n:02}", "s".repeat(60))).collect();
        let body = json!({
            "user": user,
            "ip": "192.0.2.1",
            "user_agent": "\u{1F600}".repeat(256),
            "backend": "b".repeat(255),
            "scopes": scopes,
        });
        let answer = self.0.ask("POST", "/v1/tokens", key(), Some(&body));
        assert!(answer.is_none_or(|answer| [201, 503].contains(&answer.status)));
    }

    pub fn set_slug(&mut self, id: &str, slug: &str) -> u16 {
        self.status("PATCH", &format!("/v1/tokens/{id}"), Some(json!({"auth_slug": slug})))
    }

    /// Returns the new token string, or `None` if the rotation failed.
    pub fn rotate(&mut self, id: &str) -> Option<String> {
        let path = format!("/v1/tokens/{id}/rotate");
        let answer = self.0.ask("POST", &path, key(), None)?;
        match answer.status {
            200 => answer.json()["token"].as_str().map(str::to_owned),
            // The store was flushed, the token was rotated eight times, or the outcome is unknown.
            404 | 409 | 503 => None,
            other => panic!("rotating: {other} {}", answer.text()),
        }
    }

    pub fn revoke(&mut self, id: &str) -> u16 {
        self.status("DELETE", &format!("/v1/tokens/{id}"), None)
    }

    /// Refuses all tokens of a backend that were issued before now.
    pub fn cut_off(&mut self, backend: &str, before: &str) -> u16 {
        self.status("PUT", &format!("/v1/cutoffs/backend%3A{backend}"), Some(json!({"before": before})))
    }

    pub fn end_all(&mut self, user: &str) -> u16 {
        self.status("DELETE", &format!("/v1/users/{user}/tokens"), None)
    }

    fn status(&mut self, method: &str, path: &str, json: Option<serde_json::Value>) -> u16 {
        self.0.status(method, path, key(), json.as_ref())
    }
}
