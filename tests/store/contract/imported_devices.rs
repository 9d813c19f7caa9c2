//! Imported device keys: imports, and logins with the login token of the former system.

use doorward::internals::foreign::UuidDigest;
use doorward::internals::foreign::device::login_token_hash;
use doorward::internals::model::device_key::{DeviceKey, LoginSecret};
use doorward::internals::model::event::EventKind;
use doorward::internals::model::import::DeviceImportOutcome::{
    Exists, Imported, TooManyDevices, TooManyUsers,
};
use doorward::internals::model::import::{DeviceImportOutcome, MAX_USERS_PER_UUID, NewDeviceImport};
use doorward::internals::store::StoreLimits;

use crate::common::devices::{DEVICE_IDLE_MS, logged_in, sample_device, secret_hash};
use crate::common::imported_devices::{
    HASH, LOGIN_TOKEN, OTHER_HASH, foreign_login, imported, sample_import,
};
use crate::common::store::{HOUR_MS, LIMITS, NOW_MS, StoreKind, TestStore, users_of_one_shard};

each_store! {
    an_imported_device_key_reads_back_whole_and_is_imported_once,
    the_first_login_replaces_the_imported_hash,
    every_user_of_a_uuid_is_found,
    a_repeated_import_revives_no_device_key,
    an_import_that_failed_halfway_is_completed,
    a_native_device_key_is_not_replaced,
    imports_respect_the_limits,
    a_dry_run_changes_nothing,
    a_rotated_device_key_loses_its_foreign_login_token,
    an_entry_lives_as_long_as_its_device_key,
}

async fn import(on: &TestStore, import: &NewDeviceImport, now_ms: u64) -> DeviceImportOutcome {
    on.store.import_device(import, false, now_ms).await.unwrap()
}

async fn found(on: &TestStore, uuid: &str, now_ms: u64) -> Vec<DeviceKey> {
    on.store.foreign_devices(&UuidDigest::of(uuid), now_ms).await.unwrap()
}

async fn an_imported_device_key_reads_back_whole_and_is_imported_once(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut new = sample_import("ü}{:", "phone", NOW_MS);
    new.device.name = Some("n".repeat(255));
    new.device.is_active = false;
    assert_eq!(found(&on, "phone", NOW_MS).await, []);
    assert_eq!(import(&on, &new, NOW_MS).await, Imported);
    let changed = DeviceKey { secret: imported(OTHER_HASH), name: None, ..new.device.clone() };
    let again = NewDeviceImport { device: changed, ..new.clone() };
    assert_eq!(import(&on, &again, NOW_MS + 1).await, Exists);
    assert_eq!(on.store.user_devices("ü}{:", NOW_MS).await.unwrap(), std::slice::from_ref(&new.device));
    assert_eq!(found(&on, "phone", NOW_MS).await, [new.device]);
    assert_eq!(found(&on, "Phone", NOW_MS).await, []);
    let events = on.store.user_events("ü}{:", NOW_MS + 1).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.device.as_deref())).collect();
    assert_eq!(told, [(EventKind::DeviceImported, Some("phone"))]);
}

async fn the_first_login_replaces_the_imported_hash(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let new = sample_import("alice", "phone", NOW_MS);
    import(&on, &new, NOW_MS).await;
    let device = &new.device;
    for verified in [None, Some(OTHER_HASH)] {
        let login = foreign_login(device, verified, NOW_MS + 1);
        assert_eq!(on.log_in(&login, device, NOW_MS + 1).await, None, "{verified:?}");
    }
    assert_eq!(found(&on, "phone", NOW_MS + 1).await, std::slice::from_ref(device), "nothing changed");

    let first = foreign_login(device, Some(HASH), NOW_MS + 2);
    let token = on.log_in(&first, device, NOW_MS + 2).await.unwrap();
    assert_eq!((token.record.user(), token.record.device()), ("alice", Some("phone")));
    let hash = login_token_hash(device.id, LOGIN_TOKEN);
    let known = DeviceKey { secret: LoginSecret::Foreign(hash), ..logged_in(device, NOW_MS + 2) };
    assert_eq!(found(&on, "phone", NOW_MS + 2).await, std::slice::from_ref(&known));
    assert_eq!(on.store.user_devices("alice", NOW_MS + 2).await.unwrap(), std::slice::from_ref(&known));
    // Another node may have verified the login token by the imported hash at the same time.
    for verified in [None, Some(HASH), Some(OTHER_HASH)] {
        let login = foreign_login(device, verified, NOW_MS + 3);
        assert!(on.log_in(&login, device, NOW_MS + 3).await.is_some(), "{verified:?}");
    }
    let mut wrong = foreign_login(device, Some(HASH), NOW_MS + 4);
    wrong.secret_hash = login_token_hash(device.id, &LOGIN_TOKEN[1..]);
    assert_eq!(on.log_in(&wrong, device, NOW_MS + 4).await, None);
}

async fn every_user_of_a_uuid_is_found(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let (alice, bob) = users_of_one_shard();
    let mut imports = [&*alice, &bob, "carol"].map(|user| sample_import(user, "shared", NOW_MS));
    for new in &imports {
        assert_eq!(import(&on, new, NOW_MS).await, Imported);
    }
    imports.sort_unstable_by_key(|new| new.device.id);
    let all = imports.clone().map(|new| new.device);
    assert_eq!(found(&on, "shared", NOW_MS).await, all);
    let token = on.log_in(&foreign_login(&all[1], Some(HASH), NOW_MS), &all[1], NOW_MS).await.unwrap();
    assert_eq!(token.record.user(), all[1].user);
    assert!(on.store.remove_device(&all[0].user, "shared", NOW_MS).await.unwrap());
    assert_eq!(found(&on, "shared", NOW_MS).await.len(), 2);
}

async fn a_repeated_import_revives_no_device_key(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let [removed, erased] = ["removed", "erased"].map(|user| sample_import(user, "phone", NOW_MS));
    for new in [&removed, &erased] {
        import(&on, new, NOW_MS).await;
    }
    on.store.remove_device("removed", "phone", NOW_MS).await.unwrap();
    on.store.erase_user("erased", NOW_MS).await.unwrap();
    let last_ms = NOW_MS + DEVICE_IDLE_MS - 1;
    for new in [&removed, &erased] {
        assert_eq!(import(&on, new, last_ms).await, Exists);
        assert_eq!(on.store.user_devices(&new.device.user, last_ms).await.unwrap(), []);
    }
    assert_eq!(found(&on, "phone", last_ms).await, []);
}

async fn an_import_that_failed_halfway_is_completed(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let new = sample_import("alice", "phone", NOW_MS);
    on.store.make_device(&new.device, NOW_MS).await.unwrap().unwrap();
    assert_eq!(found(&on, "phone", NOW_MS).await, [], "without its entry");
    assert_eq!(import(&on, &new, NOW_MS).await, Exists);
    assert_eq!(found(&on, "phone", NOW_MS).await, [new.device]);
}

async fn a_native_device_key_is_not_replaced(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let native = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&native).await;
    assert_eq!(import(&on, &sample_import("alice", "phone", NOW_MS), NOW_MS).await, Exists);
    assert_eq!(found(&on, "phone", NOW_MS).await, []);
    assert_eq!(on.store.user_devices("alice", NOW_MS).await.unwrap(), [native]);
}

async fn imports_respect_the_limits(kind: StoreKind) {
    let on = TestStore::open_with(kind, StoreLimits { max_devices_per_user: 1, ..LIMITS }).await;
    let users: Vec<_> = (0..=MAX_USERS_PER_UUID).map(|n| format!("user {n}")).collect();
    for user in &users[1..] {
        assert_eq!(import(&on, &sample_import(user, "shared", NOW_MS), NOW_MS).await, Imported);
    }
    let last = sample_import(&users[0], "shared", NOW_MS);
    assert_eq!(import(&on, &last, NOW_MS).await, TooManyUsers);
    assert_eq!(on.store.import_device(&last, true, NOW_MS).await.unwrap(), TooManyUsers);
    let second = sample_import(&users[1], "another", NOW_MS);
    assert_eq!(import(&on, &second, NOW_MS).await, TooManyDevices);
    assert_eq!(on.store.import_device(&second, true, NOW_MS).await.unwrap(), TooManyDevices);
    assert_eq!(found(&on, "another", NOW_MS).await, []);
    assert_eq!(on.store.user_devices(&users[0], NOW_MS).await.unwrap(), []);
    // The place of an expired key is free.
    let end_ms = NOW_MS + DEVICE_IDLE_MS;
    assert_eq!(import(&on, &sample_import(&users[0], "shared", end_ms), end_ms).await, Imported);
}

async fn a_dry_run_changes_nothing(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let new = sample_import("alice", "phone", NOW_MS);
    for _ in 0..2 {
        assert_eq!(on.store.import_device(&new, true, NOW_MS).await.unwrap(), Imported);
    }
    assert_eq!(on.store.user_devices("alice", NOW_MS).await.unwrap(), []);
    assert_eq!(import(&on, &new, NOW_MS).await, Imported);
    assert_eq!(on.store.import_device(&new, true, NOW_MS).await.unwrap(), Exists);
    on.make_device(&sample_device("alice", "pad", 0, NOW_MS)).await;
    let of_native = sample_import("alice", "pad", NOW_MS);
    assert_eq!(on.store.import_device(&of_native, true, NOW_MS).await.unwrap(), Exists);
}

async fn a_rotated_device_key_loses_its_foreign_login_token(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for (uuid, has_logged_in) in [("used", true), ("unused", false)] {
        let new = sample_import("alice", uuid, NOW_MS);
        import(&on, &new, NOW_MS).await;
        let device = &new.device;
        if has_logged_in {
            on.log_in(&foreign_login(device, Some(HASH), NOW_MS), device, NOW_MS).await.unwrap();
        }
        let hash = secret_hash(&sample_device("alice", uuid, 1, NOW_MS));
        let rotated = on.store.rotate_device(("alice", uuid), (device.id, &hash), NOW_MS).await.unwrap();
        assert_eq!(rotated.unwrap().secret, LoginSecret::Native(hash));
        assert_eq!(found(&on, uuid, NOW_MS).await, []);
        for verified in [None, Some(HASH)] {
            let login = foreign_login(device, verified, NOW_MS);
            assert_eq!(on.log_in(&login, device, NOW_MS).await, None, "{uuid} {verified:?}");
        }
        assert_eq!(import(&on, &new, NOW_MS).await, Exists, "it is not imported again");
        assert_eq!(found(&on, uuid, NOW_MS).await, []);
    }
}

async fn an_entry_lives_as_long_as_its_device_key(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let new = sample_import("alice", "phone", NOW_MS);
    import(&on, &new, NOW_MS).await;
    let last_ms = NOW_MS + DEVICE_IDLE_MS - 1;
    on.log_in(&foreign_login(&new.device, Some(HASH), last_ms), &new.device, last_ms).await.unwrap();
    let end_ms = last_ms + DEVICE_IDLE_MS;
    assert_eq!(found(&on, "phone", end_ms - 1).await.len(), 1);
    assert_eq!(found(&on, "phone", end_ms).await, []);
    // Unused for so long, it is imported as a new one.
    assert_eq!(import(&on, &sample_import("alice", "phone", end_ms), end_ms).await, Imported);
    // An inactive key has the same entry; a refused login does not shorten its life.
    let login = foreign_login(&new.device, Some(OTHER_HASH), end_ms - HOUR_MS);
    assert_eq!(on.log_in(&login, &new.device, end_ms).await, None);
    assert_eq!(found(&on, "phone", end_ms + DEVICE_IDLE_MS - 1).await.len(), 1);
}
