//! A node embedded in a process: the server's guarantees, without HTTP.

#[allow(dead_code)] // the example's `main`
#[path = "../examples/in_process.rs"]
mod in_process;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::sync::Arc;

use doorward::device::{DeviceChange, NewDevice};
use doorward::internals::config;
use doorward::internals::node::metrics::{Metrics, TextFormat};
use doorward::system::{Clock, Entropy};
use doorward::token::RelatedObject;
use doorward::{
    Access, Actor, Config, NewToken, Node, RevokeReason, ServiceError, StoreError, TokenChange, Transport,
    Validator,
};

use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::store::{HOUR_MS, NOW_MS, eventually};

fn settings(given: &[(&str, &str)]) -> Config {
    let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    config::load_node(given.iter().map(owned)).unwrap()
}

async fn node_on(redis: &RedisServer) -> Node {
    let config = settings(&[("DOORWARD_REDIS_URL", &redis.url())]);
    Node::start(&config).await.unwrap()
}

async fn is_valid(validator: &Validator, token_string: &str) -> Result<bool, StoreError> {
    let valid = validator.validate(token_string.as_bytes(), Transport::Header, Access::Recorded).await;
    valid.map(|identity| identity.is_some())
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

/// Waits by polling; cache_model tests the bound of one lease with a manual clock.
#[tokio::test]
async fn a_token_revoked_by_one_node_is_refused_by_the_other() {
    let redis = RedisServer::start();
    let (one, other) = (node_on(&redis).await, node_on(&redis).await);
    let (here, there) = (one.validator().await, other.validator().await);
    let issued = one.service().issue(login("alice"), Actor::Doorward).await.unwrap();
    for validator in [&here, &there] {
        assert!(is_valid(validator, &issued.token_string).await.unwrap());
    }
    // From here on, the other node has cached it.
    eventually("the other node caches", async || {
        let before = other.service().store().cache_stats().hits;
        assert!(is_valid(&there, &issued.token_string).await.unwrap());
        (other.service().store().cache_stats().hits > before).then_some(())
    })
    .await;
    one.service()
        .change(issued.token.record.id, &TokenChange::revoking(RevokeReason::Ended), Actor::Doorward)
        .await
        .unwrap();
    assert!(!is_valid(&here, &issued.token_string).await.unwrap(), "at once on the node that revoked it");
    eventually("refused by the other", async || {
        (!is_valid(&there, &issued.token_string).await.unwrap()).then_some(())
    })
    .await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn one_node_serves_several_runtimes() {
    let redis = RedisServer::start();
    let node = node_on(&redis).await;
    let token_string = node.service().issue(login("alice"), Actor::Doorward).await.unwrap().token_string;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let on_its_own = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let validator = node.validator().await;
                    assert!(is_valid(&validator, &token_string).await.unwrap());
                    assert!(!is_valid(&validator, "dw_forged").await.unwrap());
                });
            };
            scope.spawn(on_its_own);
        }
    });
    let counted = Metrics::of(&node).text(TextFormat::OpenMetrics);
    for result in ["valid", "forged"] {
        let name = format!("validations_total{{result=\"{result}\"");
        let counts = counted.lines().filter(|line| line.contains(&name)).map(|line| line.rsplit(' ').next());
        let sum: u64 = counts.map(|count| count.unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(sum, 2, "{result}: {counted}");
    }
    node.stop().await;
}

/// No call is needed: a background task purges a few shards at a time.
#[tokio::test]
async fn the_embedded_store_frees_expired_records() {
    let config = settings(&[("DOORWARD_MEMORY_MAX_TOKENS", "2"), ("DOORWARD_MAX_TOKENS_PER_OBJECT", "2")]);
    let clock = Clock::manual(NOW_MS);
    let node = Node::start_with(&config, clock.clone(), Entropy::system()).await.unwrap();
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
async fn shutdown_writes_the_remaining_accesses() {
    let redis = RedisServer::start();
    let config = settings(&[("DOORWARD_REDIS_URL", &redis.url()), ("DOORWARD_FLUSH_INTERVAL", "1m")]);
    let node = Node::start(&config).await.unwrap();
    let issued = node.service().issue(login("alice"), Actor::Doorward).await.unwrap();
    let validator = node.validator().await;
    // The clock must advance for the access to differ from the issue.
    let seen_ms = || redis.cli(&["ZSCORE", &index_key(), &format!("@{}", issued.token.record.id.locator())]);
    let at_first = seen_ms();
    let clock = Clock::system();
    wait_for("the next millisecond", || (clock.now_ms() > issued.token.record.created_at_ms).then_some(()));
    assert!(is_valid(&validator, &issued.token_string).await.unwrap());
    assert_eq!(seen_ms(), at_first);
    drop(validator);
    node.stop().await;
    assert_ne!(seen_ms(), at_first);
}

/// Alice's hash tag is 8c4d.
fn index_key() -> String {
    "dw:u:{8c4d}:alice".into()
}

#[tokio::test]
async fn dropping_a_validator_closes_its_connection() {
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
async fn a_node_follows_a_manual_clock() {
    let clock = Clock::manual(NOW_MS);
    let node = Node::start_with(&settings(&[]), clock.clone(), Entropy::seeded(1)).await.unwrap();
    let validator = node.validator().await;
    let token_string = node.service().issue(login("alice"), Actor::Doorward).await.unwrap().token_string;
    clock.advance_ms(HOUR_MS - 1);
    let peek = async || {
        validator.validate(token_string.as_bytes(), Transport::Header, Access::Exempt).await.unwrap()
    };
    assert!(peek().await.is_some());
    clock.advance_ms(1);
    assert!(peek().await.is_none());
    node.stop().await;
}

#[tokio::test]
async fn a_node_with_its_own_token_keys_is_unready_on_another_schema() {
    let redis = RedisServer::start();
    redis.cli(&["SET", "dw:m:schema", "0"]);
    let keys = "a-token-key-of-the-tests-0123456789abcdef";
    let config = settings(&[("DOORWARD_REDIS_URL", &redis.url()), ("DOORWARD_TOKEN_KEYS", keys)]);
    let node = Node::start(&config).await.unwrap();
    assert!(!node.readiness().is_ready());
    redis.cli(&["SET", "dw:m:schema", "6"]);
    eventually("ready", async || node.readiness().is_ready().then_some(())).await;
    redis.cli(&["SET", "dw:m:schema", "0"]);
    eventually("not ready", async || (!node.readiness().is_ready()).then_some(())).await;
    node.stop().await;
}

#[tokio::test]
async fn tasks_can_share_a_validator() {
    let node = Node::start(&settings(&[])).await.unwrap();
    let validator = Arc::new(node.validator().await);
    let token_string =
        Arc::new(node.service().issue(login("alice"), Actor::Doorward).await.unwrap().token_string);
    let tasks = (0..4).map(|_| {
        let (validator, token_string) = (validator.clone(), token_string.clone());
        tokio::spawn(async move { is_valid(&validator, &token_string).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert!(task.await.unwrap().unwrap());
    }
    node.stop().await;
}

#[tokio::test]
async fn a_takeover_is_seen_as_both_users() {
    let node = Node::start(&settings(&[])).await.unwrap();
    let validator = node.validator().await;
    let issued = node.service().issue(login("alice"), Actor::Doorward).await.unwrap();
    let who = async || {
        let identity =
            validator.validate(issued.token_string.as_bytes(), Transport::Header, Access::Recorded).await;
        let identity = identity.unwrap().unwrap();
        (identity.user().to_owned(), identity.actor().to_owned(), identity.ends_at_ms())
    };
    let (id, ends_at_ms) = (issued.token.record.id, issued.token.record.expires_at_ms);
    assert_eq!(who().await, ("alice".into(), "alice".into(), ends_at_ms));
    let takeover =
        node.service().start_takeover(id, "bob".into(), None, Some(60_000), Actor::Doorward).await.unwrap();
    assert_eq!(who().await, ("bob".into(), "alice".into(), takeover.ends_at_ms));
    node.stop().await;
}

/// Returns the field that an error names.
fn field(error: ServiceError) -> &'static str {
    match error {
        ServiceError::Invalid { field, .. } => field,
        other => panic!("{other}"),
    }
}

/// The service refuses what the HTTP plane refuses: nothing is truncated silently, and nothing overflows.
#[tokio::test]
async fn the_service_enforces_the_field_rules() {
    let node = Node::start(&settings(&[])).await.unwrap();
    let service = node.service();
    let object = |content_type: &str, object_id: &str| RelatedObject {
        content_type: content_type.into(),
        object_id: object_id.into(),
    };
    for user in ["", "-", ".", "..", "a\nb: c", &"a".repeat(100_000)] {
        let refused = service.issue(login(user), Actor::Doorward).await.map(|_| ()).unwrap_err();
        assert_eq!(field(refused), "user");
    }
    let many = vec![object("a", "b"); 17];
    for (new, name) in [
        (NewToken { idle_ms: Some(u64::MAX), ..login("alice") }, "idle_ms"),
        (NewToken { idle_ms: Some(0), ..login("alice") }, "idle_ms"),
        (NewToken { lifetime_ms: Some(u64::MAX), ..login("alice") }, "lifetime_ms"),
        (NewToken { auth_slug: Some("a b".into()), ..login("alice") }, "auth_slug"),
        (NewToken { backend: Some("-".into()), ..login("alice") }, "backend"),
        (NewToken { related_objects: vec![object("a", "..")], ..login("alice") }, "object_id"),
        (NewToken { related_objects: many, ..login("alice") }, "related_objects"),
    ] {
        let refused = service.issue(new.clone(), Actor::Doorward).await.map(|_| ()).unwrap_err();
        assert_eq!(field(refused), name);
        let by_device = service.device_login("phone".into(), "dwd_x", new, Actor::Doorward).await;
        assert_eq!(field(by_device.map(|_| ()).unwrap_err()), name);
    }
    let agent = NewToken { user_agent: format!("a\tb{}", "c".repeat(300)), ..login("alice") };
    let token = service.issue(agent, Actor::Doorward).await.unwrap().token;
    assert_eq!(token.details.user_agent, format!("a b{}", "c".repeat(253)));
    let id = token.record.id;
    let slug = TokenChange { auth_slug: Some(Some(String::new())), ..TokenChange::default() };
    assert_eq!(field(service.change(id, &slug, Actor::Doorward).await.unwrap_err()), "auth_slug");
    let related = service.relate(id, &object(".", "a"), Actor::Doorward).await.unwrap_err();
    assert_eq!(field(related), "content_type");
    for (user, age_ms, name) in [("..", None, "user"), ("bob", Some(u64::MAX), "age_ms")] {
        let started = service.start_takeover(id, user.into(), None, age_ms, Actor::Doorward).await;
        assert_eq!(field(started.unwrap_err()), name);
    }
    node.stop().await;
}

#[tokio::test]
async fn the_service_enforces_the_field_rules_of_device_keys() {
    let node = Node::start(&settings(&[])).await.unwrap();
    let service = node.service();
    let device = |uuid: &str| NewDevice {
        user: "alice".into(),
        uuid: uuid.into(),
        name: None,
        user_agent: String::new(),
    };
    let refused = service.make_device(device(".."), Actor::Doorward).await.map(|_| ()).unwrap_err();
    assert_eq!(field(refused), "uuid");
    let uuid = "0c56d67f-3c3a-4ae5-9e3b-4d8a1d7c7d4e";
    let made = service.make_device(device(uuid), Actor::Doorward).await.unwrap();
    assert_eq!(made.device.uuid, uuid.replace('-', ""));
    let named = DeviceChange { name: Some(Some("a\nb".into())), ..DeviceChange::default() };
    assert_eq!(
        field(service.change_device("alice", uuid, &named, Actor::Doorward).await.unwrap_err()),
        "name"
    );
    service.remove_device("alice", uuid, Actor::Doorward).await.unwrap();
    node.stop().await;
}

/// The validator's runtime has ended or is not driven: in both cases a look-up returns "unavailable".
#[tokio::test]
async fn a_validator_without_its_runtime_is_unavailable() {
    let redis = RedisServer::start();
    let given = [
        ("DOORWARD_REDIS_URL", &*redis.url()),
        ("DOORWARD_CACHE_ENTRIES", "0"),
        ("DOORWARD_REDIS_TIMEOUT", "3s"),
    ];
    let node = Node::start(&settings(&given)).await.unwrap();
    let token_string = node.service().issue(login("alice"), Actor::Doorward).await.unwrap().token_string;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Created on runtimes of other threads, because this thread may not block.
    let (of_ended, of_idle, idle) = std::thread::scope(|scope| {
        let make = || {
            let ended = runtime();
            let of_ended = ended.block_on(node.validator());
            drop(ended);
            let idle = runtime();
            (of_ended, idle.block_on(node.validator()), idle)
        };
        scope.spawn(make).join().unwrap()
    });
    for validator in [&of_ended, &of_idle] {
        let validity = is_valid(validator, &token_string).await;
        assert!(matches!(validity, Err(StoreError::Unavailable(_))), "{validity:?}");
        let batch = validator.validate_batch(&[&token_string], Access::Recorded).await;
        assert!(matches!(batch, Err(StoreError::Unavailable(_))));
    }
    idle.shutdown_background();
    node.stop().await;
}

#[test]
fn node_settings_are_checked_like_server_settings() {
    let error_of = |given: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        config::load_node(given.iter().map(owned)).map(|_| ()).unwrap_err().to_string()
    };
    let none_in_the_clear = [("DOORWARD_COOKIE_SAME_SITE", "none"), ("DOORWARD_COOKIE_SECURE", "false")];
    assert!(
        error_of(&none_in_the_clear).starts_with("cookie-same-site "),
        "{}",
        error_of(&none_in_the_clear)
    );
    let ca = [("DOORWARD_REDIS_URL", "redis://127.0.0.1"), ("DOORWARD_REDIS_CA_FILE", "/ca.pem")];
    assert!(error_of(&ca).starts_with("redis-ca-file "), "{}", error_of(&ca));
}
