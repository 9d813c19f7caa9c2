//! Long runs with restarts of nodes and of Redis: the guarantee holds, memory is bounded, service recovers.

use std::thread;
use std::time::Duration;

use doorward::system::Entropy;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;

use crate::common::redis::RedisServer;
use crate::judge::Guarantee;
use crate::load;
use crate::load::Ledger;
use crate::run::{report, setting};
use crate::timing::{LEASE_MS, SLACK_US, now_us};
use crate::world::{NODES, World};

const DEFAULT_SECONDS: u64 = 600;
/// The pause between two restarts.
const CALM_MS: std::ops::Range<u64> = 5_000..20_000;
/// How long a killed Redis stays down.
const AWAY_MS: std::ops::Range<u64> = 0..3_000;

#[derive(Clone, Copy, Debug)]
enum Strike {
    NodeKilled,
    NodeStopped,
    RedisKilled,
}

#[test]
#[ignore = "takes ten minutes; by command, see main.rs"]
fn soak() {
    let seconds = setting("SOAK_SECONDS").unwrap_or(DEFAULT_SECONDS);
    let seed =
        setting("HISTORY_SEED").unwrap_or_else(|| u64::from_ne_bytes(Entropy::system().bytes().unwrap()));
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::start_restartable(RedisServer::start_durable());
    let (ledger, nodes) = (Ledger::default(), world.addresses());
    let mut slowest_us = 0;
    load::run(&ledger, &nodes, seed, || {
        let started_us = now_us();
        while now_us() < started_us + seconds * 1_000_000 {
            thread::sleep(Duration::from_millis(rng.random_range(CALM_MS)));
            let strikes = [Strike::NodeKilled, Strike::NodeStopped, Strike::RedisKilled];
            let strike = strikes[rng.random_range(0..strikes.len())];
            strike.happen(&mut world, &mut rng);
            let back_us = world.await_service();
            slowest_us = slowest_us.max(back_us);
            println!(
                "{:6.1} s: {strike:?}, back after {:.0} ms; nodes use {:?} KiB",
                (now_us() - started_us) as f64 / 1e6,
                back_us as f64 / 1000.0,
                world.nodes.iter().map(|node| resident_kib(node.process.pid())).collect::<Vec<_>>()
            );
        }
        thread::sleep(Duration::from_millis(2 * LEASE_MS));
    });
    let guarantee = Guarantee { nodes: NODES, lease_us: LEASE_MS * 1000, slack_us: SLACK_US };
    let verdict = ledger.into_history().judge(guarantee);
    report("soak", seed, &verdict, slowest_us);
    let first: Vec<_> = verdict.violations.iter().take(5).collect();
    assert!(first.is_empty(), "HISTORY_SEED={seed}: {} violations: {first:#?}", verdict.violations.len());
    assert!(verdict.revocations_judged > 0 && verdict.live > 0, "{verdict:?}");
}

impl Strike {
    /// Returns once the restarted process runs again.
    fn happen(self, world: &mut World, rng: &mut StdRng) {
        match self {
            Self::RedisKilled => {
                world.redis().kill();
                thread::sleep(Duration::from_millis(rng.random_range(AWAY_MS)));
                world.redis().restart();
            }
            Self::NodeKilled | Self::NodeStopped => {
                let node = &mut world.nodes[rng.random_range(0..NODES)];
                match self {
                    Self::NodeStopped => {
                        node.process.signal(Signal::TERM);
                        node.process.wait();
                    }
                    _ => node.process.kill(),
                }
                node.start_again();
            }
        }
    }
}

/// Returns the resident memory of a process (proc_pid_status(5)).
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}
