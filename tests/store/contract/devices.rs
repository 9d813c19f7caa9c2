//! Device keys: creation, listing, change, removal and login.

use std::cmp::Reverse;

use doorward::Token;
use doorward::internals::model::device_key::{DeviceChange, DeviceKey, DeviceLogin};
use doorward::internals::model::event::{Actor, Event, EventFacts, EventKind, REFUSALS_FOLDED_MS};
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::store::Rejection;
use doorward::internals::store::StoreLimits;
use doorward::internals::values::OverLimit;

use crate::common::devices::{DEVICE_IDLE_MS, logged_in, login_of, sample_device, secret_hash};
use crate::common::store::{
    DAY_MS, HOUR_MS, LIMITS, NOW_MS, StoreKind, TestStore, detailed, edited, users_of_one_shard,
};

each_store! {
    a_device_key_is_created_once_and_reads_back_whole,
    users_can_have_device_keys_of_the_same_uuid,
    devices_are_listed_newest_first_then_by_uuid,
    a_device_key_above_the_limit_is_refused,
    a_login_issues_a_token_and_renews_the_device_key,
    a_login_without_a_matching_device_key_is_refused,
    repeated_refused_logins_are_one_event,
    an_unused_device_key_expires_at_its_millisecond,
    the_device_name_is_set_and_cleared,
    removing_a_device_key_revokes_its_own_tokens_only,
    a_device_login_respects_the_token_limit,
    changes_of_a_device_key_are_events,
    no_token_survives_the_deactivation_of_its_device_key,
}

async fn devices(on: &TestStore, user: &str, now_ms: u64) -> Vec<DeviceKey> {
    on.store.user_devices(user, now_ms).await.unwrap()
}

fn activity(is_active: bool) -> DeviceChange {
    DeviceChange { is_active: Some(is_active), ..DeviceChange::default() }
}

async fn is_alive(on: &TestStore, token: &Token) -> bool {
    on.record(token.record.id).await.unwrap().is_some_and(|record| record.is_active)
}

async fn a_device_key_is_created_once_and_reads_back_whole(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (user, uuid) = ("ü}{:".repeat(40), "é".repeat(32));
    let made = DeviceKey {
        name: Some("n".repeat(255)),
        user_agent: "é".repeat(256),
        ..sample_device(&user, &uuid, 0, NOW_MS)
    };
    on.make_device(&made).await;
    assert_eq!(devices(&on, &user, NOW_MS).await, std::slice::from_ref(&made));
    // A later request for the same key changes and renews nothing, even if the key is inactive.
    for now_active in [true, false] {
        let there = DeviceKey { is_active: now_active, ..made.clone() };
        let other = sample_device(&user, &uuid, 1, NOW_MS + HOUR_MS);
        assert_eq!(on.store.make_device(&other, NOW_MS + HOUR_MS).await.unwrap(), Ok(Some(there.clone())));
        assert_eq!(devices(&on, &user, NOW_MS + HOUR_MS).await, [there]);
        on.store.change_device(&user, &uuid, &activity(false), NOW_MS).await.unwrap();
    }
}

async fn users_can_have_device_keys_of_the_same_uuid(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (alice, bob) = users_of_one_shard();
    let hers = sample_device(&alice, "shared", 0, NOW_MS);
    let his = sample_device(&bob, "shared", 1, NOW_MS);
    on.make_device(&hers).await;
    on.make_device(&his).await;
    let her_token = on.log_in(&login_of(&hers, NOW_MS), &hers, NOW_MS).await.unwrap();
    let his_token = on.log_in(&login_of(&his, NOW_MS), &his, NOW_MS).await.unwrap();
    assert_eq!([her_token.record.user(), his_token.record.user()], [&alice, &bob]);
    assert!(on.store.remove_device(&alice, "shared", NOW_MS).await.unwrap());
    assert!(!on.store.remove_device(&alice, "shared", NOW_MS).await.unwrap());
    assert_eq!((is_alive(&on, &her_token).await, is_alive(&on, &his_token).await), (false, true));
    assert_eq!(devices(&on, &alice, NOW_MS).await, []);
    assert_eq!(devices(&on, &bob, NOW_MS).await, [logged_in(&his, NOW_MS)]);
}

async fn devices_are_listed_newest_first_then_by_uuid(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut made = Vec::new();
    for n in 0..12 {
        let device = sample_device("alice", &format!("{}", (n * 7) % 12), n, NOW_MS + n % 3);
        on.make_device(&device).await;
        made.push((Reverse(device.created_at_ms), device.uuid));
    }
    made.sort_unstable();
    let listed = devices(&on, "alice", NOW_MS + 3).await;
    let listed: Vec<_> =
        listed.into_iter().map(|device| (Reverse(device.created_at_ms), device.uuid)).collect();
    assert_eq!(listed, made);
}

async fn a_device_key_above_the_limit_is_refused(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_devices_per_user: 2, ..LIMITS }).await;
    let [a, b] = ["a", "b"].map(|uuid| sample_device("alice", uuid, 0, NOW_MS));
    on.make_device(&DeviceKey { expires_at_ms: NOW_MS + HOUR_MS, ..a.clone() }).await;
    on.make_device(&DeviceKey { id: sample_device("alice", "b", 1, NOW_MS).id, ..b }).await;
    let third = sample_device("alice", "c", 2, NOW_MS + HOUR_MS);
    let asked = async |now_ms| on.store.make_device(&third, now_ms).await.unwrap();
    assert_eq!(asked(NOW_MS + HOUR_MS - 1).await, Err(Rejection::TooManyDevices));
    let there = on.store.make_device(&sample_device("alice", "a", 3, NOW_MS), NOW_MS).await.unwrap();
    assert!(matches!(there, Ok(Some(_))), "one that is there is no more");
    on.make_device(&sample_device("bob", "c", 4, NOW_MS)).await;
    // Expired and removed keys do not count towards the limit; inactive keys do.
    assert_eq!(asked(NOW_MS + HOUR_MS).await, Ok(None));
    on.store.change_device("alice", "b", &activity(false), NOW_MS + HOUR_MS).await.unwrap().unwrap();
    let fourth = sample_device("alice", "d", 5, NOW_MS + HOUR_MS);
    assert_eq!(
        on.store.make_device(&fourth, NOW_MS + HOUR_MS).await.unwrap(),
        Err(Rejection::TooManyDevices)
    );
    assert!(on.store.remove_device("alice", "b", NOW_MS + HOUR_MS).await.unwrap());
    assert_eq!(on.store.make_device(&fourth, NOW_MS + HOUR_MS).await.unwrap(), Ok(None));
}

async fn a_login_issues_a_token_and_renews_the_device_key(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    let later_ms = NOW_MS + DAY_MS;
    let plain = on.sample("alice", later_ms);
    let asked = edited(plain.clone(), |c| c.texts = c.texts.with_user("somebody else").with_device("phone"));
    let done = on.store.device_login(&login_of(&device, later_ms), &asked, later_ms).await.unwrap();
    // The token's owner is the key's owner, even if the call named another user.
    let token = edited(plain, |c| c.texts = c.texts.with_device("phone"));
    assert_eq!(done, Ok((token.clone(), vec![])));
    assert_eq!(on.token(&token, later_ms).await.as_ref(), Some(&token));
    assert_eq!(on.record(token.record.id).await.unwrap().as_ref(), Some(&token.record));
    assert_eq!(on.store.user_tokens("alice", later_ms).await.unwrap(), [token]);
    assert_eq!(on.listed("somebody else", later_ms).await, []);
    assert_eq!(devices(&on, "alice", later_ms).await, [logged_in(&device, later_ms)]);
}

async fn a_login_without_a_matching_device_key_is_refused(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    let other = sample_device("alice", "pad", 1, NOW_MS);
    on.make_device(&device).await;
    on.make_device(&other).await;
    let good = login_of(&device, NOW_MS + 1);
    for bad in [
        DeviceLogin { uuid: "pad".into(), ..good.clone() },
        DeviceLogin { uuid: "Phone".into(), ..good.clone() },
        DeviceLogin { secret_hash: secret_hash(&other), ..good.clone() },
        DeviceLogin { id: other.id, ..good.clone() },
        login_of(&sample_device("alice", "phone", 2, NOW_MS), NOW_MS + 1),
    ] {
        assert_eq!(on.log_in(&bad, &device, NOW_MS + 1).await, None, "{bad:?}");
    }
    on.store.change_device("alice", "phone", &activity(false), NOW_MS + 1).await.unwrap();
    assert_eq!(on.log_in(&good, &device, NOW_MS + 2).await, None);
    assert_eq!(on.listed("alice", NOW_MS + 2).await, [], "nothing is issued");
    let inactive = DeviceKey { is_active: false, ..device.clone() };
    assert_eq!(devices(&on, "alice", NOW_MS + 2).await, [other, inactive], "and nothing moved");

    on.store.change_device("alice", "phone", &activity(true), NOW_MS + 3).await.unwrap();
    assert!(on.log_in(&good, &device, NOW_MS + 3).await.is_some());
    on.store.remove_device("alice", "phone", NOW_MS + 4).await.unwrap();
    assert_eq!(on.log_in(&good, &device, NOW_MS + 4).await, None);
    // A new key with the same uuid has another login token.
    let anew = sample_device("alice", "phone", 3, NOW_MS + 5);
    on.make_device(&anew).await;
    assert_eq!(on.log_in(&good, &device, NOW_MS + 5).await, None);
    assert!(on.log_in(&login_of(&anew, NOW_MS + 5), &anew, NOW_MS + 5).await.is_some());
}

/// Otherwise, a client with a login token could evict everything else from the history.
async fn repeated_refused_logins_are_one_event(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (device, other) =
        (sample_device("alice", "phone", 0, NOW_MS), sample_device("alice", "pad", 1, NOW_MS));
    on.make_device(&device).await;
    on.make_device(&other).await;
    let refuse = async |device: &DeviceKey, at_ms: u64| {
        let bad = DeviceLogin { uuid: "another".into(), ..login_of(device, at_ms) };
        assert_eq!(on.log_in(&bad, device, at_ms).await, None);
    };
    let told = async |at_ms: u64| {
        let events = on.store.user_events("alice", at_ms).await.unwrap();
        let refused = |event: &Event| event.kind == EventKind::DeviceRefused;
        events
            .iter()
            .filter(|event| refused(event))
            .map(|e| (e.device.clone().unwrap(), e.at_ms))
            .collect::<Vec<_>>()
    };
    for n in 0..100 {
        refuse(&device, NOW_MS + 2 * n).await;
        refuse(&other, NOW_MS + 2 * n + 1).await;
    }
    let both = [("pad".to_owned(), NOW_MS + 1), ("phone".to_owned(), NOW_MS)];
    assert_eq!(told(NOW_MS + 200).await, both);
    // Another event or time ends the series.
    let window_ms = REFUSALS_FOLDED_MS.min(LIMITS.event_retention_ms);
    assert!(on.log_in(&login_of(&device, NOW_MS + 300), &device, NOW_MS + 300).await.is_some());
    refuse(&device, NOW_MS + 301).await;
    refuse(&device, NOW_MS + 301 + window_ms - 1).await;
    assert_eq!(told(NOW_MS + 302).await[0], ("phone".to_owned(), NOW_MS + 301));
    refuse(&device, NOW_MS + 301 + window_ms).await;
    assert_eq!(told(NOW_MS + 301 + window_ms).await[0], ("phone".to_owned(), NOW_MS + 301 + window_ms));
}

async fn an_unused_device_key_expires_at_its_millisecond(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    // Each login renews the key, to the millisecond.
    let last_ms = NOW_MS + DEVICE_IDLE_MS - 1;
    assert!(on.log_in(&login_of(&device, last_ms), &device, last_ms).await.is_some());
    let end_ms = last_ms + DEVICE_IDLE_MS;
    assert_eq!(devices(&on, "alice", end_ms - 1).await, [logged_in(&device, last_ms)]);
    assert_eq!(devices(&on, "alice", end_ms).await, []);
    assert_eq!(on.log_in(&login_of(&device, end_ms), &device, end_ms).await, None);
    // A key that was not found never reappears.
    assert_eq!(on.log_in(&login_of(&device, last_ms), &device, last_ms).await, None);
    assert!(!on.store.remove_device("alice", "phone", last_ms).await.unwrap());
    on.make_device(&sample_device("alice", "phone", 1, end_ms)).await;
}

async fn the_device_name_is_set_and_cleared(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    // The scripts use `=` and `-` as markers; a name may look like one.
    for name in [Some("My phone"), Some("-"), Some("="), None, None, Some("é")] {
        device.name = name.map(str::to_owned);
        let change = DeviceChange { name: Some(device.name.clone()), ..DeviceChange::default() };
        for change in [change, DeviceChange::default()] {
            let changed = on.store.change_device("alice", "phone", &change, NOW_MS).await.unwrap();
            assert_eq!(changed.as_ref(), Some(&device));
            assert_eq!(devices(&on, "alice", NOW_MS).await, std::slice::from_ref(&device));
        }
    }
    for unknown in [("alice", "other"), ("bob", "phone")] {
        let (user, uuid) = unknown;
        assert_eq!(on.store.change_device(user, uuid, &activity(false), NOW_MS).await.unwrap(), None);
        assert!(!on.store.remove_device(user, uuid, NOW_MS).await.unwrap());
    }
}

async fn removing_a_device_key_revokes_its_own_tokens_only(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let phone = sample_device("alice", "phone", 0, NOW_MS);
    let pad = sample_device("alice", "pad", 1, NOW_MS);
    on.make_device(&phone).await;
    on.make_device(&pad).await;
    let plain = on.issue("alice", NOW_MS).await;
    let by_pad = on.log_in(&login_of(&pad, NOW_MS), &pad, NOW_MS).await.unwrap();
    for (at_ms, removed) in [(NOW_MS + 1, false), (NOW_MS + 5, true)] {
        let mut by_phone = Vec::new();
        for _ in 0..3 {
            by_phone.push(on.log_in(&login_of(&phone, at_ms), &phone, at_ms).await.unwrap());
        }
        let ended_before = by_phone.remove(0);
        on.revoke(&ended_before, at_ms).await;
        if removed {
            assert!(on.store.remove_device("alice", "phone", at_ms + 1).await.unwrap());
        } else {
            let changed =
                on.store.change_device("alice", "phone", &activity(false), at_ms + 1).await.unwrap();
            assert_eq!(changed, Some(DeviceKey { is_active: false, ..logged_in(&phone, at_ms) }));
        }
        for token in by_phone {
            let revoked = on.token(&token, at_ms + 1).await.unwrap();
            assert_eq!(
                (revoked.record.is_active, revoked.revoked.map(|r| r.at_ms)),
                (false, Some(at_ms + 1))
            );
        }
        assert_eq!(on.token(&ended_before, at_ms + 1).await.unwrap().revoked.map(|r| r.at_ms), Some(at_ms));
        assert!(is_alive(&on, &plain).await && is_alive(&on, &by_pad).await);
        // A deactivation can be repeated; an activation revives no token.
        on.store.change_device("alice", "phone", &activity(false), at_ms + 2).await.unwrap();
        on.store.change_device("alice", "phone", &activity(true), at_ms + 3).await.unwrap();
        assert_eq!(on.listed("alice", at_ms + 3).await.len(), if removed { 8 } else { 5 });
    }
}

async fn a_device_login_respects_the_token_limit(kind: StoreKind) {
    let ends_oldest = StoreLimits { max_tokens_per_user: 1, ..LIMITS };
    let device = sample_device("alice", "phone", 0, NOW_MS);
    let on = TestStore::open_with(kind, ends_oldest).await;
    on.make_device(&device).await;
    let oldest = on.issue("alice", NOW_MS).await;
    let token = on.log_in(&login_of(&device, NOW_MS + 1), &device, NOW_MS + 1).await.unwrap();
    assert_eq!((is_alive(&on, &oldest).await, is_alive(&on, &token).await), (false, true));

    let on =
        TestStore::open_with(kind, StoreLimits { over_limit: OverLimit::RefuseNew, ..ends_oldest }).await;
    on.make_device(&device).await;
    let first = on.issue("alice", NOW_MS).await;
    let token = on.for_login(&device, NOW_MS + 1);
    let refused = on.store.device_login(&login_of(&device, NOW_MS + 1), &token, NOW_MS + 1).await.unwrap();
    assert_eq!(refused, Err(Rejection::TooManyTokens));
    assert_eq!(on.listed("alice", NOW_MS + 1).await, [first.record.id]);
    assert_eq!(devices(&on, "alice", NOW_MS + 1).await, [device], "nothing moved");
}

async fn changes_of_a_device_key_are_events(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    on.store.make_device(&sample_device("alice", "phone", 1, NOW_MS), NOW_MS).await.unwrap().unwrap();
    let token = on.log_in(&login_of(&device, NOW_MS + 1), &device, NOW_MS + 1).await.unwrap();
    let wrong = DeviceLogin { uuid: "pad".into(), ..login_of(&device, NOW_MS) };
    let attempt = edited(on.for_login(&device, NOW_MS + 2), |c| {
        c.texts = c.texts.with_auth_slug(Some("app"));
    });
    let attempt = detailed(attempt, |details| details.user_agent = "app/2".into());
    let refused = on.store.device_login(&wrong, &attempt, NOW_MS + 2).await.unwrap();
    assert_eq!(refused, Err(Rejection::LoginRefused));
    for (at_ms, is_active) in [(3, false), (4, false), (5, true), (6, true)] {
        on.store.change_device("alice", "phone", &activity(is_active), NOW_MS + at_ms).await.unwrap();
    }
    on.store.remove_device("alice", "phone", NOW_MS + 7).await.unwrap();
    // A missing key causes no event.
    on.log_in(&login_of(&device, NOW_MS + 8), &device, NOW_MS + 8).await;
    on.store.remove_device("alice", "phone", NOW_MS + 8).await.unwrap();

    let of = |kind, at_ms| Event {
        device: Some("phone".into()),
        ..Event::new(kind, NOW_MS + at_ms, Actor::Doorward)
    };
    let id = Some(token.record.id);
    let ip = Some(token.details.ip);
    let of_token = |kind, at_ms| Event {
        token: id,
        facts: EventFacts { ip, ..EventFacts::default() },
        ..of(kind, at_ms)
    };
    // These facts are the attempt's, not a token's.
    let facts = EventFacts { ip, user_agent: Some("app/2".into()), ..EventFacts::default() };
    let token_ended = Event { device: None, ..of_token(EventKind::TokenRevoked, 3) };
    let mut expected = [
        of(EventKind::DeviceCreated, 0),
        of_token(EventKind::TokenIssued, 1),
        of_token(EventKind::DeviceLoggedIn, 1),
        Event { facts, ..of(EventKind::DeviceRefused, 2) },
        of(EventKind::DeviceEnded, 3),
        Event { reason: Some(RevokeReason::Device), ..token_ended },
        of(EventKind::DeviceActivated, 5),
        of(EventKind::DeviceEnded, 7),
    ];
    expected.reverse();
    assert_eq!(on.store.user_events("alice", NOW_MS + 8).await.unwrap(), expected);
}

/// Never: a token issued by a key and live after the key's deactivation was acknowledged.
async fn no_token_survives_the_deactivation_of_its_device_key(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    let (mut issued, mut refused) = (0, 0);
    for round in 0..60 {
        let now_ms = NOW_MS + round;
        on.store.change_device("alice", "phone", &activity(true), now_ms).await.unwrap();
        let log_in = || {
            let (store, login) = (on.store.clone(), login_of(&device, now_ms));
            let token = on.for_login(&device, now_ms);
            tokio::spawn(async move { store.device_login(&login, &token, now_ms).await.unwrap() })
        };
        let store = on.store.clone();
        let ending = async move {
            let changed = store.change_device("alice", "phone", &activity(false), now_ms).await.unwrap();
            assert!(!changed.unwrap().is_active);
            // The deactivation is acknowledged: every token issued so far is listed here, and none is live.
            let tokens = store.user_tokens("alice", now_ms).await.unwrap();
            assert!(!tokens.iter().any(|token| token.record.is_active), "round {round}");
        };
        // Some logins start before it and some after it.
        let before = round % 5;
        let mut logins: Vec<_> = (0..before).map(|_| log_in()).collect();
        let ending = tokio::spawn(ending);
        logins.extend((before..4).map(|_| log_in()));
        ending.await.unwrap();
        for login in logins {
            match login.await.unwrap() {
                Ok((token, _)) => {
                    issued += 1;
                    assert!(!is_alive(&on, &token).await, "round {round}");
                }
                Err(Rejection::LoginRefused) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(issued + refused, 240);
}
