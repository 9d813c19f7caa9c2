//! The estimate of the number of live tokens.

use doorward::StoreError;
use doorward::internals::store::live_tokens::LiveTokens;

use super::busy::{log_in, with_limit};
use super::round_trips::during;
use crate::common::redis::RedisServer;
use crate::common::store::{HOUR_MS, NOW_MS, StoreKind, TestStore, raw_connection};

/// An estimate is farther from the truth than this many standard errors once in a hundred million times.
const ERRORS: f64 = 6.0;

fn assert_near(sample: LiveTokens, truth: u64) {
    let off = sample.estimate.abs_diff(truth) as f64;
    assert!(sample.error > 0.0 && off <= ERRORS * sample.error, "{truth}: {sample:?}");
}

#[tokio::test]
async fn a_small_store_is_counted() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let sample = async |now_ms| on.store.sample_live_tokens(now_ms).await.unwrap();
    assert_eq!(sample(NOW_MS).await, LiveTokens::default());
    for n in 0..5 {
        on.issue(&format!("user {n}"), NOW_MS).await;
    }
    on.issue_idle("alice", 2 * HOUR_MS, NOW_MS).await;
    let revoked = on.issue("alice", NOW_MS).await;
    on.revoke(&revoked, NOW_MS).await;
    // Another program's keys, and a key of another type.
    server.cli(&["SET", "other:t:{8c4d}:YRgw02QaaPlKaQ", "x"]);
    server.cli(&["SET", "dw:t:{8c4d}:YRgw02QaaPlKaQ", "x"]);
    let keys = server.keys().len() as u64;
    assert_eq!(sample(NOW_MS).await, LiveTokens::counted(6, keys));
    assert_eq!(sample(NOW_MS + HOUR_MS).await, LiveTokens::counted(1, keys), "five have expired");
}

#[tokio::test]
async fn a_large_store_is_sampled_in_three_round_trips() {
    const LIVE: usize = 3_000;
    let server = RedisServer::start();
    let on = with_limit(&server, LIVE).await;
    log_in(&on, "alice", LIVE).await;
    log_in(&on, "bob", 1_000).await;
    on.store.revoke_user_tokens("bob", None, NOW_MS + 1).await.unwrap();
    // Another program's keys.
    const OTHERS: &str = "for n = 1, 2000 do redis.call('SET', 'other:' .. n, '') end";
    redis::cmd("EVAL").arg(OTHERS).arg(0).exec(&mut raw_connection(&server)).unwrap();
    let traffic = during(&server, async {
        let sample = on.store.sample_live_tokens(NOW_MS + 2).await.unwrap();
        assert_near(sample, LIVE as u64);
        assert_eq!(sample.sampled, 400);
        println!("of {LIVE} live tokens: {sample:?}");
    })
    .await;
    assert_eq!((traffic.of("randomkey"), traffic.of("dbsize"), traffic.of("scan")), (400, 1, 0));
    assert!(traffic.of("hmget") <= 400, "{}", traffic.of("hmget"));
}

#[tokio::test]
async fn every_master_of_a_cluster_is_sampled() {
    const LIVE: u64 = 600;
    let on = TestStore::open(StoreKind::Cluster).await;
    for n in 0..LIVE {
        on.issue(&format!("user {n}"), NOW_MS).await;
    }
    // Other tests may use the same cluster, but not this prefix.
    assert_near(on.store.sample_live_tokens(NOW_MS).await.unwrap(), LIVE);
}

#[tokio::test]
async fn a_redis_user_who_may_not_sample_gets_an_error() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    on.issue("alice", NOW_MS).await;
    server.set_user(&["-dbsize"]);
    let error = on.store.sample_live_tokens(NOW_MS).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert_eq!(on.listed("alice", NOW_MS).await.len(), 1);
}
