//! A revocation of many tokens runs in steps. Each step is short, and a repeated call finishes an interrupted
//! revocation.

use std::collections::BTreeSet;

use doorward::StoreError;

use super::busy::{LATER_MS, MOST, log_in, with_limit};
use super::round_trips::during;
use crate::common::devices::{login_of, sample_device};
use crate::common::redis::RedisServer;
use crate::common::store::{NOW_MS, TestStore, raw_connection};

/// Enough tokens for several steps.
const MANY: usize = 500;

/// An entry of the slow log: number, start, duration, command, address and name of the client.
type SlowLogEntry = (u64, u64, u64, Vec<Vec<u8>>, String, String);

/// Returns the duration of each script in the server's slow log, in the order in which they ran.
fn script_times_us(server: &RedisServer) -> Vec<u64> {
    let entries: Vec<SlowLogEntry> =
        redis::cmd("SLOWLOG").arg("GET").arg(-1).query(&mut raw_connection(server)).unwrap();
    entries.iter().rev().filter(|entry| entry.3[0] == b"EVALSHA").map(|entry| entry.2).collect()
}

#[tokio::test]
async fn revoking_all_tokens_runs_in_small_steps() {
    /// The maximum work of one step: a few commands for each of at most a hundred tokens.
    const COMMANDS_PER_STEP: u64 = 800;
    const TOKENS_PER_STEP: u64 = 32;
    let server = RedisServer::start();
    let on = with_limit(&server, MOST).await;
    on.store.revoke_user_tokens("warm up", None, NOW_MS).await.unwrap();
    // Not 0, because that would also log the commands inside the scripts, which takes time.
    server.cli(&["CONFIG", "SET", "slowlog-log-slower-than", "100"]);
    server.cli(&["CONFIG", "SET", "slowlog-max-len", "1000"]);
    for count in [100, 1_000, MOST] {
        let user = format!("user {count}");
        log_in(&on, &user, count).await;
        server.cli(&["SLOWLOG", "RESET"]);
        let traffic = during(&server, async {
            assert_eq!(on.store.revoke_user_tokens(&user, None, LATER_MS).await.unwrap().len(), count);
        })
        .await;
        let (steps, mut times) = (traffic.of("evalsha"), script_times_us(&server));
        let first = times[0];
        times.sort_unstable();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "the revocation of {count} tokens: {steps} steps, the first {first} us, of all the median {median} us, \
             the longest {longest} us"
        );
        assert_eq!(steps, if count > 100 { 1 + (count as u64).div_ceil(TOKENS_PER_STEP) } else { 1 });
        assert!(traffic.in_scripts() <= COMMANDS_PER_STEP * steps, "{}", traffic.in_scripts());
        assert_eq!(on.store.revoke_user_tokens(&user, None, LATER_MS).await.unwrap(), []);
    }
}

/// Returns how many tokens of the user are revoked in Redis.
fn revoked(server: &RedisServer, user: &str) -> usize {
    let ends_with = format!("}}:{user}");
    let index = server.keys().into_iter().find(|key| key.starts_with("dw:u:") && key.ends_with(&ends_with));
    redis::cmd("ZCOUNT")
        .arg(index.unwrap())
        .arg(1_u64 << 50)
        .arg("+inf")
        .query(&mut raw_connection(server))
        .unwrap()
}

/// Interrupts a revocation as if the node had died after it revoked some of the tokens.
async fn break_off<T>(server: &RedisServer, user: &str, revocation: impl Future<Output = T>) {
    let some_are_revoked = async {
        while revoked(server, user) == 0 {
            tokio::task::yield_now().await;
        }
    };
    // Both run on one thread: whenever one waits, the other is polled.
    tokio::select! {
        biased;
        () = some_are_revoked => {}
        _ = revocation => panic!("the revocation took only one step"),
    }
    // Waits for the pending step.
    on_quiet(server, user).await;
    assert!((1..MANY).contains(&revoked(server, user)));
}

/// Waits until no further token is revoked.
async fn on_quiet(server: &RedisServer, user: &str) {
    let mut before = 0;
    while before != revoked(server, user) {
        before = revoked(server, user);
        tokio::task::yield_now().await;
    }
}

async fn live(on: &TestStore, user: &str) -> BTreeSet<String> {
    let tokens = on.store.user_tokens(user, LATER_MS).await.unwrap();
    let live = tokens.iter().filter(|token| token.record.is_active);
    live.map(|token| token.record.id.to_string()).collect()
}

#[tokio::test]
async fn an_interrupted_revocation_is_finished_by_the_next() {
    let server = RedisServer::start();
    let on = with_limit(&server, MOST).await;
    log_in(&on, "alice", MANY).await;
    break_off(&server, "alice", on.store.revoke_user_tokens("alice", None, LATER_MS)).await;
    let left = live(&on, "alice").await;
    assert_eq!(left.len(), MANY - revoked(&server, "alice"));
    let revoked = on.store.revoke_user_tokens("alice", None, LATER_MS).await.unwrap();
    assert_eq!(revoked.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), left);
    assert_eq!(live(&on, "alice").await, BTreeSet::new());
}

/// The key is inactive then, and the next call finds it.
#[tokio::test]
async fn an_interrupted_device_key_removal_is_finished_by_the_next() {
    let server = RedisServer::start();
    let on = with_limit(&server, MOST).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    for _ in 0..MANY {
        on.log_in(&login_of(&device, NOW_MS), &device, NOW_MS).await.unwrap();
    }
    break_off(&server, "alice", on.store.remove_device("alice", "phone", LATER_MS)).await;
    assert_eq!(on.log_in(&login_of(&device, LATER_MS), &device, LATER_MS).await, None);
    assert!(on.store.remove_device("alice", "phone", LATER_MS).await.unwrap());
    assert_eq!(live(&on, "alice").await, BTreeSet::new());
    assert_eq!(on.store.user_devices("alice", LATER_MS).await.unwrap(), []);
}

#[tokio::test]
async fn a_corrupt_record_does_not_protect_other_tokens_from_revocation() {
    let server = RedisServer::start();
    let on = with_limit(&server, MOST).await;
    log_in(&on, "alice", MANY).await;
    let keys = server.keys();
    let key = keys.iter().find(|key| key.starts_with("dw:t:")).unwrap();
    server.cli(&["HDEL", key, "f"]);
    for _ in 0..2 {
        let error = on.store.revoke_user_tokens("alice", None, LATER_MS).await.unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { key: corrupt, .. } if corrupt == key), "{error}");
        assert_eq!(revoked(&server, "alice"), MANY - 1);
    }
}

/// No command of a listing returns more than a few hundred tokens.
#[tokio::test]
async fn a_listing_of_thousands_is_read_in_chunks() {
    const TOKENS: usize = 3_000;
    let server = RedisServer::start();
    let on = with_limit(&server, MOST).await;
    log_in(&on, "alice", TOKENS).await;
    let traffic = during(&server, async { assert_eq!(live(&on, "alice").await.len(), TOKENS) }).await;
    // Three members per token, about 500 members per chunk.
    assert!(traffic.of("zscan") >= 9, "{}", traffic.of("zscan"));
    assert_eq!((traffic.of("zrange"), traffic.of("hgetall")), (0, TOKENS as u64));
}
