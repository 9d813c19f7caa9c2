//! An operation is one round trip. A shared connection that was silent for a moment is asked by a `PING` first. A connection
//! of the pool costs a round trip more: deadpool-redis tests it with `UNWATCH` and `PING` in one pipeline before each use.

use std::collections::BTreeMap;
use std::time::Duration;

use doorward::internals::model::device_key::{DeviceChange, DeviceKey, DeviceLogin};
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::StoreLimits;
use doorward::internals::token_string;
use doorward::{Token, TokenChange};

use crate::common::devices::{login_of, sample_device, secret_hash};
use crate::common::redis::RedisServer;
use crate::common::store::{LIMITS, MINUTE_MS, NOW_MS, TestStore, raw_connection, touch, with_objects};

/// The work of Redis: reads from connections, and calls of each command. Commands inside scripts are counted, too, so
/// they are distinguished by name.
pub struct Traffic {
    reads: u64,
    calls: BTreeMap<String, u64>,
    /// How long scripts blocked the server.
    pub script_us: u64,
}

impl Traffic {
    /// Returns how often this command ran.
    pub fn of(&self, command: &str) -> u64 {
        self.calls.get(command).copied().unwrap_or(0)
    }

    /// Returns how many commands ran inside scripts: all except those that clients send.
    pub fn in_scripts(&self) -> u64 {
        const BY_CLIENTS: [&str; 6] =
            ["evalsha", "eval", "script|load", "ping", "unwatch", "config|resetstat"];
        let inside = self.calls.iter().filter(|(name, _)| !BY_CLIENTS.contains(&name.as_str()));
        inside.map(|(_, calls)| calls).sum()
    }
}

pub async fn during(server: &RedisServer, work: impl Future<Output = ()>) -> Traffic {
    let mut connection = raw_connection(server);
    redis::cmd("CONFIG").arg("RESETSTAT").query::<()>(&mut connection).unwrap();
    work.await;
    let info: String = redis::cmd("INFO").arg("all").query(&mut connection).unwrap();
    let reads = info.lines().find_map(|line| line.strip_prefix("total_reads_processed:")).unwrap();
    let call = |line: &str| {
        let (command, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let mut figures = figures.split([',', '=']);
        Some((command.to_owned(), [figures.next()?.parse().ok()?, figures.nth(1)?.parse().ok()?]))
    };
    let stats: BTreeMap<String, [u64; 2]> = info.lines().filter_map(call).collect();
    let script_us = ["evalsha", "eval"].iter().filter_map(|name| stats.get(*name)).map(|[_, us]| us).sum();
    let calls = stats.into_iter().map(|(name, [calls, _])| (name, calls)).collect();
    // The last read is INFO.
    Traffic { reads: reads.parse::<u64>().unwrap() - 1, calls, script_us }
}

async fn assert_one_script_call(server: &RedisServer, what: &str, work: impl Future<Output = ()>) {
    let traffic = during(server, work).await;
    assert_eq!((traffic.of("evalsha"), traffic.of("eval"), traffic.of("script|load")), (1, 0, 0), "{what}");
    assert_eq!(traffic.of("unwatch"), 0, "{what}: it shares a connection");
    assert_eq!(traffic.reads, 1 + traffic.of("ping"), "{what}: {:?}", traffic.calls);
}

#[tokio::test]
async fn each_operation_on_tokens_is_one_round_trip() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let token = on.issue("alice", NOW_MS).await;
    let id = token.record.id;
    // From here on, the server has loaded every script.
    on.store.change(id, &TokenChange::default(), NOW_MS).await.unwrap().unwrap();
    on.store.token(id, NOW_MS).await.unwrap();
    on.store.revoke_user_tokens("bob", None, NOW_MS).await.unwrap();
    on.touch(&token, NOW_MS, None).await;
    let other = on.issue("bob", NOW_MS).await;
    on.revoke(&other, NOW_MS).await;

    assert_one_script_call(&server, "issue", async {
        on.issue("alice", NOW_MS).await;
    })
    .await;
    assert_one_script_call(&server, "read", async {
        on.store.token(id, NOW_MS).await.unwrap();
    })
    .await;
    let edit = TokenChange { auth_slug: Some(Some("a".into())), ..TokenChange::default() };
    for (what, change) in [("change", edit), ("end", TokenChange::revoking(RevokeReason::Ended))] {
        assert_one_script_call(&server, what, async {
            on.store.change(id, &change, NOW_MS).await.unwrap().unwrap();
        })
        .await;
    }
    let touches: Vec<_> = (0..100).map(|n| touch(&token, NOW_MS + n, None)).collect();
    assert_one_script_call(&server, "a hundred touches", async {
        on.store.touch(&touches, NOW_MS).await.unwrap();
    })
    .await;
    assert_one_script_call(&server, "end all", async {
        assert_eq!(on.store.revoke_user_tokens("alice", None, NOW_MS).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn each_operation_on_device_keys_is_one_round_trip() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    let other = sample_device("alice", "pad", 1, NOW_MS);
    // Loads the scripts into the server.
    on.make_device(&other).await;
    on.log_in(&login_of(&other, NOW_MS), &other, NOW_MS).await.unwrap();
    on.store.change_device("alice", "pad", &DeviceChange::default(), NOW_MS).await.unwrap();
    let rotate = async |device: &DeviceKey| {
        let (of, new) = (("alice", &*device.uuid), (device.id, &secret_hash(device)));
        on.store.rotate_device(of, new, NOW_MS).await.unwrap().unwrap();
    };
    rotate(&other).await;
    on.store.remove_device("alice", "pad", NOW_MS).await.unwrap();
    assert_one_script_call(&server, "make a device key", async { on.make_device(&device).await }).await;
    let unknown = DeviceLogin { id: other.id, ..login_of(&device, NOW_MS) };
    let wrong_secret = DeviceLogin { secret_hash: secret_hash(&other), ..login_of(&device, NOW_MS) };
    let wrong_uuid = DeviceLogin { uuid: "pad".into(), ..login_of(&device, NOW_MS) };
    for (login, is_good) in
        [(login_of(&device, NOW_MS), true), (unknown, false), (wrong_secret, false), (wrong_uuid, false)]
    {
        assert_one_script_call(&server, &format!("{login:?}"), async {
            assert_eq!(on.log_in(&login, &device, NOW_MS).await.is_some(), is_good);
        })
        .await;
    }
    assert_one_script_call(&server, "change a device key", async {
        on.store.change_device("alice", "phone", &DeviceChange::default(), NOW_MS).await.unwrap();
    })
    .await;
    assert_one_script_call(&server, "rotate a device key", rotate(&device)).await;
    assert_one_script_call(&server, "remove a device key", async {
        assert!(on.store.remove_device("alice", "phone", NOW_MS).await.unwrap());
    })
    .await;
}

/// Revoking a token also removes its entries in other slots, in one further round trip. A token with a takeover takes one
/// more, because the script for the usual case leaves it to another.
#[tokio::test]
async fn revoking_a_token_with_entries_in_other_slots_is_one_round_trip_more() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let object = |id: &str| RelatedObject { content_type: "order".into(), object_id: id.into() };
    let end = async |token: &Token| {
        on.revoke(token, NOW_MS).await;
    };
    let take_over = async |token: &Token| {
        let (token, ends_at_ms) = (token.record.id, NOW_MS + MINUTE_MS);
        let id = token_string::new_id(token.hash_tag(), on.entropy()).unwrap();
        let new = NewTakeover { id, token, user: "bob".into(), reason: None, ends_at_ms };
        let started = on.store.start_takeover(&new, NOW_MS).await.unwrap();
        assert!(started.is_ok(), "{started:?}");
    };
    for (what, objects, takes_over, expected) in [
        // Loads the scripts.
        ("first", vec![object("1")], true, None),
        ("of nothing", vec![], false, Some(1)),
        ("of objects", (0..5).map(|n| object(&n.to_string())).collect(), false, Some(2)),
        ("of a takeover", vec![], true, Some(3)),
        ("of both", vec![object("1"), object("2")], true, Some(3)),
    ] {
        let token = with_objects(on.sample("alice", NOW_MS), objects);
        on.keep(&token, NOW_MS).await;
        if takes_over {
            take_over(&token).await;
        }
        let traffic = during(&server, end(&token)).await;
        if let Some(expected) = expected {
            assert_eq!((traffic.of("evalsha"), traffic.of("eval")), (expected, 0), "{what}");
            assert_eq!(traffic.reads, expected + traffic.of("ping"), "{what}: {:?}", traffic.calls);
        }
    }
    // For a token that stays live.
    let token = on.issue("alice", NOW_MS).await;
    take_over(&token).await;
    on.store.end_takeover(token.record.id, RevokeReason::Ended, NOW_MS).await.unwrap();
    take_over(&token).await;
    let traffic = during(&server, async {
        assert!(on.store.end_takeover(token.record.id, RevokeReason::Ended, NOW_MS).await.unwrap().is_some());
    })
    .await;
    let expected = (2, 2 + traffic.of("ping"));
    assert_eq!((traffic.of("evalsha"), traffic.reads), expected, "{:?}", traffic.calls);
}

/// An observer with access to Redis could count the commands inside the script. Their number must not reveal why a login
/// was refused.
#[tokio::test]
async fn every_refused_login_runs_the_same_number_of_commands() {
    for events_per_user in [0, 100] {
        let server = RedisServer::start();
        let limits = StoreLimits { events_per_user, ..LIMITS };
        let on = TestStore::on_server(&server, limits, Duration::from_secs(60)).await;
        let device = sample_device("alice", "phone", 0, NOW_MS);
        let (idle, gone) =
            (sample_device("alice", "idle", 1, NOW_MS), sample_device("alice", "gone", 2, NOW_MS));
        for device in [&device, &idle, &gone] {
            on.make_device(device).await;
        }
        on.store.remove_device("alice", "gone", NOW_MS).await.unwrap();
        let inactive = DeviceChange { is_active: Some(false), ..DeviceChange::default() };
        on.store.change_device("alice", "idle", &inactive, NOW_MS).await.unwrap();
        let good = login_of(&device, NOW_MS);
        let refused = [
            DeviceLogin { secret_hash: secret_hash(&idle), ..good.clone() },
            DeviceLogin { uuid: "pad".into(), ..good },
            login_of(&idle, NOW_MS),
            login_of(&gone, NOW_MS),
            // A repeated refusal adds no event.
            login_of(&idle, NOW_MS),
        ];
        // Loads the script.
        assert!(on.log_in(&refused[0], &device, NOW_MS).await.is_none());
        let mut counts = Vec::new();
        for login in &refused {
            let traffic = during(&server, async {
                assert!(on.log_in(login, &device, NOW_MS).await.is_none());
            })
            .await;
            counts.push(traffic.calls.values().sum::<u64>());
        }
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    }
}

#[tokio::test]
async fn a_validation_is_one_round_trip() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let token = on.issue("alice", NOW_MS).await;
    let traffic = during(&server, async {
        on.record(token.record.id).await.unwrap().unwrap();
    })
    .await;
    let asked: Vec<_> =
        traffic.calls.into_iter().filter(|(command, _)| command != "config|resetstat").collect();
    // The write shows that the server is a master; each pipeline of look-ups contains one.
    assert_eq!(asked, [("del".to_owned(), 1), ("hmget".to_owned(), 1)]);
    assert_eq!(traffic.reads, 1);
}

#[tokio::test]
async fn a_listing_is_two_round_trips() {
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    for _ in 0..50 {
        on.issue("alice", NOW_MS).await;
    }
    // Opens a connection of the pool.
    on.listed("alice", NOW_MS).await;
    let traffic = during(&server, async {
        assert_eq!(on.listed("alice", NOW_MS).await.len(), 50);
    })
    .await;
    assert_eq!((traffic.of("zscan"), traffic.of("hgetall"), traffic.of("ping")), (1, 50, 2));
    assert_eq!(traffic.reads, 4, "two, and two of the pool's");
}

#[tokio::test]
async fn flushed_scripts_are_loaded_again() {
    // Needs its own server, because SCRIPT FLUSH affects all clients.
    let server = RedisServer::start();
    let on = TestStore::alone_on(&server).await;
    let flush = || server.cli(&["SCRIPT", "FLUSH"]);
    for _ in 0..2 {
        flush();
        let token = on.issue("alice", NOW_MS).await;
        let id = token.record.id;
        flush();
        assert_eq!(on.token(&token, NOW_MS).await.as_ref(), Some(&token));
        flush();
        on.touch(&token, NOW_MS + 1, None).await;
        flush();
        on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS + 1).await.unwrap().unwrap();
        flush();
        assert_eq!(on.store.revoke_user_tokens("alice", None, NOW_MS + 1).await.unwrap(), []);
        assert!(!on.token(&token, NOW_MS + 1).await.unwrap().record.is_active);
    }
}
