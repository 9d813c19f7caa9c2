//! The pace, and runs that end early.

use doorward::internals::store::redis::verification::progress::{VerifyOptions, VerifyProgress};
use doorward::system::Clock;

use super::support::*;
use crate::common::cluster::{RedisCluster, slot_of};
use crate::common::redis::RedisServer;
use crate::common::store::{NOW_MS, TestStore, eventually};

/// Returns how often a server has run a command.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn no_more_keys_are_read_than_the_rate_allows() {
    const TOKENS: u64 = 30;
    const RATE: u64 = 40;
    let server = &RedisServer::start();
    let on = TestStore::in_real_time(server).await;
    let now_ms = Clock::system().now_ms();
    for n in 0..TOKENS {
        on.issue(&format!("user {n}"), now_ms).await;
    }
    let read = ["hgetall", "zscan", "lrange", "scan"].map(|command| calls(server, command));
    let report = verify(&on, VerifyOptions { rate: RATE, ..DRY }, now_ms).await;
    let read_by = ["hgetall", "zscan", "lrange", "scan"].map(|command| calls(server, command));
    let by_run: Vec<_> = read.iter().zip(read_by).map(|(before, after)| after - before).collect();
    // A token, an index and a list of events for each user; each index has two members, each list one event.
    assert_eq!((report.keys, report.members), (3 * TOKENS, 3 * TOKENS));
    assert_eq!(by_run[..3], [TOKENS; 3], "each key is read once");
    assert!(by_run[3] >= report.keys / (RATE / 10 + 1) / 2, "{by_run:?}");
    // A busy machine only makes it longer.
    let allowed = RATE as f64 * report.duration.as_secs_f64() + RATE as f64 / 2.0;
    assert!((report.keys + report.members) as f64 <= allowed, "{:?} for {report:?}", report.duration);
}

#[tokio::test]
async fn a_stopped_run_reports_what_it_has_seen() {
    let on = TestStore::owning(RedisServer::start()).await;
    for n in 0..50 {
        on.issue(&format!("user {n}"), NOW_MS).await;
    }
    let progress = VerifyProgress::default();
    let run = on.redis().verify(VerifyOptions { rate: 20, ..DRY }, &progress, NOW_MS);
    let stop = eventually("some keys are checked", async || (progress.keys() >= 6).then(|| progress.stop()));
    let (report, ()) = tokio::join!(run, stop);
    let report = report.unwrap();
    assert_eq!(report.incomplete, ["the run was stopped"]);
    assert!((6..150).contains(&report.keys), "{report:?}");
    assert_eq!((progress.total(), report.damage_left()), (150, 0));
}

#[tokio::test]
async fn a_server_that_goes_away_makes_the_run_incomplete() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    for n in 0..50 {
        on.issue(&format!("user {n}"), NOW_MS).await;
    }
    let progress = VerifyProgress::default();
    let run = on.redis().verify(VerifyOptions { rate: 20, ..DRY }, &progress, NOW_MS);
    let end = eventually("some keys are checked", async || (progress.keys() >= 6).then_some(()));
    let port = server.port().to_string();
    let kill = async {
        end.await;
        drop(server);
    };
    let (report, ()) = tokio::join!(run, kill);
    let report = report.unwrap();
    assert_eq!(report.incomplete.len(), 1, "{report:?}");
    assert!(report.incomplete[0].contains(&port), "{report:?}");
    let gone = on.redis().verify(DRY, &VerifyProgress::default(), NOW_MS).await;
    assert!(gone.is_err(), "{gone:?}");
}

/// The keys of a slot that moves are on a server that was listed before, or are not yet on one that is listed later.
#[tokio::test]
async fn a_slot_that_moves_makes_the_run_incomplete() {
    let on = TestStore::owning_cluster(RedisCluster::start()).await;
    let ids = [on.issue("alice", NOW_MS).await.record.id, on.issue("bob", NOW_MS).await.record.id];
    for n in 0..20 {
        on.issue(&format!("user {n}"), NOW_MS).await;
    }
    let cluster = on.cluster();
    let slot = slot_of(&cluster.masters[0], &id_key(&on, 't', ids[0]));
    let from = cluster.owner(slot).unwrap();
    let progress = VerifyProgress::default();
    let run = on.redis().verify(VerifyOptions { rate: 20, ..DRY }, &progress, NOW_MS);
    let move_it = async {
        eventually("some keys are checked", async || (progress.keys() >= 2).then_some(())).await;
        cluster.move_slot(slot, from, (from + 1) % 3, || {});
        progress.stop();
    };
    let (report, ()) = tokio::join!(run, move_it);
    let reasons = report.unwrap().incomplete;
    assert!(reasons.contains(&"the masters or their slots changed".to_owned()), "{reasons:?}");
}
