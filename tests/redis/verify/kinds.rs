//! Damage of each kind, made by raw commands.

use std::collections::BTreeMap;

use doorward::Token;
use doorward::internals::foreign::{ForeignDigest, Scheme, UuidDigest};
use doorward::internals::model::device_key::DeviceKey;
use doorward::internals::model::import::{DeviceImportOutcome, NewDeviceImport};
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::store::redis::schema::keys::ObjectName;
use doorward::internals::token_string::{self, HashTag, TokenId};

use super::support::{id_key, user_key};
use crate::common::devices::sample_device;
use crate::common::imported_devices::sample_import;
use crate::common::store::{DAY_MS, HOUR_MS, NOW_MS, TestStore, users_of_one_shard, with_objects};

const REVOKED: u64 = 1 << 50;

/// Makes damage of one kind, and returns its name and how many findings it makes.
type Damage = (&'static str, u64);

/// Makes damage of each kind, each with users of its own. Returns the expected findings.
pub async fn damage_everything(on: &TestStore) -> BTreeMap<&'static str, u64> {
    let all = [
        not_in_index(on).await,
        entries_that_differ(on).await,
        members_without_token(on).await,
        without_ttl(on).await,
        with_wrong_ttl(on).await,
        corrupt_records(on).await,
        with_wrong_hash_tag(on).await,
        malformed_members(on).await,
        objects_without_entry(on).await,
        takeover_without_history(on).await,
        history_not_listed(on).await,
        ended_takeover_that_acts(on).await,
        takeovers_without_entry(on).await,
        locks_that_differ(on).await,
        devices_not_in_map(on).await,
        map_entry_without_device(on).await,
        imported_device_without_entry(on).await,
        foreign_types(on).await,
        corrupt_event(on).await,
        stale_entry(on).await,
        unknown_keys(on).await,
    ];
    all.into_iter().collect()
}

fn run(on: &TestStore, command: &str, args: &[&str]) {
    let args: Vec<&[u8]> = [command].iter().chain(args).map(|arg| arg.as_bytes()).collect();
    let _: redis::Value = on.raw(&args);
}

fn object(id: &str) -> RelatedObject {
    RelatedObject { content_type: "order".into(), object_id: id.into() }
}

fn object_key(on: &TestStore, id: &str) -> String {
    let ObjectName { hash_tag, name } = ObjectName::of(&object(id));
    format!("{}r:{{{hash_tag}}}:{name}", on.prefix())
}

/// Writes the alias of a foreign string, whose token is gone, and returns its key.
fn put_alias(on: &TestStore, string: &str) -> String {
    let digest = ForeignDigest::of(Scheme::Sha256, &Scheme::Sha256.digest(string.as_bytes(), None).unwrap());
    let id = digest.token_id("gone");
    let key = format!("{}f:{{{}}}:{}", on.prefix(), digest.alias_hash_tag(), digest.alias_name());
    run(on, "SET", &[&key, &id.to_string(), "PX", &HOUR_MS.to_string()]);
    key
}

/// Removes all members of a token from the index.
fn remove_entry(on: &TestStore, token: &Token) {
    let locator = token.record.id.locator();
    let members = [locator.clone(), format!("@{locator}"), format!("#{locator}")];
    let index = user_key(on, 'u', token.record.user());
    run(on, "ZREM", &[&[index.as_str()][..], &members.each_ref().map(String::as_str)].concat());
}

/// Issues a token of the user, and makes a device key, a takeover and a related object. Returns what is needed of them.
async fn full_user(on: &TestStore, user: &str) -> (Token, DeviceKey, NewTakeover) {
    let token = with_objects(on.sample(user, NOW_MS), vec![object(user)]);
    on.keep(&token, NOW_MS).await;
    let number = HashTag::of_user(user).index() as u64;
    let device = sample_device(user, "phone", number, NOW_MS);
    on.make_device(&device).await;
    let takeover = start_takeover(on, &token).await;
    (token, device, takeover)
}

pub async fn start_takeover(on: &TestStore, token: &Token) -> NewTakeover {
    let id = token.record.id;
    let takeover = NewTakeover {
        id: token_string::new_id(id.hash_tag(), on.entropy()).unwrap(),
        token: id,
        user: format!("taken over by {}", token.record.user()),
        reason: None,
        ends_at_ms: NOW_MS + HOUR_MS,
    };
    on.store.start_takeover(&takeover, NOW_MS).await.unwrap().unwrap();
    takeover
}

async fn not_in_index(on: &TestStore) -> Damage {
    for user in ["lost", "lost with its index", "lost and revoked"] {
        let token = on.issue(user, NOW_MS).await;
        if user == "lost" {
            on.issue(user, NOW_MS + 1).await;
        }
        if user == "lost and revoked" {
            on.revoke(&token, NOW_MS).await;
        }
        remove_entry(on, &token);
    }
    ("token-not-in-index", 3)
}

async fn entries_that_differ(on: &TestStore) -> Damage {
    let expires = (NOW_MS + HOUR_MS).to_string();
    let other_expiry = (NOW_MS + HOUR_MS - 1).to_string();
    let locator = async |user: &str| on.issue(user, NOW_MS).await.record.id.locator();
    let score = locator("wrong expiry").await;
    run(on, "ZADD", &[&user_key(on, 'u', "wrong expiry"), &other_expiry, &score]);
    let access = locator("no access").await;
    run(on, "ZREM", &[&user_key(on, 'u', "no access"), &format!("@{access}")]);
    let positive = locator("positive access").await;
    run(on, "ZADD", &[&user_key(on, 'u', "positive access"), &expires, &format!("@{positive}")]);
    let age = locator("no age").await;
    locator("no age").await;
    run(on, "ZREM", &[&user_key(on, 'u', "no age"), &format!("#{age}")]);
    let revoked = on.issue("revoked as if live", NOW_MS).await;
    on.revoke(&revoked, NOW_MS).await;
    run(on, "ZADD", &[&user_key(on, 'u', "revoked as if live"), &expires, &revoked.record.id.locator()]);
    let live = locator("live as if revoked").await;
    let revoked_until = (REVOKED + NOW_MS + HOUR_MS).to_string();
    run(on, "ZADD", &[&user_key(on, 'u', "live as if revoked"), &revoked_until, &live]);
    ("index-entry-differs", 6)
}

async fn members_without_token(on: &TestStore) -> Damage {
    let expires = (NOW_MS + HOUR_MS / 2).to_string();
    // The index knows the order of two tokens: a third entry does not change it.
    on.issue("haunted", NOW_MS).await;
    on.issue("haunted", NOW_MS).await;
    let ghost = on.mint("haunted").id.locator();
    let index = user_key(on, 'u', "haunted");
    run(on, "ZADD", &[&index, &expires, &ghost, &format!("-{NOW_MS}"), &format!("@{ghost}")]);
    let (one, other) = users_of_one_shard();
    on.issue(&one, NOW_MS).await;
    on.issue(&one, NOW_MS).await;
    let foreign = on.issue(&other, NOW_MS).await.record.id.locator();
    run(on, "ZADD", &[&user_key(on, 'u', &one), &expires, &foreign]);
    let alone = on.mint("haunted").id.locator();
    run(on, "ZADD", &[&index, &format!("-{NOW_MS}"), &format!("@{alone}")]);
    ("member-without-token", 3)
}

async fn without_ttl(on: &TestStore) -> Damage {
    let (token, device, takeover) = full_user(on, "forever").await;
    let keys = [
        id_key(on, 't', token.record.id),
        id_key(on, 'o', token.record.id),
        id_key(on, 'd', device.id),
        user_key(on, 'u', "forever"),
        user_key(on, 'v', &takeover.user),
        user_key(on, 'a', "forever"),
        user_key(on, 'e', "forever"),
        user_key(on, 'k', "forever"),
        object_key(on, "forever"),
        put_alias(on, "forever"),
        import_device(on, "forever uuid").await.1,
    ];
    keys.iter().for_each(|key| run(on, "PERSIST", &[key]));
    ("missing-ttl", keys.len() as u64)
}

async fn with_wrong_ttl(on: &TestStore) -> Damage {
    let (token, device, takeover) = full_user(on, "short").await;
    let keys = [
        id_key(on, 't', token.record.id),
        id_key(on, 'o', token.record.id),
        id_key(on, 'd', device.id),
        user_key(on, 'u', "short"),
        user_key(on, 'v', &takeover.user),
        user_key(on, 'a', "short"),
        user_key(on, 'k', "short"),
        object_key(on, "short"),
        import_device(on, "short-lived uuid").await.1,
    ];
    keys.iter().for_each(|key| run(on, "PEXPIRE", &[key, &(HOUR_MS / 2).to_string()]));
    let long = on.issue("long", NOW_MS).await;
    run(on, "PEXPIRE", &[&id_key(on, 't', long.record.id), &(400 * DAY_MS).to_string()]);
    on.store.shared_token_key("a key").await.unwrap();
    run(on, "PEXPIRE", &[&format!("{}m:check-key", on.prefix()), &HOUR_MS.to_string()]);
    ("wrong-ttl", keys.len() as u64 + 2)
}

async fn corrupt_records(on: &TestStore) -> Damage {
    let (token, device, _) = full_user(on, "garbled").await;
    run(on, "HSET", &[&id_key(on, 't', token.record.id), "i", "!"]);
    run(on, "HDEL", &[&id_key(on, 'd', device.id), "h"]);
    run(on, "HDEL", &[&id_key(on, 'o', token.record.id), "u"]);
    let alias = put_alias(on, "garbled");
    run(on, "SET", &[&alias, "no id", "KEEPTTL"]);
    let (new, _) = import_device(on, "garbled uuid").await;
    run(on, "HSET", &[&id_key(on, 'd', new.device.id), "g", "!"]);
    ("corrupt-record", 5)
}

async fn with_wrong_hash_tag(on: &TestStore) -> Damage {
    let id = on.issue("moved", NOW_MS).await.record.id;
    let other = TokenId::from_locator(HashTag::of_user("another"), &id.locator()).unwrap();
    let fields: Vec<Vec<u8>> = on.raw(&[b"HGETALL", id_key(on, 't', id).as_bytes()]);
    let (key, ttl_ms) = (id_key(on, 't', other), HOUR_MS.to_string());
    let copy: Vec<&[u8]> =
        [&b"HSET"[..], key.as_bytes()].into_iter().chain(fields.iter().map(Vec::as_slice)).collect();
    let _: i64 = on.raw(&copy);
    run(on, "PEXPIRE", &[&key, &ttl_ms]);
    let index = format!("{}u:{{{}}}:moved", on.prefix(), HashTag::of_user("another"));
    run(on, "ZADD", &[&index, "1", &id.locator()]);
    run(on, "PEXPIRE", &[&index, &ttl_ms]);
    let alias = format!("{}f:{{{}}}:name", on.prefix(), HashTag::of_user("another"));
    run(on, "SET", &[&alias, &id.to_string(), "PX", &ttl_ms]);
    let entries = format!("{}g:{{{}}}:name", on.prefix(), HashTag::of_user("another"));
    run(on, "ZADD", &[&entries, "1", &id.to_string()]);
    run(on, "PEXPIRE", &[&entries, &ttl_ms]);
    ("wrong-hash-tag", 4)
}

async fn malformed_members(on: &TestStore) -> Damage {
    let (_, _, takeover) = full_user(on, "malformed").await;
    on.issue("malformed", NOW_MS).await;
    run(on, "ZADD", &[&user_key(on, 'u', "malformed"), "1", "no locator"]);
    run(on, "ZADD", &[&user_key(on, 'v', &takeover.user), "1", "no member"]);
    run(on, "ZADD", &[&user_key(on, 'a', "malformed"), "1", "no locator"]);
    run(on, "ZADD", &[&object_key(on, "malformed"), "1", "no id"]);
    run(on, "HSET", &[&user_key(on, 'k', "malformed"), "tablet", "no entry"]);
    run(on, "ZADD", &[&import_device(on, "malformed uuid").await.1, "1", "no id"]);
    ("malformed-member", 6)
}

async fn objects_without_entry(on: &TestStore) -> Damage {
    for (user, id) in [("without entry", "1"), ("with a short entry", "2")] {
        let token = with_objects(on.sample(user, NOW_MS), vec![object(id), object("shared")]);
        on.keep(&token, NOW_MS).await;
        let (key, member) = (object_key(on, id), token.record.id.to_string());
        match id {
            "1" => run(on, "ZREM", &[&key, &member]),
            _ => {
                let until = ((NOW_MS + HOUR_MS) / 1000 * (1 << 20)).to_string();
                run(on, "ZADD", &[&key, &until, &member]);
                run(on, "PEXPIRE", &[&key, &HOUR_MS.to_string()]);
            }
        }
    }
    ("object-entry-missing", 2)
}

async fn takeover_without_history(on: &TestStore) -> Damage {
    let token = on.issue("without history", NOW_MS).await;
    start_takeover(on, &token).await;
    run(on, "DEL", &[&id_key(on, 'o', token.record.id)]);
    ("takeover-without-history", 1)
}

async fn history_not_listed(on: &TestStore) -> Damage {
    let token = on.issue("not listed", NOW_MS).await;
    start_takeover(on, &token).await;
    run(on, "DEL", &[&user_key(on, 'a', "not listed")]);
    ("history-not-listed", 1)
}

async fn ended_takeover_that_acts(on: &TestStore) -> Damage {
    let token = on.issue("acting on", NOW_MS).await;
    let takeover = start_takeover(on, &token).await;
    let ended = format!("-{}", takeover.id.locator());
    run(on, "HSET", &[&id_key(on, 'o', token.record.id), &ended, &NOW_MS.to_string()]);
    ("ended-takeover-acts", 1)
}

async fn locks_that_differ(on: &TestStore) -> Damage {
    on.issue("without the flag", NOW_MS).await;
    run(on, "SET", &[&user_key(on, 'l', "without the flag"), "1"]);
    on.issue("without the lock", NOW_MS).await;
    on.store.set_lock("without the lock", true, NOW_MS).await.unwrap();
    run(on, "DEL", &[&user_key(on, 'l', "without the lock")]);
    ("lock-differs", 2)
}

/// Only the takeover under way counts: an ended one may lack its entry, because its user may have been erased.
async fn takeovers_without_entry(on: &TestStore) -> Damage {
    for user in ["unlisted", "unlisted and ended"] {
        let token = on.issue(user, NOW_MS).await;
        let takeover = start_takeover(on, &token).await;
        if user == "unlisted and ended" {
            assert!(
                on.store.end_takeover(takeover.token, RevokeReason::Ended, NOW_MS).await.unwrap().is_some()
            );
        }
        run(on, "DEL", &[&user_key(on, 'v', &takeover.user)]);
    }
    ("takeover-entry-missing", 1)
}

async fn devices_not_in_map(on: &TestStore) -> Damage {
    for (number, user) in [(1, "no entry"), (2, "other entry")] {
        let device = sample_device(user, "phone", number, NOW_MS);
        on.make_device(&device).await;
        let map = user_key(on, 'k', user);
        match number {
            1 => run(on, "HDEL", &[&map, "phone"]),
            _ => run(on, "HSET", &[&map, "phone", &format!("{}{}", device.id.locator(), NOW_MS + DAY_MS)]),
        }
    }
    ("device-key-not-in-map", 2)
}

/// Imports a device key of the user, and returns the key of its uuid's entries.
async fn import_device(on: &TestStore, user: &str) -> (NewDeviceImport, String) {
    let new = sample_import(user, &user.replace(' ', "-"), NOW_MS);
    assert_eq!(on.store.import_device(&new, false, NOW_MS).await.unwrap(), DeviceImportOutcome::Imported);
    let (tag, name) = (new.digest.hash_tag(), new.digest.name());
    (new, format!("{}g:{{{tag}}}:{name}", on.prefix()))
}

/// Without an entry, and with one that ends before the key. A rotated key needs none.
async fn imported_device_without_entry(on: &TestStore) -> Damage {
    for user in ["without uuid", "short uuid", "rotated uuid"] {
        let (new, key) = import_device(on, user).await;
        let (device, member) = (&new.device, new.device.id.to_string());
        match user {
            "short uuid" => {
                run(on, "ZADD", &[&key, "XX", &(NOW_MS + DAY_MS).to_string(), &member]);
                run(on, "PEXPIRE", &[&key, &DAY_MS.to_string()]);
            }
            _ => run(on, "ZREM", &[&key, &member]),
        }
        if user == "rotated uuid" {
            let hash = on.mint(user).hash;
            let of = ((user, device.uuid.as_str()), (device.id, &hash));
            on.store.rotate_device(of.0, of.1, NOW_MS).await.unwrap().unwrap();
        }
    }
    ("device-entry-missing", 2)
}

async fn map_entry_without_device(on: &TestStore) -> Damage {
    let device = sample_device("no device", "phone", 3, NOW_MS);
    on.make_device(&device).await;
    run(on, "DEL", &[&id_key(on, 'd', device.id)]);
    ("map-entry-without-device-key", 1)
}

async fn foreign_types(on: &TestStore) -> Damage {
    let ttl_ms = HOUR_MS.to_string();
    let id = on.issue("foreign", NOW_MS).await.record.id;
    run(on, "SET", &[&id_key(on, 't', id), "text", "PX", &ttl_ms]);
    let ids = ['o', 'd'].map(|kind| id_key(on, kind, on.mint("foreign").id));
    let users = ['u', 'v', 'a', 'e', 'k'].map(|kind| user_key(on, kind, "of another type"));
    let object = object_key(on, "of another type");
    let alias = put_alias(on, "of another type");
    run(on, "DEL", &[&alias]);
    run(on, "RPUSH", &[&alias, "text"]);
    run(on, "PEXPIRE", &[&alias, &ttl_ms]);
    ids.iter().chain(&users).chain([&object]).for_each(|key| run(on, "SET", &[key, "text", "PX", &ttl_ms]));
    let entries = UuidDigest::of("of another type");
    let entries = format!("{}g:{{{}}}:{}", on.prefix(), entries.hash_tag(), entries.name());
    run(on, "SET", &[&entries, "text", "PX", &ttl_ms]);
    ("foreign-type", 11)
}

async fn corrupt_event(on: &TestStore) -> Damage {
    on.issue("eventful", NOW_MS).await;
    run(on, "LPUSH", &[&user_key(on, 'e', "eventful"), "!"]);
    ("corrupt-event", 1)
}

/// The token went with its index entry, as it does when it expires.
async fn stale_entry(on: &TestStore) -> Damage {
    let token = with_objects(on.sample("stale", NOW_MS), vec![object("stale")]);
    on.keep(&token, NOW_MS).await;
    run(on, "DEL", &[&id_key(on, 't', token.record.id)]);
    remove_entry(on, &token);
    ("stale-object-entry", 1)
}

async fn unknown_keys(on: &TestStore) -> Damage {
    run(on, "SET", &[&format!("{}m:other", on.prefix()), "1"]);
    run(on, "SET", &[&format!("{}t:{{zzzz}}:x", on.prefix()), "1"]);
    ("unknown-key", 2)
}
