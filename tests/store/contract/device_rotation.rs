//! Device keys that get a new login token.

use doorward::internals::model::device_key::{DeviceChange, DeviceKey, DeviceLogin};
use doorward::internals::model::event::EventKind;
use doorward::internals::store::Rejection;

use crate::common::devices::{login_of, sample_device, secret_hash};
use crate::common::store::{NOW_MS, StoreKind, TestStore};

each_store! {
    a_rotated_device_key_takes_its_new_login_token_only,
    only_an_active_device_key_of_that_id_is_rotated,
}

/// Rotates the key to the secret of a sample with this number, and returns the key.
async fn rotate(on: &TestStore, device: &DeviceKey, number: u64) -> Result<DeviceKey, Rejection> {
    let hash = secret_hash(&sample_device(&device.user, &device.uuid, number, NOW_MS));
    on.store.rotate_device((&device.user, &device.uuid), (device.id, &hash), NOW_MS + 1).await.unwrap()
}

async fn a_rotated_device_key_takes_its_new_login_token_only(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    on.make_device(&device).await;
    let before = on.log_in(&login_of(&device, NOW_MS), &device, NOW_MS).await.unwrap();
    let rotated = rotate(&on, &device, 1).await.unwrap();
    let secret = sample_device("alice", "phone", 1, NOW_MS).secret;
    assert_eq!(rotated, DeviceKey { secret, last_login_ms: Some(NOW_MS), ..device.clone() });
    assert_eq!(on.store.user_devices("alice", NOW_MS + 1).await.unwrap(), std::slice::from_ref(&rotated));
    assert_eq!(on.log_in(&login_of(&device, NOW_MS + 2), &device, NOW_MS + 2).await, None);
    assert!(on.log_in(&login_of(&rotated, NOW_MS + 2), &device, NOW_MS + 2).await.is_some());
    assert!(on.record(before.record.id).await.unwrap().unwrap().is_active, "its tokens stay");
    let kinds = on.store.user_events("alice", NOW_MS + 2).await.unwrap();
    let rotations = kinds.iter().filter(|event| event.kind == EventKind::DeviceRotated);
    let told: Vec<_> = rotations.map(|event| (event.device.as_deref(), event.at_ms)).collect();
    assert_eq!(told, [(Some("phone"), NOW_MS + 1)]);
}

async fn only_an_active_device_key_of_that_id_is_rotated(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let device = sample_device("alice", "phone", 0, NOW_MS);
    assert_eq!(rotate(&on, &device, 1).await, Err(Rejection::NotFound));
    on.make_device(&device).await;
    for unknown in [
        DeviceKey { uuid: "pad".into(), ..device.clone() },
        // Removed and made again since the caller read it.
        DeviceKey { id: sample_device("alice", "phone", 2, NOW_MS).id, ..device.clone() },
    ] {
        assert_eq!(rotate(&on, &unknown, 1).await, Err(Rejection::NotFound));
    }
    let inactive = DeviceChange { is_active: Some(false), ..DeviceChange::default() };
    on.store.change_device("alice", "phone", &inactive, NOW_MS).await.unwrap();
    assert_eq!(rotate(&on, &device, 1).await, Err(Rejection::DeviceInactive));
    let active = DeviceChange { is_active: Some(true), ..DeviceChange::default() };
    on.store.change_device("alice", "phone", &active, NOW_MS + 1).await.unwrap();
    let login: DeviceLogin = login_of(&device, NOW_MS + 2);
    assert!(on.log_in(&login, &device, NOW_MS + 2).await.is_some(), "nothing was changed");
    let (of, new) = (("alice", "phone"), (device.id, &secret_hash(&device)));
    let expired = on.store.rotate_device(of, new, login.expires_at_ms).await.unwrap();
    assert_eq!(expired, Err(Rejection::NotFound));
}
