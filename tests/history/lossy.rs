//! Faults after which Redis has lost writes that it acknowledged: a stale replica becomes the master, or a crash cuts
//! off the end of the append-only file. What the nodes remember must make up for it (`src/store/redis/replay`).
//!
//! Each run repeats a round: writes are acknowledged that are about to be lost, the loss, and the recovery.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use doorward::system::Entropy;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::common::cluster::{RedisCluster, node_id};
use crate::common::process::{wait_for, wait_within};
use crate::common::redis::RedisServer;
use crate::judge::Guarantee;
use crate::load;
use crate::load::Ledger;
use crate::run::{report, setting};
use crate::timing::{CALM, LEASE_MS, SETTLED, SLACK_US, now_us};
use crate::world::{DIRECT, NODES, Node, Store, World};

const DEFAULT_ROUNDS: u64 = 100;
/// How long writes are acknowledged that will be lost.
const WINDOW_MS: std::ops::Range<u64> = 50..800;
/// The time between the death of a node and that of the master: the other node hears of its last revocations.
const HEARING: Duration = Duration::from_millis(30);
/// Merging 64 MiB takes a while on a busy machine.
const LONG_MERGE_MS: u64 = 180_000;
/// Clients that fill the memory of a node, and the tokens of each of their users.
const FILLERS: usize = 6;
const TOKENS_PER_FILLER: usize = 200;
/// No failover but those of the faults.
const PATIENT: [&str; 2] = ["--cluster-node-timeout", "60000"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lossy {
    /// Sentinels promote a stale replica of a killed master.
    Failover,
    /// As [`Lossy::Failover`], and a node is killed just before the master.
    FailoverAndNode,
    /// The promoted replica is killed, too, and an even staler one is promoted.
    FailoverTwice,
    /// A stale replica takes over the slots of a killed master of a Cluster.
    ClusterFailover,
    /// As [`Lossy::ClusterFailover`], and a node is killed just before the master.
    ClusterFailoverAndNode,
    /// The only server is killed, and the end of its append-only file is lost (`appendfsync everysec`).
    Crash,
    /// As [`Lossy::Crash`], and a node is killed just before the server.
    CrashAndNode,
    /// As [`Lossy::Failover`], and a node remembers as much as it may: it has forgotten its oldest changes.
    MemoryFull,
}

impl Lossy {
    pub const ALL: [Self; 8] = [
        Self::Failover,
        Self::FailoverAndNode,
        Self::FailoverTwice,
        Self::ClusterFailover,
        Self::ClusterFailoverAndNode,
        Self::Crash,
        Self::CrashAndNode,
        Self::MemoryFull,
    ];

    /// Starts a deployment in which this fault can happen.
    pub fn world(self) -> World {
        let start = || RedisServer::with_args(&["--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
        match self {
            Self::Failover | Self::FailoverAndNode => World::start_replicated(vec![start(), start()], &[]),
            Self::MemoryFull => {
                // So that nothing is forgotten by its age.
                let window = [("DOORWARD_REPLAY_WINDOW".to_owned(), "10m".to_owned())];
                World::start_replicated(vec![start(), start()], &window)
            }
            Self::FailoverTwice => World::start_replicated(vec![start(), start(), start()], &[]),
            Self::ClusterFailover | Self::ClusterFailoverAndNode => {
                World::start_restartable_on_cluster(RedisCluster::with(3, true, &PATIENT))
            }
            Self::Crash | Self::CrashAndNode => {
                let everysec = ["--appendonly", "yes", "--appendfsync", "everysec"];
                let without_rewrites = ["--auto-aof-rewrite-percentage", "0"];
                World::start_restartable(RedisServer::with_args(&[&everysec[..], &without_rewrites].concat()))
            }
        }
    }

    /// Runs rounds on one deployment, prints the verdict, and returns the number of violations.
    fn run_rounds(self, rounds: u64) -> usize {
        let seed =
            setting("HISTORY_SEED").unwrap_or_else(|| u64::from_ne_bytes(Entropy::system().bytes().unwrap()));
        let (mut rng, mut world) = (StdRng::seed_from_u64(seed), self.world());
        let ledger = Ledger::watching_for(2 * SETTLED.as_micros() as u64);
        let (nodes, mut slowest_us) = (world.addresses(), 0);
        load::run(&ledger, &nodes, seed, || {
            for _ in 0..rounds {
                thread::sleep(CALM);
                self.strike(&mut world, &ledger, &mut rng);
                slowest_us = slowest_us.max(world.await_service());
                thread::sleep(SETTLED.mul_f64(rng.random()));
            }
            thread::sleep(SETTLED);
        });
        let guarantee = Guarantee { nodes: NODES, lease_us: LEASE_MS * 1000, slack_us: SLACK_US };
        let verdict = ledger.into_history().judge(guarantee);
        report(&format!("{rounds} x {self:?}"), seed, &verdict, slowest_us);
        verdict.violations.iter().take(3).for_each(|violation| println!("  {violation:?}"));
        assert!(verdict.revocations_judged > 0 && verdict.live > 0, "{verdict:?}");
        verdict.violations.len()
    }

    /// Runs one round. Redis has lost writes when this returns, and is as complete as before the round.
    pub fn strike(self, world: &mut World, ledger: &Ledger, rng: &mut StdRng) {
        let window = Duration::from_millis(rng.random_range(WINDOW_MS));
        let mut dying = match self {
            Self::FailoverAndNode | Self::ClusterFailoverAndNode | Self::CrashAndNode => {
                Some(rng.random_range(0..NODES))
            }
            _ => None,
        };
        let since_us = now_us();
        if dying.is_some() {
            // A write on its way to the replica is lost, too.
            await_replicated(world);
        }
        let mut during = |world: &mut World| {
            thread::sleep(window);
            if let Some(node) = dying {
                world.nodes[node].process.kill();
                ledger.node_killed(node, since_us);
                thread::sleep(HEARING);
            }
        };
        match self {
            Self::Failover | Self::FailoverAndNode => lose_master(world, &mut during),
            Self::MemoryFull => {
                fill_memory(&world.nodes[DIRECT]);
                lose_master(world, &mut during);
                let mut admin = world.nodes[DIRECT].addresses.admin();
                wait_within(LONG_MERGE_MS, "so much is merged", || admin.issue("witness"));
            }
            Self::FailoverTwice => {
                lose_master(world, &mut during);
                thread::sleep(Duration::from_millis(rng.random_range(0..500)));
                lose_master(world, &mut during);
            }
            Self::ClusterFailover | Self::ClusterFailoverAndNode => {
                let n = rng.random_range(0..world.cluster().masters.len());
                lose_cluster_master(world, n, &mut during);
            }
            Self::Crash | Self::CrashAndNode => lose_end_of_file(world, &mut during),
        }
        // The living node serves from the new data before the other one returns, which remembers nothing.
        let survivor = dying.map(|node| NODES - 1 - node);
        survivor.iter().for_each(|node| world.await_service_of(*node));
        if let Some(node) = dying.take() {
            world.nodes[node].start_again();
        }
        restore_replicas(world);
    }
}

/// Runs many rounds of each fault, or of the one that `LOSSY_FAULT` names.
#[test]
#[ignore = "takes an hour; by command, see main.rs"]
fn lossy_rounds() {
    let rounds = setting("LOSSY_ROUNDS").unwrap_or(DEFAULT_ROUNDS);
    let only = std::env::var("LOSSY_FAULT").unwrap_or_default();
    let is_wanted = |lossy: &&Lossy| only.is_empty() || format!("{lossy:?}") == only;
    let violations: Vec<_> =
        Lossy::ALL.iter().filter(is_wanted).map(|lossy| lossy.run_rounds(rounds)).collect();
    assert!(!violations.is_empty(), "LOSSY_FAULT={only}: no such fault");
    assert_eq!(violations.iter().sum::<usize>(), 0, "{violations:?}");
}

/// Issues large tokens until the node has forgotten some.
fn fill_memory(node: &Node) {
    let is_full = || node.process.log().contains("replay memory full, oldest entries forgotten");
    thread::scope(|scope| {
        for filler in 0..FILLERS {
            let mut admin = node.addresses.admin();
            scope.spawn(move || {
                for n in (0..).take_while(|n| n % TOKENS_PER_FILLER > 0 || !is_full()) {
                    admin.issue_large(&format!("filler-{filler}-{}", n / TOKENS_PER_FILLER));
                }
            });
        }
    });
}

/// Waits until the replicas have every write that was acknowledged before.
fn await_replicated(world: &World) {
    match &world.store {
        Store::One { .. } => {}
        Store::Replicated(replicated) => replicated.servers[replicated.master].await_replicated(),
        Store::Cluster(cluster) => cluster.masters.iter().for_each(RedisServer::await_replicated),
    }
}

/// Stops replication from a server: its replicas keep the data that they have. The server's own clients notice nothing.
fn cut_replication(master: &RedisServer) {
    master.cli(&["ACL", "SETUSER", "default", "-psync", "-sync"]);
    master.cli(&["CLIENT", "KILL", "TYPE", "replica"]);
}

/// Kills the master once its replicas are stale, and promotes the next server.
fn lose_master(world: &mut World, during: &mut impl FnMut(&mut World)) {
    let replicated = world.replicated();
    let master = replicated.master;
    cut_replication(&replicated.servers[master]);
    during(world);
    let replicated = world.replicated();
    let next = (master + 1) % replicated.servers.len();
    replicated.servers[master].kill();
    replicated.servers[next].cli(&["REPLICAOF", "NO", "ONE"]);
    (replicated.master, replicated.epoch) = (next, replicated.epoch + 1);
    let (port, epoch) = (replicated.servers[next].port(), replicated.epoch);
    world.sentinels.iter().for_each(|sentinel| sentinel.switch_to(port, epoch));
}

/// Kills the `n`th master once its replica is stale, which then takes over its slots.
fn lose_cluster_master(world: &mut World, n: usize, during: &mut impl FnMut(&mut World)) {
    cut_replication(&world.cluster().masters[n]);
    during(world);
    let Store::Cluster(cluster) = &mut world.store else { panic!("no cluster") };
    cluster.masters[n].kill();
    cluster.replicas[n].cli(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
    std::mem::swap(&mut cluster.masters[n], &mut cluster.replicas[n]);
}

/// Kills the only server, cuts off what it wrote to its append-only file in the meantime, and restarts it.
fn lose_end_of_file(world: &mut World, during: &mut impl FnMut(&mut World)) {
    let (file, length) = append_only_file(world.redis());
    during(world);
    world.redis().kill();
    let opened = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    opened.set_len(length).unwrap();
    world.redis().restart();
}

/// Returns the file that the server appends to, and its length.
fn append_only_file(redis: &RedisServer) -> (PathBuf, u64) {
    let folder = redis.socket().with_file_name("appendonlydir");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let file = files.filter(|path| path.to_string_lossy().ends_with(".incr.aof")).max().unwrap();
    let length = file.metadata().unwrap().len();
    (file, length)
}

/// Starts the killed servers again, as replicas of their successors.
fn restore_replicas(world: &mut World) {
    match &mut world.store {
        Store::One { .. } => {}
        Store::Replicated(replicated) => {
            let port = replicated.servers[replicated.master].port().to_string();
            let master = replicated.master;
            let replicas = replicated.servers.iter_mut().enumerate().filter(|(n, _)| *n != master);
            for (_, replica) in replicas {
                replica.restart();
                replica.cli(&["REPLICAOF", "127.0.0.1", &port]);
                await_sync(replica);
            }
        }
        Store::Cluster(cluster) => {
            for (replica, master) in cluster.replicas.iter_mut().zip(&cluster.masters) {
                if replica.try_cli(&["PING"]).is_ok() {
                    continue;
                }
                replica.restart();
                let slots_are_gone = || replica.try_cli(&["CLUSTER", "REPLICATE", &node_id(master)]).ok();
                wait_for("the former master follows", slots_are_gone);
                await_sync(replica);
            }
        }
    }
}

pub fn await_sync(replica: &RedisServer) {
    wait_for("the replica follows", || {
        (replica.info("replication", "master_link_status") == "up").then_some(())
    });
}
