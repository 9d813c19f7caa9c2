//! Device keys: a device that logged in by other means keeps a login token, and gets session tokens for it.
//!
//! The login token is a split token like a session token: its locator finds the key, its secret proves it.

use std::cmp::Reverse;

use crate::foreign::{Pbkdf2Hash, Scheme, UuidDigest};
use crate::token_string::{SecretHash, TokenId};

/// The id of a device key: made like a token's id, with the hash tag of its owner.
pub type DeviceId = TokenId;

/// The proof of a device key's login token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginSecret {
    /// The hash of the secret in its login token.
    Native(SecretHash),
    /// The fast hash of the login token of the former system, with which the key has logged in since its import.
    Foreign(SecretHash),
    /// The hash that the former system stored. The first login replaces it by the fast hash.
    Imported(Pbkdf2Hash),
}

impl LoginSecret {
    /// Whether it is of a login token of a former system.
    pub fn is_foreign(&self) -> bool {
        !matches!(self, Self::Native(_))
    }
}

/// A device key. A user has at most one of each uuid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKey {
    /// The public part of its login token.
    pub id: DeviceId,
    /// The proof of its login token.
    pub secret: LoginSecret,
    /// The user that it logs in.
    pub user: String,
    /// Its id for the user and the application: 1 to 32 characters.
    pub uuid: String,
    /// Its name for people.
    pub name: Option<String>,
    /// Cut at 256 characters; empty if the client named none.
    pub user_agent: String,
    /// When it was made.
    pub created_at_ms: u64,
    /// When it last logged in; `None` before the first login.
    pub last_login_ms: Option<u64>,
    /// An inactive key logs no user in.
    pub is_active: bool,
    /// It expires at this time; each login moves it.
    pub expires_at_ms: u64,
}

impl DeviceKey {
    /// Whether it has not expired.
    pub fn is_kept(&self, now_ms: u64) -> bool {
        now_ms < self.expires_at_ms
    }

    /// Whether the key is active and has this uuid and secret. Does not check the expiry.
    pub fn admits(&self, login: &DeviceLogin) -> bool {
        let is_right = match &self.secret {
            LoginSecret::Native(hash) | LoginSecret::Foreign(hash) => *hash == login.secret_hash,
            LoginSecret::Imported(hash) => login.verified() == Some(hash),
        };
        self.is_active && self.uuid == login.uuid && is_right
    }

    /// The system whose login token the key takes; `None` if that is Doorward.
    pub fn origin(&self) -> Option<Scheme> {
        self.secret.is_foreign().then_some(Scheme::DjangoAuthToken)
    }

    /// The order of every listing: newest first, ties by uuid.
    pub fn listing_key(&self) -> (Reverse<u64>, String) {
        (Reverse(self.created_at_ms), self.uuid.clone())
    }
}

/// A change of a device key; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceChange {
    /// False also revokes the tokens it logged in.
    pub is_active: Option<bool>,
    /// `Some(None)` clears the name.
    pub name: Option<Option<String>>,
}

/// A login by device key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLogin {
    /// The key to log in with.
    pub id: DeviceId,
    /// The hash of the secret in the login token; of a login token of a former system its fast hash.
    pub secret_hash: SecretHash,
    /// The further parts of a login by a login token of a former system.
    pub foreign: Option<ForeignLogin>,
    /// The uuid that the device names.
    pub uuid: String,
    /// The new expiry of the key.
    pub expires_at_ms: u64,
}

impl DeviceLogin {
    /// The imported hash by which the login token was verified, if there is one.
    pub fn verified(&self) -> Option<&Pbkdf2Hash> {
        self.foreign.as_ref()?.verified.as_ref()
    }
}

/// A login by a login token of a former system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignLogin {
    /// The digest by which the key was found.
    pub digest: UuidDigest,
    /// The hash by which the login token was verified, if it was not the fast hash. The login replaces it by the fast hash.
    pub verified: Option<Pbkdf2Hash>,
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
            secret: LoginSecret::Native(hash(1)),
            user: "alice".into(),
            uuid: "phone".into(),
            name: None,
            user_agent: String::new(),
            created_at_ms: 0,
            last_login_ms: None,
            is_active: true,
            expires_at_ms: 10,
        };
        let login =
            DeviceLogin { id, secret_hash: hash(1), foreign: None, uuid: "phone".into(), expires_at_ms: 20 };
        assert!(key.admits(&login));
        assert!(!key.admits(&DeviceLogin { secret_hash: hash(2), ..login.clone() }));
        assert!(!key.admits(&DeviceLogin { uuid: "Phone".into(), ..login.clone() }));
        assert!(!DeviceKey { is_active: false, ..key.clone() }.admits(&login));
        let hashed =
            |salt| Pbkdf2Hash::parse(&format!("pbkdf2_sha256$1${salt}${}=", "A".repeat(43))).unwrap();
        let imported = DeviceKey { secret: LoginSecret::Imported(hashed("a")), ..key.clone() };
        let verified = |hash| {
            let foreign = Some(ForeignLogin { digest: UuidDigest::of("phone"), verified: Some(hash) });
            DeviceLogin { foreign, ..login.clone() }
        };
        assert!(imported.admits(&verified(hashed("a"))));
        assert!(!imported.admits(&verified(hashed("b"))) && !imported.admits(&login));
        assert_eq!((imported.origin(), key.origin()), (Some(Scheme::DjangoAuthToken), None));
        assert_eq!((key.is_kept(9), key.is_kept(10)), (true, false));
    }
}
