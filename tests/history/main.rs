//! The promise, checked on real processes: a token whose ending was acknowledged is refused by every node within
//! the lease whatever fails on the way, and no live token is refused because of a fault (503 is allowed).
//!
//! Each test starts a deployment (`world`), works on it at random (`load`), lets one thing fail (`fault`), and has
//! the whole history judged (`judge`). Alone among the tests this one looks at the clock of the machine. That does
//! not make it depend on the machine's speed: whatever is slow makes a request start earlier or an acknowledgement
//! come later than it need, and so only makes the judge milder.
//!
//! `cargo test --test history` runs each fault for a second or two. The long form, for an hour, with the figures:
//! `HISTORY_SECONDS=3600 cargo test --test history -- --nocapture`. `HISTORY_SEED` repeats the choices of a run,
//! as far as the machine lets it; a failure prints its seed.
//!
//! `cargo test --release --test history -- --ignored --nocapture soak` restarts nodes and Redis under load for ten minutes
//! (`SOAK_SECONDS`), and prints how long each took to be back and what memory the nodes use.

#[path = "../common/mod.rs"]
mod common;
mod fault;
mod judge;
mod lag;
mod load;
mod proxy;
mod soak;
mod world;

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use doorward::Entropy;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use fault::Fault;
use judge::{Promise, Verdict};
use load::Ledger;
use world::NODES;

/// Short, to get many leases into a second.
const LEASE_MS: u64 = 500;
/// The node's clock counts whole milliseconds: a lease may seem up to one longer, and the heartbeat's time up to
/// one later. The rest is margin. Nothing is needed for a slow machine, see above.
const SLACK_US: u64 = 10_000;
/// Half the endings have reached the other node by then when nothing fails. Usually it takes less than one
/// millisecond; the rest is for a busy machine.
const PROMPT_US: u64 = 20_000;
const FAULTS: u64 = 23;

/// The load alone, then the fault, then the load again until the endings of the faulty time are judged.
const CALM: Duration = Duration::from_millis(300);
const FAULTY_US: u64 = 1_000_000;
const AFTERWARDS: Duration = Duration::from_millis(LEASE_MS + 300);

/// Microseconds of the clock that the lease goes by.
fn now_us() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1000
}

#[test]
fn when_nothing_fails() {
    check(Fault::Nothing);
}

#[test]
fn when_the_tracking_connection_is_killed() {
    check(Fault::TrackingKilled);
}

#[test]
fn when_all_connections_are_killed() {
    check(Fault::AllKilled);
}

#[test]
fn when_redis_stands_still() {
    check(Fault::RedisFrozen);
}

#[test]
fn when_redis_restarts() {
    check(Fault::RedisRestarted);
}

#[test]
fn when_redis_is_emptied() {
    check(Fault::Flushed);
}

#[test]
fn when_the_redis_user_loses_permissions() {
    check(Fault::Restricted);
}

#[test]
fn when_the_link_is_silent() {
    check(Fault::LinkSilent);
}

#[test]
fn when_the_link_to_redis_is_silent() {
    check(Fault::LinkSilentToRedis);
}

#[test]
fn when_the_link_from_redis_is_silent() {
    check(Fault::LinkSilentToNode);
}

#[test]
fn when_the_tracking_connection_is_silent() {
    check(Fault::TrackingSilent);
}

#[test]
fn when_the_link_is_slow() {
    check(Fault::LinkDelayed);
}

#[test]
fn when_the_link_is_cut() {
    check(Fault::LinkCut);
}

#[test]
fn when_a_node_stands_still() {
    check(Fault::NodeFrozen);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "libfaketime")]
fn when_the_system_clock_of_a_node_jumps() {
    check(Fault::NodeClockJumps);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "libfaketime")]
fn when_the_clock_of_redis_jumps() {
    check(Fault::StoreClockJumps);
}

#[test]
fn when_a_demoted_master_still_answers() {
    check(Fault::MasterDemoted);
}

#[test]
fn when_a_minority_of_sentinels_names_a_former_master() {
    check(Fault::SentinelMinority);
}

#[test]
fn when_a_seed_belongs_to_another_cluster() {
    check(Fault::ClusterForeignSeed);
}

#[test]
fn when_the_tracking_connections_of_a_cluster_are_killed() {
    check(Fault::ClusterTrackingKilled);
}

#[test]
fn when_a_master_of_a_cluster_stands_still() {
    check(Fault::ClusterMasterFrozen);
}

#[test]
fn when_replicas_of_a_cluster_take_over() {
    check(Fault::ClusterFailover);
}

#[test]
fn when_slots_of_a_cluster_move() {
    check(Fault::ClusterSlotsMove);
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

fn check(fault: Fault) {
    // Two deployments at once would be too much for a small machine.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

    let seed =
        setting("HISTORY_SEED").unwrap_or_else(|| u64::from_ne_bytes(Entropy::system().bytes().unwrap()));
    let faulty_us = setting("HISTORY_SECONDS").map_or(FAULTY_US, |seconds| seconds * 1_000_000 / FAULTS);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = fault.world();
    let (ledger, nodes) = (Ledger::default(), world.addresses());
    let mut recovery_us = 0;
    load::run(&ledger, &nodes, seed, || {
        thread::sleep(CALM);
        fault.happen(&mut world, &ledger, &mut rng, now_us() + faulty_us);
        recovery_us = world.await_service();
        thread::sleep(AFTERWARDS);
    });
    let lags = (fault == Fault::Nothing).then(|| lag::measure(&ledger, &nodes));

    let promise = Promise { nodes: NODES, lease_us: LEASE_MS * 1000, slack_us: SLACK_US };
    let verdict = ledger.into_history().judge(promise);
    report(&format!("{fault:?}"), seed, &verdict, recovery_us);
    if let Some(lags) = lags {
        let ms = |us: u64| us as f64 / 1000.0;
        let (median, p99, worst) = (ms(lags.median_us), ms(lags.p99_us), ms(lags.worst_us));
        println!(
            "  an ending on the other node: median {median:.2} ms, p99 {p99:.2} ms, worst {worst:.2} ms"
        );
        assert!(lags.median_us <= PROMPT_US, "slow though nothing fails");
    }
    let first: Vec<_> = verdict.violations.iter().take(5).collect();
    let count = verdict.violations.len();
    assert!(count == 0, "{fault:?}, HISTORY_SEED={seed}: {count} violations, the first: {first:#?}");
    // Else it was not checked.
    assert!(verdict.endings_judged > 0 && verdict.live > 0, "HISTORY_SEED={seed}: {verdict:?}");
}

fn report(what: &str, seed: u64, verdict: &Verdict, recovery_us: u64) {
    let Verdict { endings, endings_judged, judged, live, admitted, refused, unavailable, .. } = verdict;
    println!(
        "{what} (HISTORY_SEED={seed}): {} violations; last pass {:.1} ms after an ending (lease {LEASE_MS} ms)\n  \
         {endings} endings, {endings_judged} of them judged on every node; {} validations ({admitted} admitted, \
         {refused} refused, {unavailable} unavailable), {judged} judged after an ending and {live} of live tokens; \
         service {:.0} ms after the fault",
        verdict.violations.len(),
        verdict.worst_lag_us as f64 / 1000.0,
        admitted + refused + unavailable,
        recovery_us as f64 / 1000.0,
    );
}
