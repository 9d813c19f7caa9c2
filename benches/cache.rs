//! The time of a look-up in the near cache, and the memory of an entry.
//!
//! `cargo bench --bench cache`. The target: a hit among a million entries under 150 ns, a cached token of 200
//! bytes under 400 bytes in all.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::internals::store::cache::near_cache::CacheLimits;
use doorward::internals::store::cache::{Flight, NearCache, ServerIndex};
use doorward::internals::token_string::TokenId;

const SERVER: ServerIndex = ServerIndex(0);
const MILLION: usize = 1_000_000;
/// More than a million, so that uneven shards evict nothing.
const CAPACITY: usize = MILLION + MILLION / 8;

/// As large as a decoded token.
type Value = Arc<[u8; 200]>;

fn tokens(count: usize) -> Vec<TokenId> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = 1_u64;
    let mut digit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(DIGITS[(state >> 58) as usize])
    };
    (0..count)
        .map(|_| TokenId::parse(&(0..16).map(|_| digit()).collect::<String>()).expect("16 digits"))
        .collect()
}

fn put(cache: &NearCache<Value>, id: &TokenId) {
    match cache.begin(id, SERVER, 0) {
        Flight::Lead(ticket) => ticket.complete(Arc::new([0; 200]), Some(SERVER)),
        Flight::Cached(_) | Flight::Follow(_) => {}
    }
}

/// Returns a cache with an unlimited lease that holds these tokens.
fn filled(capacity_entries: usize, tokens: &[TokenId]) -> Arc<NearCache<Value>> {
    let limits = CacheLimits { capacity_entries, servers: 1, lease_ms: u64::MAX, stale_grace_ms: 0 };
    let cache = NearCache::new(limits);
    let connection = cache.start_tracking(SERVER).expect("server 0 of 1");
    connection.heartbeat_answered(0);
    std::mem::forget(connection);
    tokens.iter().for_each(|id| put(&cache, id));
    Arc::new(cache)
}

/// Returns the resident memory of this process in bytes (Linux).
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) * 1024
}

fn memory(_: &mut Criterion) {
    let tokens = tokens(MILLION);
    let before = resident_bytes();
    let cache = filled(CAPACITY, &tokens);
    let entries = cache.stats().entries;
    println!("memory: {entries} entries, {} bytes each", (resident_bytes() - before) / entries);
}

fn hit(c: &mut Criterion) {
    for count in [1_000, 100_000, MILLION] {
        let tokens = tokens(count);
        let cache = filled(CAPACITY.min(count * 2), &tokens);
        for threads in [1, 2] {
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                if threads == 2 {
                    // In another order, so that the two meet at random places.
                    let other = || {
                        let mut order = tokens.iter().rev().cycle();
                        while !stop.load(Ordering::Relaxed) {
                            order.by_ref().take(1000).for_each(|id| drop(black_box(cache.get(id, 0))));
                        }
                    };
                    scope.spawn(other);
                }
                let mut order = tokens.iter().cycle();
                c.bench_function(&format!("hit/{count} entries/{threads} threads"), |b| {
                    b.iter(|| order.next().map(|id| cache.get(black_box(id), 0)));
                });
                stop.store(true, Ordering::Relaxed);
            });
            assert_eq!(cache.stats().misses, count as u64, "every look-up was a hit");
        }
    }
}

/// Insertions into a full cache: each evicts an entry.
fn miss_and_insert(c: &mut Criterion) {
    let tokens = tokens(2 * MILLION);
    let cache = filled(MILLION, &tokens[..MILLION]);
    let mut order = tokens[MILLION..].iter().chain(&tokens[..MILLION]).cycle();
    c.bench_function("miss and insert/1000000 entries", |b| {
        b.iter(|| order.next().map(|id| put(&cache, black_box(id))));
    });
}

criterion_group!(benches, memory, hit, miss_and_insert);
criterion_main!(benches);
