//! The time of sequential logins, logouts and takeovers on one connection, with a single Redis and with a Cluster of
//! three masters; and how long each step of a revocation of a thousand tokens blocks Redis. The baseline is a bare
//! PING, the cheapest possible round trip.
//!
//! ```text
//! cargo bench --bench lifecycle -- [--quick] [FILTER]
//! ```

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use doorward::TokenChange;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::Rotation;
use doorward::internals::token_string;
use tokio::runtime::Runtime;

use common::redis::RedisServer;
use common::store::{LIMITS, NOW_MS, StoreKind, TestStore, raw_connection};

/// The default of `max-tokens-per-user`: the most work of a revocation of all.
const MOST_TOKENS: usize = 1000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn calls(c: &mut Criterion) {
    let runtime = runtime();
    for (name, kind) in [("Redis", StoreKind::RedisTcp), ("Cluster", StoreKind::Cluster)] {
        let on = runtime.block_on(TestStore::open(kind));
        let mut group = c.benchmark_group(name);
        let mut number = 0;
        let mut user = || {
            number += 1;
            format!("user-{number}")
        };
        group.bench_function("issue", |b| {
            b.iter_batched(
                || on.sample(&user(), NOW_MS),
                |token| runtime.block_on(on.keep(&token, NOW_MS)),
                BatchSize::SmallInput,
            );
        });
        let mut issued = || runtime.block_on(on.issue(&user(), NOW_MS));
        let change = |id, change| runtime.block_on(on.store.change(id, &change, NOW_MS)).unwrap();
        group.bench_function("revoke", |b| {
            b.iter_batched(
                &mut issued,
                |token| change(token.record.id, TokenChange::revoking(RevokeReason::Logout)),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("rotate", |b| {
            b.iter_batched(
                &mut issued,
                |token| {
                    let rotation = Rotation { hash: token.record.secret_hash, grace_ms: 10_000 };
                    change(token.record.id, TokenChange::rotating(rotation))
                },
                BatchSize::SmallInput,
            );
        });
        group.bench_function("takeover, with its reverse-index entry", |b| {
            b.iter_batched(
                || {
                    let token = issued().record.id;
                    let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
                    NewTakeover { id, token, user: "bob".into(), reason: None, ends_at_ms: NOW_MS + 60_000 }
                },
                |new| runtime.block_on(on.store.start_takeover(&new, NOW_MS)).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

fn ping(c: &mut Criterion) {
    let server = RedisServer::start();
    let mut connection = raw_connection(&server);
    c.bench_function("bare PING, blocking client", |b| {
        b.iter(|| redis::cmd("PING").exec(&mut connection).unwrap());
    });
}

/// Reads from the slow log how long each script blocked the server.
fn revocation_of_all(_: &mut Criterion) {
    let (runtime, server) = (runtime(), RedisServer::start());
    let on = runtime.block_on(TestStore::on_server(&server, LIMITS, Duration::from_secs(30)));
    let (mut held_us, mut steps) = (Vec::new(), 0);
    for _ in 0..10 {
        runtime.block_on(async {
            for _ in 0..MOST_TOKENS {
                on.issue("alice", NOW_MS).await;
            }
        });
        server.cli(&["CONFIG", "RESETSTAT"]);
        let revoked = runtime.block_on(on.store.revoke_user_tokens("alice", None, NOW_MS)).unwrap();
        assert_eq!(revoked.len(), MOST_TOKENS);
        let stats = server.cli(&["INFO", "commandstats"]);
        let figures = |name: &str| {
            let all = ["cmdstat_evalsha:", "cmdstat_eval:"].iter().filter_map(|command| {
                let line = stats.lines().find_map(|line| line.strip_prefix(command))?;
                line.split(',').find_map(|field| field.strip_prefix(name))?.trim().parse::<u64>().ok()
            });
            all.sum::<u64>()
        };
        steps = figures("calls=");
        held_us.push(figures("usec="));
        server.cli(&["FLUSHALL"]);
    }
    held_us.sort_unstable();
    let (median, worst) = (held_us[held_us.len() / 2], held_us[held_us.len() - 1]);
    let per_step = |us: u64| us as f64 / 1000.0 / steps as f64;
    println!(
        "revoking {MOST_TOKENS} tokens of a user is {steps} scripts, each of which holds Redis for {:.2} ms (mean of each of \
         {} runs, their median), at worst {:.2} ms",
        per_step(median),
        held_us.len(),
        per_step(worst)
    );
}

criterion_group!(benches, ping, calls, revocation_of_all);
criterion_main!(benches);
