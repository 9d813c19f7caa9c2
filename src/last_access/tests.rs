use std::sync::Arc;
use std::time::Duration;

use super::queue::PROMPT_WRITES;
use super::recorder::*;
use crate::clock::Clock;
use crate::model::token::{Renewal, Token, TokenDetails, TokenRecord};
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreLimits};
use crate::token_string::TokenId;

const START_MS: u64 = 1_800_000_000_000;

async fn queue(options: LastAccessOptions) -> (LastAccess, Store, Clock, Arc<TokenRecord>) {
    let limits = StoreLimits { revoked_retention_ms: 1_000, max_tokens_per_user: 10, ..StoreLimits::DEFAULT };
    let store = Store::Memory(Arc::new(MemoryStore::new(limits, 100)));
    let clock = Clock::manual(START_MS);
    let keys = crate::token_string::TokenKeys::from_secrets(["k"]).unwrap();
    let entropy = crate::entropy::Entropy::seeded(1);
    let minted =
        crate::token_string::mint(crate::token_string::TokenKind::Session, &keys, "alice", &entropy).unwrap();
    let record = Arc::new(TokenRecord {
        id: minted.id,
        expires_at_ms: START_MS + 60_000,
        idle_ms: 60_000,
        ends_at_ms: START_MS + 600_000,
        ..crate::model::token::tests::record()
    });
    let token = Token {
        record: record.clone(),
        details: Arc::new(TokenDetails {
            user_agent: String::new(),
            ip: "::1".parse().unwrap(),
            expiration: true,
            related_objects: vec![],
            origin: None,
        }),
        last_access_ms: START_MS,
        revoked: None,
    };
    store.issue(&token, START_MS).await.unwrap().unwrap();
    let queue = LastAccess::new(store.clone(), clock.clone(), options);
    (queue, store, clock, record)
}

const OPTIONS: LastAccessOptions =
    LastAccessOptions { flush_interval_ms: 1_000, resolution_ms: 60_000, queue: 100 };

#[tokio::test]
async fn every_round_writes_the_latest_access_while_few_tokens_are_accessed() {
    let (queue, store, clock, record) = queue(OPTIONS).await;
    let seen = async || {
        let token = store.token(record.id, clock.now_ms()).await.unwrap().unwrap();
        token.last_access_ms - START_MS
    };
    queue.record(&record, START_MS + 10, None, true);
    queue.record(&record, START_MS + 20, None, true);
    queue.flush().await.unwrap();
    assert_eq!(seen().await, 20);
    clock.advance_ms(1_000);
    queue.record(&record, START_MS + 900, None, true);
    queue.flush().await.unwrap();
    assert_eq!(seen().await, 900);
    queue.flush().await.unwrap();
    assert_eq!(queue.0.counters.flushed.get(), 2, "and writes nothing twice");
    // A newer copy of the record replaces the older one, and no access is lost.
    let newer = Arc::new(TokenRecord::clone(&record));
    queue.record(&record, START_MS + 950, None, true);
    queue.record(&newer, START_MS + 940, None, true);
    queue.record(&newer, START_MS + 960, None, true);
    queue.flush().await.unwrap();
    assert_eq!(seen().await, 960);
    clock.advance_ms(60_000);
    queue.flush().await.unwrap();
    assert!(newer.accesses.record(START_MS), "not watched any more");
}

#[tokio::test]
async fn among_many_a_token_is_written_once_per_resolution() {
    let (queue, _, clock, first) = queue(LastAccessOptions { queue: 1_000_000, ..OPTIONS }).await;
    let others: Vec<_> = (0..=PROMPT_WRITES as u64)
        .map(|n| {
            let mut id = *b"jE1hGDDT0000000A";
            id[8..15].copy_from_slice(format!("{n:07}").as_bytes());
            let id = TokenId::parse(std::str::from_utf8(&id).unwrap()).unwrap();
            Arc::new(TokenRecord { id, ..TokenRecord::clone(&first) })
        })
        .collect();
    let round = async |at_ms: u64| {
        others.iter().for_each(|other| queue.record(other, START_MS + at_ms, None, true));
        clock.advance_ms(1_000);
        let before = queue.0.counters.flushed.get();
        queue.flush().await.unwrap();
        queue.0.counters.flushed.get() - before
    };
    assert_eq!(round(10).await, others.len() as u64);
    assert_eq!(round(20).await, 0, "each was written less than the resolution ago");
    clock.advance_ms(60_000);
    assert_eq!(round(30).await, others.len() as u64);
}

#[tokio::test]
async fn a_renewal_does_not_wait_for_the_resolution() {
    let (queue, store, clock, record) = queue(OPTIONS).await;
    queue.record(&record, START_MS, None, true);
    queue.flush().await.unwrap();
    queue.record(&record, START_MS + 50, Some(START_MS + 60_050), true);
    queue.flush().await.unwrap();
    let token = store.token(record.id, clock.now_ms()).await.unwrap().unwrap();
    assert_eq!(token.record.expires_at_ms, START_MS + 60_050);
}

/// Redis is unreachable while the renewal is earned.
#[tokio::test]
async fn an_earned_renewal_counts_until_it_is_written() {
    let (_, store, clock, record) = queue(OPTIONS).await;
    let away = crate::store::redis::RedisStore::new(
        crate::store::redis::RedisOptions {
            url: crate::values::RedisUrl::parse("redis://127.0.0.1:1").unwrap(),
            trust: None,
            key_prefix: "dw:".into(),
            connections: 1,
            timeout: Duration::from_millis(100),
            cache: crate::store::redis::CacheOptions {
                entries: 0,
                lease_ms: 1,
                stale_grace_ms: 0,
                catch_up_ms: 0,
            },
            aliases: crate::store::alias::AliasOptions { entries: 0, look_ups_per_second: 1000 },
            accept_eviction: false,
            takeovers: true,
            replay_window_ms: 60_000,
            durable_writes: crate::values::DurableWrites::None,
        },
        StoreLimits::DEFAULT,
        clock.clone(),
    );
    let away = Store::Redis(away);
    let unwritten = LastAccess::new(away, clock.clone(), OPTIONS);
    assert_eq!(earned_ms(&unwritten, &record), None);
    for access_ms in [START_MS + 10, START_MS + 50_000, START_MS + 100_000] {
        unwritten.record(&record, access_ms, Some(access_ms + 60_000), true);
        assert_eq!(earned_ms(&unwritten, &record), Some(access_ms + 60_000));
        unwritten.flush().await.unwrap_err();
        assert_eq!(earned_ms(&unwritten, &record), Some(access_ms + 60_000));
    }
    clock.advance_ms(110_000);
    assert_eq!(unwritten.flush_lag_ms(), 109_990, "since the first access that was not written");
    let chain = unwritten.0.queue.take_due(clock.now_ms()).due.pop().unwrap().touch();
    assert_eq!(chain.renewal, Some(Renewal { from_ms: START_MS + 10, to_ms: START_MS + 160_000 }));
    assert_eq!(earned_ms(&unwritten, &record), Some(START_MS + 160_000), "while it is being written");
    store.touch(std::slice::from_ref(&chain), clock.now_ms()).await.unwrap();
    let token = store.token(record.id, clock.now_ms()).await.unwrap().unwrap();
    assert_eq!(token.record.expires_at_ms, START_MS + 160_000);
    // The write was cancelled: it is written again.
    assert_eq!(unwritten.0.queue.take_due(clock.now_ms()).due.pop().unwrap().touch(), chain);
}

#[tokio::test]
async fn a_written_renewal_is_no_longer_earned() {
    let (queue, _, _, record) = queue(OPTIONS).await;
    queue.record(&record, START_MS + 50, Some(START_MS + 60_050), true);
    queue.flush().await.unwrap();
    assert_eq!((earned_ms(&queue, &record), queue.flush_lag_ms()), (None, 0));
}

#[tokio::test]
async fn a_full_queue_counts_dropped_accesses() {
    let (queue, _, clock, record) = queue(LastAccessOptions { queue: 1, ..OPTIONS }).await;
    let id = TokenId::from_locator(record.id.hash_tag(), "AAAAAAAAAAAAAA").unwrap();
    let other = Arc::new(TokenRecord { id, ..TokenRecord::clone(&record) });
    queue.record(&record, START_MS, None, true);
    for dropped in 1..=2 {
        queue.record(&other, START_MS + 1, None, true);
        assert_eq!(queue.0.counters.dropped.get(), dropped);
    }
    queue.flush().await.unwrap();
    assert_eq!(queue.0.counters.flushed.get(), 1);

    // The first was not accessed for a resolution, so it is not watched any more.
    clock.advance_ms(OPTIONS.resolution_ms);
    queue.flush().await.unwrap();
    queue.record(&other, clock.now_ms(), None, true);
    assert_eq!(queue.0.counters.dropped.get(), 2);
    queue.flush().await.unwrap();
    assert_eq!(queue.0.counters.flushed.get(), 2);
}

fn earned_ms(unwritten: &LastAccess, record: &TokenRecord) -> Option<u64> {
    unwritten.earned(record.id).map(|earned| earned.expires_at_ms)
}
