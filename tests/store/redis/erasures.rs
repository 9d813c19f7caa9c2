//! The erasure of a user with many tokens runs in steps. If the connection is lost between two of them, a repeated call
//! erases the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::store::StoreLimits;
use doorward::internals::token_string::{self, HashTag, TokenId};
use doorward::{StoreError, Token};

use crate::common::devices::sample_device;
use crate::common::process::DEADLINE_MS;
use crate::common::redis::{RedisServer, url_at};
use crate::common::relay::Relay;
use crate::common::store::{DAY_MS, HOUR_MS, LIMITS, NOW_MS, TestStore, eventually};

/// The number of tokens and of device keys; not a multiple of what one step erases.
const MANY: usize = 250;
/// `STEP_ITEMS` of erase_user.lua.
const PER_STEP: usize = 100;
const PATIENCE: Duration = Duration::from_millis(DEADLINE_MS);
const ERASED_MS: u64 = NOW_MS + HOUR_MS / 2;

async fn take_over(on: &TestStore, token: &Token, user: &str) {
    let token = token.record.id;
    let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
    let new = NewTakeover { id, token, user: user.into(), reason: None, ends_at_ms: NOW_MS + DAY_MS };
    on.store.start_takeover(&new, NOW_MS).await.unwrap().unwrap();
}

/// Gives alice many tokens, some of them revoked, which act or have acted as bob or carol, and many device keys.
async fn tokens_of_alice(on: &TestStore) -> Vec<Token> {
    let mut tokens = Vec::new();
    for n in 0..MANY {
        let token = on.issue("alice", NOW_MS).await;
        take_over(on, &token, ["bob", "carol"][n % 2]).await;
        on.make_device(&sample_device("alice", &format!("device {n}"), n as u64, NOW_MS)).await;
        if n % 5 == 0 {
            on.revoke(&token, NOW_MS).await;
        }
        tokens.push(token);
    }
    tokens
}

/// Asserts that every token is stored and listed with its takeovers, or nothing of it is visible. Returns how many tokens
/// and device keys are left.
async fn nothing_is_half_erased(on: &TestStore, tokens: &[Token]) -> usize {
    let listed: BTreeSet<TokenId> = on.listed("alice", ERASED_MS).await.into_iter().collect();
    for token in tokens {
        let id = token.record.id;
        let is_listed = listed.contains(&id);
        assert_eq!(on.record(id).await.unwrap().is_some(), is_listed, "{id}");
        assert_eq!(!on.store.token_takeovers(id, ERASED_MS).await.unwrap().is_empty(), is_listed, "{id}");
    }
    let mut acting = 0;
    for user in ["bob", "carol"] {
        let takeovers = on.store.user_takeovers(user, ERASED_MS).await.unwrap();
        assert!(takeovers.iter().all(|takeover| listed.contains(&takeover.token)), "{takeovers:?}");
        acting += takeovers.len();
    }
    assert_eq!(acting, listed.len());
    listed.len() + on.store.user_devices("alice", ERASED_MS).await.unwrap().len()
}

#[tokio::test]
async fn an_erasure_that_broke_off_between_two_steps_is_finished_by_the_next() {
    let server = RedisServer::start();
    let limits = StoreLimits { max_devices_per_user: MANY, ..LIMITS };
    let on = TestStore::on_server(&server, limits, PATIENCE).await;
    // From now on the server knows the script, so each step is sent once.
    on.store.erase_user("nobody", NOW_MS).await.unwrap();
    let tokens = tokens_of_alice(&on).await;
    let acting_as_alice = on.issue("dave", NOW_MS).await;
    take_over(&on, &acting_as_alice, "alice").await;

    let relay = Relay::start(&format!("127.0.0.1:{}", server.port()));
    let node = TestStore::at_url(&url_at(relay.port()), limits, PATIENCE).await;
    let index = format!("dw:u:{{{}}}:alice", HashTag::of_user("alice"));
    let mut left = nothing_is_half_erased(&on, &tokens).await;
    assert_eq!(left, 2 * MANY);
    while left > PER_STEP {
        relay.cut_before(&index, 2);
        let outcome = node.store.erase_user("alice", ERASED_MS).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        let before = left;
        left = nothing_is_half_erased(&on, &tokens).await;
        assert_eq!(left, before - PER_STEP, "one step was done");
        let acting = on.record(acting_as_alice.record.id).await.unwrap().unwrap();
        assert_eq!((&acting.takeover, acting.is_active), (&None, true));
        relay.mend();
        eventually("the node is back", async || node.store.probe().await.ok()).await;
    }
    node.store.erase_user("alice", ERASED_MS).await.unwrap();
    assert_eq!(nothing_is_half_erased(&on, &tokens).await, 0);
    assert_eq!(on.store.user_events("alice", ERASED_MS).await.unwrap(), []);
    let of_alice = server.keys().into_iter().filter(|key| key.ends_with("}:alice") && !key.contains("y:{"));
    assert_eq!(of_alice.collect::<Vec<_>>(), [] as [String; 0]);

    let again = on.issue("alice", ERASED_MS).await;
    assert_eq!(node.listed("alice", ERASED_MS).await, [again.record.id]);
    // Look-ups have a connection of their own, which is opened again in the background.
    let read = eventually("look-ups are back", async || node.record(again.record.id).await.ok()).await;
    assert_eq!(read.as_ref(), Some(&again.record));
    assert_eq!(node.token(&again, ERASED_MS).await.as_ref(), Some(&again));
}
