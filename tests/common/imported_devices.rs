//! Device keys of django-auth-token to import into a store.

use doorward::internals::foreign::device::login_token_hash;
use doorward::internals::foreign::{Pbkdf2Hash, UuidDigest};
use doorward::internals::model::device_key::{DeviceKey, DeviceLogin, ForeignLogin, LoginSecret};
use doorward::internals::model::import::NewDeviceImport;

use super::devices::{DEVICE_IDLE_MS, sample_device};
use super::store::{DAY_MS, HOUR_MS};

/// A login token of 64 characters, and its hash with few iterations. Made with Django 5.2:
/// `"".join(random.choices(string.ascii_letters + string.digits, k=64))`, as skip-django-auth-token 0.7.2 makes it, and
/// `PBKDF2PasswordHasher().encode(token, "seasalt", 1000)`.
pub const LOGIN_TOKEN: &str = "XD8rwtc1sIVjeKkgiYd86Zjn8OqOAkZzoHoRSl288NOtE7TmbVAgIZjS3sFsZYrm";
pub const HASH: &str = "pbkdf2_sha256$1000$seasalt$CxUyHE/3OkofOOWxLqzkoA3DYPV4bs6cnGcS8DdWSq4=";
/// Another login token, made in the same way with the salt `seasalt2`.
pub const OTHER_LOGIN_TOKEN: &str = "jO5D0YnnY7YccVrcIjtamufmE5lyhYwxCpAIkwf5hG1JuunZFt9XQN6HAQgPETmi";
pub const OTHER_HASH: &str = "pbkdf2_sha256$1000$seasalt2$yidML5CgPwxjDDH/k+1xNwmH5MqSKsugV6ZEe0/Nejc=";

pub fn imported(hash: &str) -> LoginSecret {
    LoginSecret::Imported(Pbkdf2Hash::parse(hash).unwrap())
}

/// Returns a device key that is a day old, whose login token is [`LOGIN_TOKEN`].
pub fn sample_import(user: &str, uuid: &str, now_ms: u64) -> NewDeviceImport {
    let digest = UuidDigest::of(uuid);
    let device = DeviceKey {
        id: digest.device_id(user),
        secret: imported(HASH),
        created_at_ms: now_ms - DAY_MS,
        last_login_ms: Some(now_ms - HOUR_MS),
        expires_at_ms: now_ms + DEVICE_IDLE_MS,
        ..sample_device(user, uuid, 0, now_ms)
    };
    NewDeviceImport { device, digest }
}

/// Returns the login with [`LOGIN_TOKEN`], which a node has verified by this hash.
pub fn foreign_login(device: &DeviceKey, verified: Option<&str>, now_ms: u64) -> DeviceLogin {
    let verified = verified.map(|hash| Pbkdf2Hash::parse(hash).unwrap());
    DeviceLogin {
        id: device.id,
        secret_hash: login_token_hash(device.id, LOGIN_TOKEN),
        foreign: Some(ForeignLogin { digest: UuidDigest::of(&device.uuid), verified }),
        uuid: device.uuid.clone(),
        expires_at_ms: now_ms + DEVICE_IDLE_MS,
    }
}
