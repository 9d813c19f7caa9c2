//! A device key: a device that once logged in by other means keeps a login token, and gets session tokens for it. Pure:
//! no store, no clock.
//!
//! The login token is a split token as the session tokens are: its locator finds the key, its secret opens it.

use std::cmp::Reverse;

use crate::token_string::{SecretHash, TokenId};

/// What a device key is found by: made like a token's id, with the shard tag of its owner.
pub type DeviceId = TokenId;

/// A device key. A user has at most one of each uuid; other users may have one of the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKey {
    /// The public half of its login token.
    pub id: DeviceId,
    /// The hash of the secret half.
    pub secret_hash: SecretHash,
    /// Whom it logs in.
    pub user: String,
    /// By what name its owner and the application know it: 1 to 32 characters.
    pub uuid: String,
    /// What people call it, when they do.
    pub name: Option<String>,
    /// Cut at 256 characters; empty when the client named none.
    pub user_agent: String,
    /// When it was made.
    pub created_at_ms: u64,
    /// When it last logged in; `None` before the first time.
    pub last_login_ms: Option<u64>,
    /// While false it logs nobody in.
    pub is_active: bool,
    /// It is there while the clock is before this; each login moves it.
    pub expires_at_ms: u64,
}

impl DeviceKey {
    /// Whether it is still there.
    pub fn is_kept(&self, now_ms: u64) -> bool {
        now_ms < self.expires_at_ms
    }

    /// Whether it may log in with what is presented. It says nothing of its time.
    pub fn admits(&self, login: &DeviceLogin) -> bool {
        self.is_active && self.uuid == login.uuid && self.secret_hash == login.secret_hash
    }

    /// The order of every listing: newest first, ties by uuid.
    pub fn listing_key(&self) -> (Reverse<u64>, String) {
        (Reverse(self.created_at_ms), self.uuid.clone())
    }
}

/// What `PATCH` changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceChange {
    /// False also ends the tokens it logged in.
    pub is_active: Option<bool>,
    /// `Some(None)` clears the name.
    pub name: Option<Option<String>>,
}

/// A login by device key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLogin {
    /// The key it is for.
    pub id: DeviceId,
    /// The hash of the secret presented.
    pub secret_hash: SecretHash,
    /// The uuid presented.
    pub uuid: String,
    /// Until when the key lives after it.
    pub expires_at_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_admits_its_own_uuid_and_secret_while_it_is_active() {
        let hash = |byte| SecretHash::from_slice(&[byte; 16]).unwrap();
        let id = TokenId::parse("jE1hGDDTZBpo-Upp").unwrap();
        let key = DeviceKey {
            id,
            secret_hash: hash(1),
            user: "alice".into(),
            uuid: "phone".into(),
            name: None,
            user_agent: String::new(),
            created_at_ms: 0,
            last_login_ms: None,
            is_active: true,
            expires_at_ms: 10,
        };
        let login = DeviceLogin { id, secret_hash: hash(1), uuid: "phone".into(), expires_at_ms: 20 };
        assert!(key.admits(&login));
        assert!(!key.admits(&DeviceLogin { secret_hash: hash(2), ..login.clone() }));
        assert!(!key.admits(&DeviceLogin { uuid: "Phone".into(), ..login.clone() }));
        assert!(!DeviceKey { is_active: false, ..key.clone() }.admits(&login));
        assert_eq!((key.is_kept(9), key.is_kept(10)), (true, false));
    }
}
