//! A node in process: what the server promises, without HTTP.

mod common;
#[allow(dead_code)] // its `main`
#[path = "../examples/in_process.rs"]
mod in_process;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::sync::Arc;

use common::process::wait_for;
use common::redis::RedisServer;
use common::store::{HOUR_MS, NOW_MS, eventually};
use doorward::config::{self, Config};
use doorward::event::{Actor, EndReason};
use doorward::token::{RelatedObject, TokenChange};
use doorward::{Access, Clock, Entropy, NewToken, Node, ServiceError, StoreError, Transport, Validator};

fn settings(given: &[(&str, &str)]) -> Config {
    let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    config::load_node(given.iter().map(owned)).unwrap()
}

async fn node_on(redis: &RedisServer) -> Node {
    let config = settings(&[("DOORWARD_REDIS_URL", &redis.url())]);
    Node::start(&config, Clock::system(), Entropy::system()).await.unwrap()
}

async fn is_valid(validator: &Validator, wire: &str) -> Result<bool, StoreError> {
    let valid = validator.validate(wire.as_bytes(), Transport::Header, Access::Recorded).await;
    valid.map(|credential| credential.is_some())
}

fn login(user: &str) -> NewToken {
    NewToken::new(user, Ipv4Addr::LOCALHOST.into())
}

#[tokio::test]
async fn the_example_runs_on_both_stores() {
    in_process::session(&settings(&[])).await.unwrap();
    let redis = RedisServer::start();
    in_process::session(&settings(&[("DOORWARD_REDIS_URL", &redis.url())])).await.unwrap();
}

/// The wait is a poll: that it is over within the lease is tested where time is the model's (cache_model).
#[tokio::test]
async fn what_one_node_ends_the_other_refuses() {
    let redis = RedisServer::start();
    let (one, other) = (node_on(&redis).await, node_on(&redis).await);
    let (here, there) = (one.validator().await, other.validator().await);
    let issued = one.service().issue(login("alice"), Actor::Doorward).await.unwrap();
    for validator in [&here, &there] {
        assert!(is_valid(validator, &issued.wire).await.unwrap());
    }
    // From here on the other node knows it by heart.
    eventually("the other node caches", async || {
        let before = other.service().store().cache_stats().hits;
        assert!(is_valid(&there, &issued.wire).await.unwrap());
        (other.service().store().cache_stats().hits > before).then_some(())
    })
    .await;
    one.service()
        .change(issued.token.credential.id, &TokenChange::ending(EndReason::Ended), Actor::Doorward)
        .await
        .unwrap();
    assert!(!is_valid(&here, &issued.wire).await.unwrap(), "at once on the node that ended it");
    eventually("refused by the other", async || {
        (!is_valid(&there, &issued.wire).await.unwrap()).then_some(())
    })
    .await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_node_serves_several_runtimes() {
    let redis = RedisServer::start();
    let node = node_on(&redis).await;
    let wire = node.service().issue(login("alice"), Actor::Doorward).await.unwrap().wire;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let on_its_own = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let validator = node.validator().await;
                    assert!(is_valid(&validator, &wire).await.unwrap());
                    assert!(!is_valid(&validator, "dw_forged").await.unwrap());
                });
            };
            scope.spawn(on_its_own);
        }
    });
    let counted = node.metrics().text();
    for thread in ["in-process-0", "in-process-1"] {
        for result in ["valid", "forged"] {
            let line = format!("validations_total{{result=\"{result}\",thread=\"{thread}\"}} 1");
            assert!(counted.contains(&line), "no {line} in {counted}");
        }
    }
    node.stop().await;
}

/// No call is needed for that: a worker looks at a few shards at a time.
#[tokio::test]
async fn the_embedded_store_gives_back_what_has_expired() {
    let config = settings(&[("DOORWARD_MEMORY_MAX_TOKENS", "2"), ("DOORWARD_MAX_TOKENS_PER_OBJECT", "2")]);
    let clock = Clock::manual(NOW_MS);
    let node = Node::start(&config, clock.clone(), Entropy::system()).await.unwrap();
    let object = RelatedObject { content_type: "shop".into(), object_id: "1".into() };
    let issue = async |user: &str| {
        let new = NewToken { related_objects: vec![object.clone()], ..login(user) };
        node.service().issue(new, Actor::Doorward).await
    };
    for user in ["alice", "bob"] {
        issue(user).await.unwrap();
    }
    assert!(matches!(issue("carol").await, Err(ServiceError::Store(StoreError::Unavailable(_)))));
    clock.advance_ms(2 * HOUR_MS);
    for user in ["carol", "dave"] {
        eventually("there is room again", async || issue(user).await.ok()).await;
    }
    assert!(issue("erin").await.is_err(), "and no more than there was");
    node.stop().await;
}

#[tokio::test]
async fn stopping_writes_the_accesses_that_are_left() {
    let redis = RedisServer::start();
    let config = settings(&[("DOORWARD_REDIS_URL", &redis.url()), ("DOORWARD_FLUSH_INTERVAL", "1m")]);
    let node = Node::start(&config, Clock::system(), Entropy::system()).await.unwrap();
    let issued = node.service().issue(login("alice"), Actor::Doorward).await.unwrap();
    let validator = node.validator().await;
    // The clock must have moved on for the access to differ from the issue.
    let seen_ms =
        || redis.cli(&["ZSCORE", &index_key(), &format!("@{}", issued.token.credential.id.locator())]);
    let at_first = seen_ms();
    let clock = Clock::system();
    wait_for("the next millisecond", || (clock.now_ms() > issued.token.created_at_ms).then_some(()));
    assert!(is_valid(&validator, &issued.wire).await.unwrap());
    assert_eq!(seen_ms(), at_first);
    drop(validator);
    node.stop().await;
    assert_ne!(seen_ms(), at_first);
}

/// Alice's shard tag is 8c4d.
fn index_key() -> String {
    "dw:u:{8c4d}:alice".into()
}

#[tokio::test]
async fn a_validator_that_is_dropped_hangs_up() {
    let redis = RedisServer::start();
    let node = node_on(&redis).await;
    let clients = || redis.info("clients", "connected_clients").parse::<usize>().unwrap();
    let validator = node.validator().await;
    let with_it = clients();
    drop(validator);
    eventually("one connection fewer", async || (clients() < with_it).then_some(())).await;
    node.stop().await;
}

#[tokio::test]
async fn a_manual_clock_drives_a_node() {
    let clock = Clock::manual(NOW_MS);
    let node = Node::start(&settings(&[]), clock.clone(), Entropy::seeded(1)).await.unwrap();
    let validator = node.validator().await;
    let wire = node.service().issue(login("alice"), Actor::Doorward).await.unwrap().wire;
    clock.advance_ms(HOUR_MS - 1);
    let peek = async || validator.validate(wire.as_bytes(), Transport::Header, Access::Exempt).await.unwrap();
    assert!(peek().await.is_some());
    clock.advance_ms(1);
    assert!(peek().await.is_none());
    node.stop().await;
}

#[tokio::test]
async fn another_schema_makes_a_node_with_its_own_check_keys_unready() {
    let redis = RedisServer::start();
    redis.cli(&["SET", "dw:m:schema", "0"]);
    let keys = "a-token-key-of-the-tests-0123456789abcdef";
    let config = settings(&[("DOORWARD_REDIS_URL", &redis.url()), ("DOORWARD_TOKEN_KEYS", keys)]);
    let node = Node::start(&config, Clock::system(), Entropy::system()).await.unwrap();
    assert!(!node.readiness().is_ready());
    redis.cli(&["SET", "dw:m:schema", "3"]);
    eventually("ready", async || node.readiness().is_ready().then_some(())).await;
    redis.cli(&["SET", "dw:m:schema", "0"]);
    eventually("not ready", async || (!node.readiness().is_ready()).then_some(())).await;
    node.stop().await;
}

#[tokio::test]
async fn validators_may_be_shared_by_tasks() {
    let node = Node::start(&settings(&[]), Clock::system(), Entropy::system()).await.unwrap();
    let validator = Arc::new(node.validator().await);
    let wire = Arc::new(node.service().issue(login("alice"), Actor::Doorward).await.unwrap().wire);
    let tasks = (0..4).map(|_| {
        let (validator, wire) = (validator.clone(), wire.clone());
        tokio::spawn(async move { is_valid(&validator, &wire).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert!(task.await.unwrap().unwrap());
    }
    node.stop().await;
}
