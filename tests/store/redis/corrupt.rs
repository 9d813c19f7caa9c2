//! A malformed record is an error that the operator sees, never "not found".

use doorward::internals::model::device_key::DeviceChange;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::model::token::Texts;
use doorward::internals::token_string::HashTag;
use doorward::{StoreError, Token, TokenChange};

use crate::common::devices::{login_of, sample_device, secret_hash};
use crate::common::store::{
    HOUR_MS, NOW_MS, StoreKind, TestStore, edited, raw_connection, touch, with_objects,
};

const NOT_UTF8: &[u8] = b"\xff\xfe";
const GARBLED: &[u8] = b"!";

fn assert_corrupt<T: std::fmt::Debug>(what: &str, result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Corrupt { .. })), "{what}: {result:?}");
}

/// Issues a token that has every field except the revocation.
async fn issue_full(on: &TestStore, user: &str) -> Token {
    let mut token = edited(on.sample(user, NOW_MS), |c| {
        c.texts = Texts::new(c.user(), Some("slug"), Some("ldap"), None);
    });
    token = with_objects(token, vec![RelatedObject { content_type: "order".into(), object_id: "7".into() }]);
    on.store.issue(&token, NOW_MS).await.unwrap().unwrap();
    token
}

fn token_key(on: &TestStore, token: &Token) -> String {
    let id = token.record.id;
    format!("{}t:{{{}}}:{}", on.prefix(), id.hash_tag(), id.locator())
}

fn run(on: &TestStore, command: &str, args: &[&[u8]]) {
    redis::cmd(command).arg(args).query::<()>(&mut raw_connection(on.server())).unwrap();
}

/// Asserts that every operation on this token reports it as corrupt, and that the record is kept for inspection.
async fn assert_all_reads_corrupt(on: &TestStore, token: &Token, hot: bool, what: &str) {
    let id = token.record.id;
    if hot {
        assert_corrupt(&format!("record, {what}"), on.record(id).await);
    }
    assert_corrupt(&format!("token, {what}"), on.store.token(id, NOW_MS).await);
    let listing = on.store.user_tokens(token.record.user(), NOW_MS).await;
    assert_corrupt(&format!("listing, {what}"), listing);
    for change in [
        TokenChange::default(),
        TokenChange::revoking(RevokeReason::Ended),
        TokenChange::revoking(RevokeReason::Ended),
    ] {
        assert_corrupt(&format!("{change:?}, {what}"), on.store.change(id, &change, NOW_MS).await);
    }
    assert!(on.ttls().contains_key(&token_key(on, token)), "{what}: the record is gone");
}

#[tokio::test]
async fn a_missing_field_is_corrupt() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    for (n, field) in ["u", "i", "h", "x", "f", "c", "z"].into_iter().enumerate() {
        let token = issue_full(&on, &format!("user {n}")).await;
        run(&on, "HDEL", &[token_key(&on, &token).as_bytes(), field.as_bytes()]);
        let hot = "uihxf".contains(field);
        assert_all_reads_corrupt(&on, &token, hot, &format!("without {field}")).await;
    }
}

#[tokio::test]
async fn a_garbled_field_is_corrupt() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    for (n, field) in ["u", "i", "h", "x", "f", "s", "c", "z", "r", "e"].into_iter().enumerate() {
        let token = issue_full(&on, &format!("user {n}")).await;
        let value = if "us".contains(field) { NOT_UTF8 } else { GARBLED };
        run(&on, "HSET", &[token_key(&on, &token).as_bytes(), field.as_bytes(), value]);
        let hot = "uihxfs".contains(field);
        if field == "e" {
            assert_corrupt("token", on.store.token(token.record.id, NOW_MS).await);
        } else {
            assert_all_reads_corrupt(&on, &token, hot, &format!("garbled {field}")).await;
        }
    }
}

#[tokio::test]
async fn a_revocation_without_its_time_is_corrupt() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let token = issue_full(&on, "alice").await;
    on.revoke(&token, NOW_MS).await;
    run(&on, "HDEL", &[token_key(&on, &token).as_bytes(), b"e"]);
    assert_all_reads_corrupt(&on, &token, false, "revoked without e").await;
}

#[tokio::test]
async fn a_key_of_another_type_is_corrupt() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let token = issue_full(&on, "alice").await;
    let ttl_ms = HOUR_MS.to_string();
    run(&on, "SET", &[token_key(&on, &token).as_bytes(), b"a string", b"PX", ttl_ms.as_bytes()]);
    assert_all_reads_corrupt(&on, &token, true, "wrong type").await;
    let touches = [touch(&token, NOW_MS + 1, None)];
    assert_corrupt("touch", on.store.touch(&touches, NOW_MS + 1).await.map_err(|e| e.error));
}

#[tokio::test]
async fn an_index_of_another_type_is_corrupt() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let token = issue_full(&on, "alice").await;
    let id = token.record.id;
    let index = format!("{}u:{{{}}}:alice", on.prefix(), HashTag::of_user("alice"));
    run(&on, "SET", &[index.as_bytes(), b"a string"]);
    assert_corrupt("token", on.store.token(id, NOW_MS).await);
    assert_corrupt("listing", on.store.user_tokens("alice", NOW_MS).await);
    assert_corrupt("end of all", on.store.revoke_user_tokens("alice", None, NOW_MS).await);
    assert_corrupt("issue", on.store.issue(&on.sample("alice", NOW_MS), NOW_MS).await);
    assert_corrupt(
        "touch",
        on.store.touch(&[touch(&token, NOW_MS, None)], NOW_MS).await.map_err(|e| e.error),
    );
    assert_corrupt("end", on.store.change(id, &TokenChange::revoking(RevokeReason::Ended), NOW_MS).await);
}

#[tokio::test]
async fn an_index_with_a_malformed_entry_is_corrupt() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    issue_full(&on, "alice").await;
    let index = format!("{}u:{{{}}}:alice", on.prefix(), HashTag::of_user("alice"));
    let score = (NOW_MS + HOUR_MS).to_string();
    for malformed in [&b"no locator"[..], NOT_UTF8] {
        run(&on, "ZADD", &[index.as_bytes(), score.as_bytes(), malformed]);
        assert_corrupt("listing", on.store.user_tokens("alice", NOW_MS).await);
        run(&on, "ZREM", &[index.as_bytes(), malformed]);
    }
}

#[tokio::test]
async fn a_token_key_of_another_type_is_corrupt() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let key = format!("{}m:check-key", on.prefix());
    run(&on, "SET", &[key.as_bytes(), NOT_UTF8]);
    assert_corrupt("not text", on.store.shared_token_key("a key").await);
    run(&on, "DEL", &[key.as_bytes()]);
    run(&on, "HSET", &[key.as_bytes(), b"a", b"b"]);
    assert_corrupt("a hash", on.store.shared_token_key("a key").await);
}

#[tokio::test]
async fn revoking_all_revokes_the_good_tokens_and_reports_the_corrupt_one() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    for (n, break_it) in
        [("HDEL", &b"f"[..]), ("HSET", &b"f"[..]), ("SET", &b"a string"[..])].iter().enumerate()
    {
        let user = format!("user {n}");
        let (first, broken, last) =
            (issue_full(&on, &user).await, issue_full(&on, &user).await, issue_full(&on, &user).await);
        let key = token_key(&on, &broken);
        match break_it {
            ("HSET", field) => run(&on, "HSET", &[key.as_bytes(), field, GARBLED]),
            (command, argument) => run(&on, command, &[key.as_bytes(), argument]),
        }
        assert_corrupt("end of all", on.store.revoke_user_tokens(&user, None, NOW_MS).await);
        for good in [first, last] {
            assert!(!on.token(&good, NOW_MS).await.unwrap().record.is_active);
        }
        assert!(on.ttls().contains_key(&key), "the record is gone");
        assert_corrupt("end of all, again", on.store.revoke_user_tokens(&user, None, NOW_MS).await);
    }
}

#[tokio::test]
async fn a_corrupt_record_blocks_no_other_renewal() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let mut tokens = Vec::new();
    for n in 0..300 {
        tokens.push(on.issue(&format!("user {}", n % 7), NOW_MS).await);
    }
    let broken = tokens.remove(150);
    run(&on, "HSET", &[token_key(&on, &broken).as_bytes(), b"x", GARBLED]);
    let access_ms = NOW_MS + 1;
    tokens.insert(60, broken.clone());
    let touches: Vec<_> = tokens.iter().map(|t| touch(t, access_ms, Some(access_ms + HOUR_MS))).collect();
    assert_corrupt("touch", on.store.touch(&touches, access_ms).await.map_err(|e| e.error));
    for token in tokens.iter().filter(|token| token.record.id != broken.record.id) {
        let record = on.record(token.record.id).await.unwrap().unwrap();
        assert_eq!(record.expires_at_ms, access_ms + HOUR_MS);
    }
}

#[tokio::test]
async fn corrupt_records_are_not_removed_to_make_room() {
    let limits =
        doorward::internals::store::StoreLimits { max_tokens_per_user: 2, ..crate::common::store::LIMITS };
    let on = TestStore::open_with(StoreKind::RedisTcp, limits).await;
    let broken = on.issue("alice", NOW_MS).await;
    let good = on.issue("alice", NOW_MS + 1).await;
    run(&on, "HDEL", &[token_key(&on, &broken).as_bytes(), b"f"]);
    assert_corrupt("issue", on.store.issue(&on.sample("alice", NOW_MS), NOW_MS).await);
    assert_eq!(on.token(&good, NOW_MS).await, Some(good));
    assert!(on.ttls().contains_key(&token_key(&on, &broken)));
}

#[tokio::test]
async fn a_corrupt_device_key_is_never_reported_as_absent() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let change = DeviceChange { is_active: Some(true), ..DeviceChange::default() };
    for (n, field) in ["u", "i", "h", "x", "f", "c", "z"].into_iter().enumerate() {
        let user = format!("user {n}");
        let device = sample_device(&user, "phone", 0, NOW_MS);
        on.make_device(&device).await;
        let key = format!("{}d:{{{}}}:{}", on.prefix(), device.id.hash_tag(), device.id.locator());
        run(&on, "HDEL", &[key.as_bytes(), field.as_bytes()]);
        assert_corrupt(field, on.store.user_devices(&user, NOW_MS).await);
        assert_corrupt(field, on.store.change_device(&user, "phone", &change, NOW_MS).await);
        let same = on.store.make_device(&sample_device(&user, "phone", 1, NOW_MS), NOW_MS).await;
        assert_corrupt(field, same);
        // A new secret mends a key without one.
        if field != "h" {
            let hash = secret_hash(&device);
            let rotated = on.store.rotate_device((&user, "phone"), (device.id, &hash), NOW_MS);
            assert_corrupt(field, rotated.await);
        }
        if "uihxf".contains(field) {
            let token = on.for_login(&device, NOW_MS);
            let login = on.store.device_login(&login_of(&device, NOW_MS), &token, NOW_MS).await;
            assert_corrupt(field, login);
        }
        assert!(on.ttls().contains_key(&key), "{field}: the record is gone");
    }
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    let map = format!("{}k:{{{}}}:alice", on.prefix(), HashTag::of_user("alice"));
    run(&on, "HSET", &[map.as_bytes(), b"pad", GARBLED]);
    assert_corrupt("listing", on.store.user_devices("alice", NOW_MS).await);
    assert_corrupt("make", on.store.make_device(&sample_device("alice", "x", 1, NOW_MS), NOW_MS).await);
    assert_corrupt("change", on.store.change_device("alice", "phone", &change, NOW_MS).await);
    assert_corrupt("remove", on.store.remove_device("alice", "phone", NOW_MS).await);
}

/// The device key stays inactive, whatever the state of its tokens.
#[tokio::test]
async fn a_deactivation_revokes_the_good_tokens_and_reports_the_corrupt_one() {
    let on = TestStore::open(StoreKind::RedisTcp).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    let login = login_of(&device, NOW_MS);
    let broken = on.log_in(&login, &device, NOW_MS).await.unwrap();
    let good = on.log_in(&login, &device, NOW_MS).await.unwrap();
    run(&on, "HDEL", &[token_key(&on, &broken).as_bytes(), b"f"]);
    let deactivated = DeviceChange { is_active: Some(false), ..DeviceChange::default() };
    for _ in 0..2 {
        let changed = on.store.change_device("alice", "phone", &deactivated, NOW_MS).await;
        assert_corrupt("deactivation", changed);
    }
    assert!(!on.token(&good, NOW_MS).await.unwrap().record.is_active);
    assert!(!on.store.user_devices("alice", NOW_MS).await.unwrap()[0].is_active);
    assert_eq!(on.log_in(&login, &device, NOW_MS).await, None);
}
