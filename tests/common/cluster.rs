//! A real Redis Cluster, private to its test.

use super::fake_time::FakeTime;
use super::ports::Port;
use super::process::wait_for;
use super::redis::{RedisServer, USER};
use super::relay::Relay;

const SLOTS: usize = 16_384;

/// A running Redis Cluster. Killed on drop.
pub struct RedisCluster {
    /// The masters in the order of their slots, each with an equal share.
    pub masters: Vec<RedisServer>,
    /// `replicas[n]` follows `masters[n]`; empty unless requested.
    pub replicas: Vec<RedisServer>,
    /// `bus[n]` relays the bus traffic to `masters[n]`; empty unless requested.
    pub bus: Vec<Relay>,
}

impl RedisCluster {
    /// Starts three masters.
    pub fn start() -> Self {
        // No failover: a delay on a busy machine is no fault.
        Self::with(3, false, &["--cluster-node-timeout", "60000"])
    }

    /// Starts `count` masters with further arguments, and optionally a replica of each.
    pub fn with(count: usize, with_replicas: bool, args: &[&str]) -> Self {
        let start = |_| start_node(args, None);
        let masters: Vec<_> = (0..count).map(start).collect();
        let replicas: Vec<_> = (0..if with_replicas { count } else { 0 }).map(start).collect();
        Self { masters, replicas, bus: Vec::new() }.set_up()
    }

    /// Starts masters without replicas, each with its own wall clock.
    pub fn with_clocks(clocks: &[FakeTime], args: &[&str]) -> Self {
        let masters = clocks.iter().map(|clock| start_node(args, Some(clock))).collect();
        Self { masters, replicas: Vec::new(), bus: Vec::new() }.set_up()
    }

    /// Starts three masters whose bus traffic passes relays.
    pub fn with_relayed_bus(args: &[&str]) -> Self {
        let (mut masters, mut bus) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let bus_port = Port::reserve();
            let relay = Relay::start(&format!("127.0.0.1:{}", bus_port.number()));
            let announced = relay.port().to_string();
            let args = [&["--cluster-announce-bus-port", &announced], args].concat();
            masters.push(start_node_with_bus(bus_port, &args, None));
            bus.push(relay);
        }
        Self { masters, replicas: Vec::new(), bus }.set_up()
    }

    fn set_up(self) -> Self {
        let cluster = self;
        let count = cluster.masters.len();
        for (n, master) in cluster.masters.iter().enumerate() {
            let (first, last) = (n * SLOTS / count, (n + 1) * SLOTS / count - 1);
            master.cli(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            // Otherwise, two servers that meet disagree about the slots.
            master.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
        }
        let all = || cluster.masters.iter().chain(&cluster.replicas);
        all().skip(1).for_each(|node| meet(node, &cluster.masters[0]));
        all().for_each(|node| cluster.await_known(node));
        for (replica, master) in cluster.replicas.iter().zip(&cluster.masters) {
            replica.cli(&["CLUSTER", "REPLICATE", &node_id(master)]);
        }
        for replica in &cluster.replicas {
            wait_for("the replica follows", || {
                (replica.info("replication", "master_link_status") == "up").then_some(())
            });
        }
        all().for_each(|node| cluster.await_fine(node));
        // Until all servers know the replica, they might not vote for its failover.
        let known = |node: &RedisServer| {
            let nodes = node.cli(&["CLUSTER", "NODES"]);
            nodes.lines().filter(|line| line.contains("slave")).count()
        };
        for node in all() {
            wait_for("the replicas are known", || (known(node) == cluster.replicas.len()).then_some(()));
        }
        cluster
    }

    /// Starts a further master, without slots.
    pub fn add_master(&mut self, args: &[&str]) {
        let node = start_node(args, None);
        meet(&node, &self.masters[0]);
        self.masters.push(node);
        self.masters.iter().for_each(|master| self.await_known(master));
        self.await_fine(&self.masters[self.masters.len() - 1]);
    }

    /// Moves a master without slots to another cluster, where it has all slots.
    pub fn move_away(&self, n: usize, reset: &str) {
        let stray = &self.masters[n];
        let id = node_id(stray);
        for master in self.masters.iter().filter(|master| master.port() != stray.port()) {
            master.cli(&["CLUSTER", "FORGET", &id]);
        }
        stray.cli(&["CLUSTER", "RESET", reset]);
        stray.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        wait_for("the other cluster is fine", || (state(stray, "cluster_state") == "ok").then_some(()));
    }

    /// `redis+cluster://USER@…` with all masters, for a node.
    pub fn url(&self) -> String {
        let (name, password) = USER;
        self.url_of(&format!("{name}:{password}@"))
    }

    /// `redis+cluster://LOGIN…` with all masters.
    pub fn url_of(&self, login: &str) -> String {
        let nodes: Vec<_> =
            self.masters.iter().map(|master| format!("127.0.0.1:{}", master.port())).collect();
        format!("redis+cluster://{login}{}/", nodes.join(","))
    }

    /// Moves a slot with all its keys between masters in the steps of `redis-cli --cluster reshard`; `during` runs
    /// while half of the keys have moved.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize, during: impl FnOnce()) {
        let (from, to, slot) = (&self.masters[from], &self.masters[to], slot.to_string());
        let (from_id, to_id) = (node_id(from), node_id(to));
        to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        let keys = || {
            let text = from.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]);
            text.lines().map(str::to_owned).filter(|key| !key.is_empty()).collect::<Vec<_>>()
        };
        let port = to.port().to_string();
        let migrate = |key: &str| from.cli(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
        let first = keys();
        first.iter().take(first.len().div_ceil(2)).for_each(|key| drop(migrate(key)));
        during();
        loop {
            let rest = keys();
            if rest.is_empty() {
                break;
            }
            rest.iter().for_each(|key| drop(migrate(key)));
        }
        // The new owner first, so that the slot always has an owner.
        for node in [to, from].into_iter().chain(&self.masters) {
            node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
    }

    /// Returns which master claims a slot.
    pub fn owner(&self, slot: u16) -> Option<usize> {
        self.masters.iter().position(|master| {
            let nodes = master.cli(&["CLUSTER", "NODES"]);
            let own = nodes.lines().find(|line| line.contains("myself")).unwrap_or_default();
            own.split(' ').skip(8).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                matches!((first.parse::<u16>(), last.parse::<u16>()),
                    (Ok(first), Ok(last)) if (first..=last).contains(&slot))
            })
        })
    }

    fn await_known(&self, node: &RedisServer) {
        let count = (self.masters.len() + self.replicas.len()).to_string();
        wait_for("the nodes know each other", || (state(node, "cluster_known_nodes") == count).then_some(()));
    }

    /// Without required full coverage, a server reports "ok" before it knows the owners of the other slots.
    fn await_fine(&self, node: &RedisServer) {
        let all = SLOTS.to_string();
        wait_for("the cluster is fine", || {
            let is_fine =
                state(node, "cluster_state") == "ok" && state(node, "cluster_slots_assigned") == all;
            is_fine.then_some(())
        });
    }
}

/// Returns the node id of a server in its cluster.
pub fn node_id(node: &RedisServer) -> String {
    node.cli(&["CLUSTER", "MYID"])
}

/// Returns the slot of a key.
pub fn slot_of(node: &RedisServer, key: &str) -> u16 {
    node.cli(&["CLUSTER", "KEYSLOT", key]).parse().unwrap()
}

fn start_node(args: &[&str], clock: Option<&FakeTime>) -> RedisServer {
    start_node_with_bus(Port::reserve(), args, clock)
}

fn start_node_with_bus(bus_port: Port, args: &[&str], clock: Option<&FakeTime>) -> RedisServer {
    let number = bus_port.number().to_string();
    let own = ["--appendonly", "no", "--cluster-enabled", "yes", "--cluster-port", &number];
    // A stopped master must not stop the others (config/redis.conf).
    let open = ["--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"];
    // A master stays a master after its last slot was moved away.
    let stay = ["--cluster-allow-replica-migration", "no"];
    let args = [&own[..], &open, &stay, args].concat();
    let node = match clock {
        Some(clock) => RedisServer::with_clock(&args, clock),
        None => RedisServer::with_args(&args),
    };
    node.holding(bus_port)
}

fn meet(node: &RedisServer, other: &RedisServer) {
    let port = |name: &str| {
        let answer = other.cli(&["CONFIG", "GET", name]);
        answer.lines().last().unwrap_or_default().to_owned()
    };
    let bus_port = match port("cluster-announce-bus-port") {
        none if none == "0" => port("cluster-port"),
        announced => announced,
    };
    node.cli(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string(), &bus_port]);
}

/// Returns one field of CLUSTER INFO.
pub fn state(node: &RedisServer, field: &str) -> String {
    let text = node.cli(&["CLUSTER", "INFO"]);
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap_or_default().trim().to_owned()
}
