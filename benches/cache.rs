//! The time of a look-up in the near cache, on one thread and on two, and the memory of an entry.
//!
//! `cargo bench --bench cache`. The target: a hit among a million entries under 150 ns, a cached token of 200
//! bytes under 400 bytes in all.

use std::hint::black_box;
use std::sync::{Arc, Barrier};

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::internals::store::cache::near_cache::{CacheLimits, Looked};
use doorward::internals::store::cache::{Flight, NearCache, ServerIndex};
use doorward::internals::token_string::TokenId;

const SERVER: ServerIndex = ServerIndex(0);
const MILLION: usize = 1_000_000;

/// Pairs of runs of one thread and of two, and the looks of each thread in a run.
const PAIRS: usize = 15;
const LOOKS: usize = 1_000_000;

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
    for count in [MILLION, 10 * MILLION] {
        let tokens = tokens(count);
        let before = resident_bytes();
        let cache = filled(count + count / 8, &tokens);
        let entries = cache.stats().entries;
        println!("memory: {entries} entries, {} bytes each", (resident_bytes() - before) / entries);
        // Freed memory would count as the next cache's.
        std::mem::forget(cache);
    }
}

fn hit(c: &mut Criterion) {
    for count in [1_000, 100_000, MILLION, 10 * MILLION] {
        let tokens = tokens(count);
        let cache = filled(count + count.max(1_000) / 8, &tokens);
        let mut order = tokens.iter().cycle();
        c.bench_function(&format!("hit/{count} entries"), |b| {
            b.iter(|| order.next().map(|id| look(&cache, black_box(id))));
        });
        assert_eq!(cache.stats().misses, count as u64, "every look-up was a hit");
    }
}

/// Looks a token up as a validation does: it uses the value in place.
fn look(cache: &NearCache<Value>, id: &TokenId) -> bool {
    cache.look(id, 0, |value| Looked::Hit(black_box(value.map(|value| value[0])).is_some()))
}

/// The throughput of two threads by that of one, in interleaved pairs, by CPU time: a thread that waits for a line of memory
/// uses its core meanwhile, and other programs do not count against two threads.
fn two_threads(_: &mut Criterion) {
    for count in [1, 1_000, 10_000, 100_000, MILLION] {
        let tokens = tokens(count);
        let cache = filled(count + count.max(1_000) / 8, &tokens);
        let mut pairs: Vec<_> = (0..PAIRS)
            .map(|_| (cost_ns(&cache, &tokens, 1), cost_ns(&cache, &tokens, 2)))
            .map(|(one, two)| (2.0 * one / two, one, two))
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, one, two) = pairs[PAIRS / 2];
        let (low, high) = (pairs[PAIRS / 5].0, pairs[PAIRS - 1 - PAIRS / 5].0);
        println!(
            "two threads by one/{count} tokens: {ratio:.2} [{low:.2}, {high:.2}]; {one:.0} ns a look alone, {two:.0} ns together"
        );
    }
}

/// Returns the CPU nanoseconds of a look while so many threads look tokens up, each in its own order.
fn cost_ns(cache: &NearCache<Value>, tokens: &[TokenId], threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let run = |from: usize| {
        let mut order = tokens.iter().cycle().skip(from);
        let mut looks = |count| assert!(order.by_ref().take(count).all(|id| look(cache, id)));
        // The thread's front and the core's cache.
        looks(2 * tokens.len().max(1000));
        barrier.wait();
        let from_ns = own_cpu_ns();
        looks(LOOKS);
        (own_cpu_ns() - from_ns) as f64 / LOOKS as f64
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn({
                    let run = &run;
                    move || run(thread * tokens.len() / 2)
                })
            })
            .collect();
        let costs = running.into_iter().map(|thread| thread.join().expect("no panic"));
        costs.sum::<f64>() / threads as f64
    })
}

/// Returns this thread's CPU time (proc(5), `schedstat`).
fn own_cpu_ns() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
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

criterion_group!(benches, memory, two_threads, hit, miss_and_insert);
criterion_main!(benches);
