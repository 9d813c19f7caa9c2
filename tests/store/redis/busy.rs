//! A user's history does not make operations more expensive. The tests count the commands that each script runs, and
//! measure how long it blocks Redis. `cargo test --test integration store::redis::busy -- --nocapture` prints both.
//!
//! Only the counts are asserted, because times depend on the machine's load.

use std::sync::Arc;
use std::time::Duration;

use doorward::TokenChange;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::{MAX_TAKEOVERS_PER_TOKEN, NewTakeover};
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::StoreLimits;
use doorward::internals::token_string;
use futures_util::future::join_all;

use super::round_trips::{Traffic, during};
use crate::common::devices::{login_of, sample_device};
use crate::common::redis::RedisServer;
use crate::common::store::{DAY_MS, HOUR_MS, LIMITS, NOW_MS, TestStore, with_objects};

const LOGINS: usize = 21;
const CONCURRENT: usize = 8;
/// The largest allowed `max-tokens-per-user`.
pub const MOST: usize = 10_000;
pub const LATER_MS: u64 = NOW_MS + 100;

/// The cost of an operation: the largest number of commands in a script, and the median time.
struct Cost {
    commands: u64,
    us: u64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} commands, {} us", self.commands, self.us)
    }
}

impl Cost {
    fn of(calls: &[Traffic]) -> Self {
        let mut times: Vec<_> = calls.iter().map(|call| call.script_us).collect();
        times.sort_unstable();
        Self { commands: calls.iter().map(Traffic::in_scripts).max().unwrap(), us: times[times.len() / 2] }
    }
}

pub async fn with_limit(server: &RedisServer, max_tokens_per_user: usize) -> Arc<TestStore> {
    let limits = StoreLimits { max_tokens_per_user, ..LIMITS };
    Arc::new(TestStore::on_server(server, limits, Duration::from_secs(60)).await)
}

/// Logs a user in `count` times.
pub async fn log_in(on: &TestStore, user: &str, times: usize) {
    for n in (0..times).step_by(CONCURRENT) {
        let tokens: Vec<_> = (n..times.min(n + CONCURRENT)).map(|_| on.sample(user, NOW_MS)).collect();
        join_all(tokens.iter().map(|token| on.keep(token, NOW_MS))).await;
    }
}

/// Measures logins of these users, then renewals of some of these tokens, then their logouts.
async fn costs(
    server: &RedisServer,
    on: &TestStore,
    user: impl Fn(usize) -> String,
    now_ms: u64,
) -> [Cost; 3] {
    let tokens: Vec<_> = (0..LOGINS).map(|n| on.sample(&user(n), now_ms + n as u64)).collect();
    let [mut logins, mut renewals, mut logouts] = [vec![], vec![], vec![]];
    for token in &tokens {
        logins.push(during(server, async { drop(on.keep(token, now_ms).await) }).await);
    }
    // No later login has revoked these tokens.
    let last = &tokens[LOGINS - 4..];
    for token in last {
        let renewed_to_ms = token.record.expires_at_ms + HOUR_MS;
        renewals.push(during(server, on.touch(token, now_ms, Some(renewed_to_ms))).await);
    }
    for token in last {
        let change = TokenChange::revoking(RevokeReason::Logout);
        let changed = async {
            let changed = on.store.change(token.record.id, &change, now_ms).await.unwrap();
            assert!(changed.is_ok(), "{changed:?}");
        };
        logouts.push(during(server, changed).await);
    }
    [logins, renewals, logouts].map(|calls| Cost::of(&calls))
}

#[tokio::test]
async fn the_cost_of_a_login_does_not_grow_with_the_tokens_of_the_user() {
    const CALLS: [&str; 3] = ["a login", "a renewal", "a logout"];
    let server = RedisServer::start();
    let default = with_limit(&server, LIMITS.max_tokens_per_user).await;
    costs(&server, &default, |_| "warm up".into(), LATER_MS).await;
    let fresh = costs(&server, &default, |n| format!("fresh {n}"), LATER_MS).await;
    for (call, cost) in CALLS.iter().zip(&fresh) {
        println!("{call} of a fresh account: {cost}");
    }
    // At the limit, a login runs a second script, which revokes a token, too.
    const BELOW_LIMIT: u64 = 2;
    const AT_LIMIT: u64 = 4;
    for (what, max, live, revokes, now_ms, at_most) in [
        ("one other live", 1000, 1, false, LATER_MS, BELOW_LIMIT),
        ("5 live of at most 5", 5, 5, false, LATER_MS, AT_LIMIT),
        ("1,000 revoked", 1000, 1000, true, LATER_MS, AT_LIMIT),
        ("900 live", 1000, 900, false, LATER_MS, BELOW_LIMIT),
        ("1,000 live of at most 1,000", 1000, 1000, false, LATER_MS, AT_LIMIT),
        ("5,000 live of at most 5,000", 5000, 5000, false, LATER_MS, AT_LIMIT),
        ("10,000 live of at most 10,000", MOST, MOST, false, LATER_MS, AT_LIMIT),
        ("1,000 expired", 1000, 1000, false, NOW_MS + HOUR_MS, AT_LIMIT),
    ] {
        let on = with_limit(&server, max).await;
        log_in(&on, what, live).await;
        if revokes {
            on.store.revoke_user_tokens(what, None, NOW_MS).await.unwrap();
        }
        let costs = costs(&server, &on, |_| what.into(), now_ms).await;
        for ((call, cost), fresh) in CALLS.iter().zip(costs).zip(&fresh) {
            println!("{call} of an account with {what}: {cost}");
            assert!(cost.commands <= at_most * fresh.commands, "{call}, {what}: {cost} instead of {fresh}");
        }
    }
}

#[tokio::test]
async fn a_device_login_costs_at_most_twice_as_much_beside_many_device_keys() {
    let server = RedisServer::start();
    let limits = StoreLimits { max_devices_per_user: 1000, ..LIMITS };
    let on = TestStore::on_server(&server, limits, Duration::from_secs(60)).await;
    let cost = async |user: &str, others: u64| {
        let device = sample_device(user, "phone", 1000, NOW_MS);
        on.make_device(&device).await;
        for n in 0..others {
            on.make_device(&sample_device(user, &format!("device {n}"), n, NOW_MS)).await;
        }
        let mut calls = Vec::new();
        for _ in 0..LOGINS {
            let log_in =
                async { drop(on.log_in(&login_of(&device, NOW_MS), &device, NOW_MS).await.unwrap()) };
            calls.push(during(&server, log_in).await);
        }
        Cost::of(&calls)
    };
    cost("warm up", 0).await;
    let alone = cost("alice", 0).await;
    println!("a login by the only device key: {alone}");
    for others in [99, 999] {
        let cost = cost(&format!("user {others}"), others).await;
        println!("a login by a device key beside {others} others: {cost}");
        assert!(cost.commands <= 2 * alone.commands, "{others}: {cost} instead of {alone}");
    }
}

/// After the limit was lowered, a few logins bring a user down to it, and no login does much work.
#[tokio::test]
async fn a_lowered_limit_is_reached_gradually() {
    let server = RedisServer::start();
    let before = with_limit(&server, 100).await;
    log_in(&before, "alice", 100).await;
    let on = with_limit(&server, 20).await;
    let mut made_room = Vec::new();
    for n in 0..20 {
        let token = before.sample("alice", LATER_MS + n);
        made_room.push(on.keep(&token, LATER_MS + n).await.len());
    }
    // 100 tokens and one more each time: at most 8 are revoked.
    assert_eq!(made_room, [vec![8; 11], vec![4], vec![1; 8]].concat());
}

/// Logins with a related object cost the same, however many tokens the object has.
#[tokio::test]
async fn an_object_with_thousands_of_tokens_does_not_slow_logins() {
    const TOKENS: usize = 3_000;
    let server = RedisServer::start();
    let on = with_limit(&server, LIMITS.max_tokens_per_user).await;
    let related = |user: &str, object_id: &str| {
        let object = RelatedObject { content_type: "order".into(), object_id: object_id.into() };
        with_objects(on.sample(user, NOW_MS), vec![object])
    };
    let cost = async |object_id: &str, now_ms: u64| {
        let mut calls = Vec::new();
        for n in 0..LOGINS {
            let token = related(&format!("{object_id} {n} {now_ms}"), object_id);
            calls.push(during(&server, async { drop(on.keep(&token, now_ms).await) }).await);
        }
        Cost::of(&calls)
    };
    cost("warm up", LATER_MS).await;
    let fresh = cost("new", LATER_MS).await;
    println!("a login with a new object: {fresh}");
    for n in (0..TOKENS).step_by(CONCURRENT) {
        let tokens: Vec<_> = (n..n + CONCURRENT).map(|n| related(&format!("user {n}"), "old")).collect();
        join_all(tokens.iter().map(|token| on.keep(token, NOW_MS))).await;
    }
    // The second time, all of them have expired for good.
    for now_ms in [LATER_MS, NOW_MS + 31 * DAY_MS] {
        let cost = cost("old", now_ms).await;
        println!("a login with an object of {TOKENS} tokens: {cost}");
        assert!(cost.commands <= 2 * fresh.commands, "{cost} instead of {fresh}");
    }
}

/// A takeover by a token with a full takeover history.
#[tokio::test]
async fn a_long_history_does_not_slow_takeovers() {
    let server = RedisServer::start();
    let on = with_limit(&server, LIMITS.max_tokens_per_user).await;
    let token = on.issue("alice", NOW_MS).await.record.id;
    let mut costs = Vec::new();
    for _ in 0..MAX_TAKEOVERS_PER_TOKEN + 20 {
        let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
        let new = NewTakeover { id, token, user: "bob".into(), reason: None, ends_at_ms: NOW_MS + HOUR_MS };
        let call = during(&server, async {
            let started = on.store.start_takeover(&new, NOW_MS).await.unwrap();
            assert!(started.is_ok(), "{started:?}");
        });
        costs.push(Cost::of(&[call.await]));
    }
    // The first takeover ends no earlier one.
    let (second, last) = (&costs[1], &costs[costs.len() - 1]);
    println!("a token's second takeover: {second}; one beyond the limit: {last}");
    assert!(last.commands <= 2 * second.commands, "{last} instead of {second}");
}
