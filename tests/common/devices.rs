//! Sample device keys, and logins with them.

use doorward::Token;
use doorward::internals::model::device_key::{DeviceKey, DeviceLogin, LoginSecret};
use doorward::internals::store::Rejection;
use doorward::internals::token_string;
use doorward::internals::token_string::{SecretHash, TokenKeys, TokenKind};
use doorward::system::Entropy;

use super::store::{DAY_MS, TestStore, edited};

/// How long a sample device key lives without a login.
pub const DEVICE_IDLE_MS: u64 = 30 * DAY_MS;

/// Returns a device key that is not stored yet. `number` distinguishes keys of the same user and uuid.
pub fn sample_device(user: &str, uuid: &str, number: u64, now_ms: u64) -> DeviceKey {
    let keys = TokenKeys::from_secrets(["a check key of the tests"]).unwrap();
    let minted =
        token_string::mint(TokenKind::DeviceLogin, &keys, user, &Entropy::seeded(number + 1_000)).unwrap();
    DeviceKey {
        id: minted.id,
        secret: LoginSecret::Native(minted.hash),
        user: user.to_owned(),
        uuid: uuid.to_owned(),
        name: None,
        user_agent: String::new(),
        created_at_ms: now_ms,
        last_login_ms: None,
        is_active: true,
        expires_at_ms: now_ms + DEVICE_IDLE_MS,
    }
}

/// Returns the hash that a key keeps. A key that was just imported has none.
pub fn secret_hash(device: &DeviceKey) -> SecretHash {
    match &device.secret {
        LoginSecret::Native(hash) | LoginSecret::Foreign(hash) => *hash,
        LoginSecret::Imported(_) => panic!("{device:?}"),
    }
}

/// Returns the login that the key accepts.
pub fn login_of(device: &DeviceKey, now_ms: u64) -> DeviceLogin {
    DeviceLogin {
        id: device.id,
        secret_hash: secret_hash(device),
        foreign: None,
        uuid: device.uuid.clone(),
        expires_at_ms: now_ms + DEVICE_IDLE_MS,
    }
}

/// Returns the key as it is after a login.
pub fn logged_in(device: &DeviceKey, now_ms: u64) -> DeviceKey {
    let expires_at_ms = now_ms + DEVICE_IDLE_MS;
    DeviceKey { last_login_ms: Some(now_ms), expires_at_ms, ..device.clone() }
}

impl TestStore {
    /// Stores a new device key.
    pub async fn make_device(&self, device: &DeviceKey) {
        let made = self.store.make_device(device, device.created_at_ms).await.unwrap();
        assert_eq!(made, Ok(None));
    }

    /// Returns a token as the service passes it to a login: its user is not known yet.
    pub fn for_login(&self, device: &DeviceKey, now_ms: u64) -> Token {
        let token = self.sample(&device.user, now_ms);
        edited(token, |c| c.texts = c.texts.with_user("").with_device(&device.uuid))
    }

    /// Logs in with a key; returns the issued token, or `None` if the login was refused.
    pub async fn log_in(&self, login: &DeviceLogin, device: &DeviceKey, now_ms: u64) -> Option<Token> {
        let token = self.for_login(device, now_ms);
        match self.store.device_login(login, &token, now_ms).await.unwrap() {
            Ok((token, _)) => Some(token),
            Err(Rejection::LoginRefused) => None,
            Err(other) => panic!("{other:?}"),
        }
    }
}
