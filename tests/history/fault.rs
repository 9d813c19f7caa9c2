//! The faults, and how a test causes them.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use doorward::internals::token_string::HashTag;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::common::cluster::RedisCluster;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::load::{Ledger, users};
use crate::lossy::{Lossy, await_sync};
use crate::proxy::{Direction, Rule};
use crate::timing::{LEASE_MS, now_us};
use crate::world::{PROXIED, Store, World};

/// Prevents failovers that no fault requested.
const PATIENT: [&str; 2] = ["--cluster-node-timeout", "60000"];

/// Permissions that the Redis user loses in turn: for sessions, for publishing, for tracking.
const RESTRICTIONS: [&[&str]; 5] =
    [&["-hset"], &["resetchannels"], &["-client|tracking"], &["-hmget"], &["resetkeys", "%R~dw:*"]];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// Redis closes the tracking connections repeatedly.
    TrackingKilled,
    /// Redis closes all connections repeatedly.
    AllKilled,
    RedisFrozen,
    /// Redis is killed and later restarted with everything that it acknowledged.
    RedisRestarted,
    /// FLUSHALL: everything is lost, but no revoked token may come back.
    Flushed,
    /// The Redis user loses a permission and regains it.
    Restricted,
    LinkSilent,
    LinkSilentToRedis,
    LinkSilentToNode,
    TrackingSilent,
    LinkDelayed,
    LinkCut,
    NodeFrozen,
    /// The system clock of one node jumps by days and back.
    NodeClockJumps,
    /// The clock of Redis jumps by less than a token's lifetime and back. (Redis itself deletes keys that expire in a
    /// jump.)
    StoreClockJumps,
    /// Another server becomes the master, but one node continues to use the former one, which still answers.
    MasterDemoted,
    /// Two of three Sentinels are silent, and the third names the former master, which still answers.
    SentinelMinority,
    ClusterTrackingKilled,
    /// One master of a cluster is frozen.
    ClusterMasterFrozen,
    /// The replicas take over from their masters without data loss.
    ClusterFailover,
    /// The slots of the tokens move from master to master.
    ClusterSlotsMove,
    /// A configured seed has joined another cluster.
    ClusterForeignSeed,
    /// Redis loses acknowledged writes.
    Lossy(Lossy),
}

impl Fault {
    /// Starts a deployment in which this fault can happen.
    pub fn world(self) -> World {
        match self {
            Self::RedisRestarted => {
                let durable = &["--appendonly", "yes", "--appendfsync", "always"];
                World::start(RedisServer::with_args(durable), None)
            }
            Self::MasterDemoted => {
                let start =
                    || RedisServer::with_args(&["--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
                World::start(start(), Some(start()))
            }
            Self::NodeClockJumps => World::start_with_node_clock(),
            Self::StoreClockJumps => World::start_with_store_clock(),
            Self::SentinelMinority => {
                let start =
                    || RedisServer::with_args(&["--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
                World::start_with_sentinels(start(), start())
            }
            Self::ClusterForeignSeed => {
                let mut cluster = RedisCluster::with(3, false, &PATIENT);
                cluster.add_master(&PATIENT);
                World::start_on_cluster(cluster)
            }
            Self::ClusterFailover => World::start_on_cluster(RedisCluster::with(3, true, &PATIENT)),
            Self::ClusterTrackingKilled | Self::ClusterMasterFrozen | Self::ClusterSlotsMove => {
                World::start_on_cluster(RedisCluster::with(3, false, &PATIENT))
            }
            Self::Lossy(lossy) => lossy.world(),
            _ => World::start(RedisServer::start(), None),
        }
    }

    /// Causes the fault until at least `until_us`. The fault is over when this returns.
    pub fn happen(self, world: &mut World, ledger: &Ledger, rng: &mut StdRng, until_us: u64) {
        if let Some(rule) = self.rule_of_the_link(rng) {
            return on_the_link(world, rng, until_us, rule);
        }
        match self {
            Self::TrackingKilled => often(rng, until_us, |_| kill_tracking(world.redis())),
            Self::AllKilled => often(rng, until_us, |_| {
                world.redis().cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            }),
            Self::Flushed => often(rng, until_us, |_| {
                ledger.losing(|| drop(world.redis().cli(&["FLUSHALL"])));
            }),
            Self::Restricted => for_a_while(rng, until_us, |hold| restrict(world.redis(), hold)),
            Self::RedisFrozen => for_a_while(rng, until_us, |hold| {
                world.redis().freeze();
                hold();
                world.redis().thaw();
            }),
            Self::RedisRestarted => for_a_while(rng, until_us, |hold| {
                world.redis().kill();
                hold();
                world.redis().restart();
            }),
            Self::NodeFrozen => for_a_while(rng, until_us, |hold| {
                world.nodes[PROXIED].process.freeze();
                hold();
                world.nodes[PROXIED].process.thaw();
            }),
            Self::NodeClockJumps => jump(world, rng, until_us, &["+3d", "-3d", "+10s", "-4s"]),
            Self::StoreClockJumps => jump(world, rng, until_us, &["+20m", "-20m", "+10s", "-4s"]),
            Self::MasterDemoted => for_a_while(rng, until_us, |hold| demote(world, hold)),
            Self::SentinelMinority => for_a_while(rng, until_us, |hold| name_former_master(world, hold)),
            // Once: the settling after it takes longer than the other faults.
            Self::Lossy(lossy) => lossy.strike(world, ledger, rng),
            _ => self.happen_on_cluster(world, rng, until_us),
        }
    }

    /// Returns what the link does meanwhile, if this is a fault of the link.
    fn rule_of_the_link(self, rng: &mut StdRng) -> Option<Rule> {
        Some(match self {
            Self::LinkSilent => Rule::Silent(None),
            Self::LinkSilentToRedis => Rule::Silent(Some(Direction::ToServer)),
            Self::LinkSilentToNode => Rule::Silent(Some(Direction::ToClient)),
            Self::TrackingSilent => Rule::TrackingSilent,
            Self::LinkDelayed => Rule::Delay(Duration::from_millis(rng.random_range(20..200))),
            Self::LinkCut => Rule::Cut,
            _ => return None,
        })
    }

    /// Causes a fault of a Cluster, or none.
    fn happen_on_cluster(self, world: &mut World, rng: &mut StdRng, until_us: u64) {
        match self {
            Self::ClusterForeignSeed => {
                world.cluster().move_away(3, "SOFT");
                // A node that loses a connection asks for the masters again.
                often(rng, until_us, |_| world.cluster().masters.iter().for_each(kill_tracking));
            }
            Self::ClusterTrackingKilled => often(rng, until_us, |_| {
                world.cluster().masters.iter().for_each(kill_tracking);
            }),
            Self::ClusterMasterFrozen => {
                let masters = &world.cluster().masters;
                let frozen = &masters[rng.random_range(0..masters.len())];
                for_a_while(rng, until_us, |hold| {
                    frozen.freeze();
                    hold();
                    frozen.thaw();
                });
            }
            Self::ClusterFailover => {
                // Once: the other masters vote for one failover per master within two node timeouts.
                fail_over(world.cluster(), rng);
                thread::sleep(Duration::from_micros(until_us.saturating_sub(now_us())));
            }
            Self::ClusterSlotsMove => often(rng, until_us, |rng| move_slots(world.cluster(), rng)),
            other => {
                assert_eq!(other, Self::Nothing);
                thread::sleep(Duration::from_micros(until_us.saturating_sub(now_us())));
            }
        }
    }
}

/// Takes each permission away in turn, and gives it back.
fn restrict(redis: &RedisServer, hold: &dyn Fn()) {
    for rules in RESTRICTIONS {
        redis.set_user(rules);
        hold();
        redis.set_user(&["resetkeys", "~dw:*", "&dw:*", "+@all", "-@admin", "-@dangerous", "+info"]);
    }
}

/// Repeats a momentary fault, with random pauses short enough to hit nodes that still recover from the previous one.
fn often(rng: &mut StdRng, until_us: u64, mut strike: impl FnMut(&mut StdRng)) {
    while now_us() < until_us {
        strike(rng);
        thread::sleep(Duration::from_millis(rng.random_range(1..200)));
    }
}

/// Causes a lasting fault: first for two leases, then for random times below and above the lease.
fn for_a_while(rng: &mut StdRng, until_us: u64, mut during: impl FnMut(&dyn Fn())) {
    let mut hold_ms = 2 * LEASE_MS;
    while now_us() < until_us {
        during(&|| thread::sleep(Duration::from_millis(hold_ms)));
        thread::sleep(Duration::from_millis(rng.random_range(0..LEASE_MS)));
        hold_ms = rng.random_range(10..2 * LEASE_MS);
    }
}

fn on_the_link(world: &World, rng: &mut StdRng, until_us: u64, rule: Rule) {
    for_a_while(rng, until_us, |hold| {
        world.proxy().set(rule);
        hold();
        world.proxy().set(Rule::Pass);
    });
}

fn jump(world: &World, rng: &mut StdRng, until_us: u64, errors: &[&str]) {
    let clock = world.clock.as_ref().unwrap();
    let mut errors = errors.iter().cycle();
    for_a_while(rng, until_us, |hold| {
        clock.set(errors.next().unwrap());
        hold();
        clock.set("+0");
    });
}

fn kill_tracking(redis: &RedisServer) {
    for client in redis.cli(&["CLIENT", "LIST"]).lines() {
        let field = |name: &str| client.split(' ').find_map(|field| field.strip_prefix(name)).unwrap_or("");
        if field("flags=").contains('t') {
            redis.cli(&["CLIENT", "KILL", "ID", field("id=")]);
        }
    }
}

/// Fails over to the second server for one node only, and back.
fn demote(world: &World, hold: &dyn Fn()) {
    let Store::One { redis: first, second: Some(second), proxy } = &world.store else {
        panic!("no second server");
    };
    follow(second, first);
    hand_over(first, second);
    proxy.retarget(second.port());
    hold();
    follow(first, second);
    hand_over(second, first);
    proxy.retarget(first.port());
}

/// The former master has all data up to now.
fn name_former_master(world: &World, hold: &dyn Fn()) {
    let Store::One { redis: master, second: Some(former), .. } = &world.store else {
        panic!("no second server");
    };
    follow(former, master);
    former.cli(&["REPLICAOF", "NO", "ONE"]);
    let [silent @ .., liar] = &world.sentinels[..] else { panic!("no Sentinels") };
    silent.iter().for_each(|sentinel| sentinel.set_silent(true));
    liar.switch_to(former.port(), 0);
    hold();
    liar.switch_to(former.port(), 9);
    hold();
    silent.iter().for_each(|sentinel| sentinel.set_silent(false));
    liar.switch_to(master.port(), 1);
}

fn follow(replica: &RedisServer, master: &RedisServer) {
    replica.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    await_sync(replica);
}

/// Makes the replica the master without losing a write. The former master then follows an unreachable address: it keeps
/// its ageing data and still answers.
fn hand_over(from: &RedisServer, to: &RedisServer) {
    const NOBODY: &str = "1";
    from.cli(&["CLIENT", "PAUSE", "10000", "WRITE"]);
    let offset =
        |server: &RedisServer, field: &str| -> u64 { server.info("replication", field).parse().unwrap() };
    let written = offset(from, "master_repl_offset");
    wait_for("the replica has everything", || (offset(to, "slave_repl_offset") >= written).then_some(()));
    to.cli(&["REPLICAOF", "NO", "ONE"]);
    from.cli(&["REPLICAOF", "127.0.0.1", NOBODY]);
    from.cli(&["CLIENT", "UNPAUSE"]);
}

/// Makes every replica take over from its master without losing a write.
fn fail_over(cluster: &RedisCluster, rng: &mut StdRng) {
    for replica in &cluster.replicas {
        replica.cli(&["CLUSTER", "FAILOVER"]);
        wait_for("the replica is the master", || {
            (replica.info("replication", "role") == "master").then_some(())
        });
        thread::sleep(Duration::from_millis(rng.random_range(0..LEASE_MS)));
    }
}

/// Moves the slots of all users of the load to another master, one after the other.
fn move_slots(cluster: &RedisCluster, rng: &mut StdRng) {
    let slots: BTreeSet<u16> = users().map(|user| slot_of_user(&user)).collect();
    for slot in slots {
        let count = cluster.masters.len();
        let Some(from) = cluster.owner(slot) else { continue };
        cluster.move_slot(slot, from, (from + rng.random_range(1..count)) % count, || ());
    }
}

fn slot_of_user(user: &str) -> u16 {
    let tag = HashTag::of_user(user).to_string();
    // CRC-16/XMODEM, which Redis uses for slots.
    let crc =
        tag.bytes().fold(0_u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            })
        });
    crc % 16_384
}
