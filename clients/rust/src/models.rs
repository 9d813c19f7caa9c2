//! What the admin plane answers. Members that this version does not know are ignored.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::identity::{Identity, Via};
use crate::request::sensitive;
use crate::secret::Secret;
use crate::timestamp;

/// An object of the application that tokens belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelatedObject {
    /// The kind of object.
    pub content_type: String,
    /// The object.
    pub object_id: String,
}

impl RelatedObject {
    /// Names an object.
    pub fn new(content_type: impl Into<String>, object_id: impl Into<String>) -> Self {
        Self { content_type: content_type.into(), object_id: object_id.into() }
    }
}

/// A token that acts, or acted, as another user.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Takeover {
    /// The takeover's id.
    pub id: String,
    /// The token's id.
    pub token: String,
    /// The user who logged in.
    pub actor: String,
    /// The user who is taken over.
    pub user: String,
    /// Why.
    pub reason: Option<String>,
    /// Whether it is under way.
    pub is_active: bool,
    /// When it began.
    #[serde(deserialize_with = "timestamp::required")]
    pub created_at: SystemTime,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub ends_at: Option<SystemTime>,
    /// When it ended.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub ended_at: Option<SystemTime>,
}

/// A token. Its secret is there only after an issue, a device login and a rotation.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Token {
    /// The public id.
    pub id: String,
    /// The user who logged in.
    pub user: String,
    /// When it was issued.
    #[serde(deserialize_with = "timestamp::required")]
    pub created_at: SystemTime,
    /// When it was last used.
    #[serde(deserialize_with = "timestamp::required")]
    pub last_access: SystemTime,
    /// When it expires without another access.
    #[serde(deserialize_with = "timestamp::required")]
    pub expires_at: SystemTime,
    /// When it expires at the latest.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub ends_at: Option<SystemTime>,
    /// Whether it is not revoked.
    pub is_active: bool,
    /// Whether it does not wait for its second factor.
    #[serde(default = "yes")]
    pub is_authenticated: bool,
    /// Whether its user is locked: the token is refused until the unlock.
    #[serde(default)]
    pub locked: bool,
    /// The user agent that logged in.
    #[serde(default)]
    pub user_agent: String,
    /// Whether it expires soon without accesses.
    #[serde(default = "yes")]
    pub expiration: bool,
    /// The address that logged in.
    #[serde(default)]
    pub ip: String,
    /// The kind of the token.
    pub auth_slug: Option<String>,
    /// The login service.
    pub backend: Option<String>,
    /// The scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether a cookie may carry it.
    #[serde(default = "yes")]
    pub allowed_cookie: bool,
    /// Whether a header may carry it.
    #[serde(default = "yes")]
    pub allowed_header: bool,
    /// The objects that it belongs to.
    #[serde(default)]
    pub related_objects: Vec<RelatedObject>,
    /// The takeover under way.
    pub takeover: Option<Takeover>,
    /// The device key that logged in.
    pub device: Option<String>,
    /// When it was revoked.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub revoked_at: Option<SystemTime>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
    /// The scheme of the system that it was imported from.
    pub origin: Option<String>,
    /// The token string: the secret.
    pub token: Option<Secret>,
    set_cookie: Option<Secret>,
}

fn yes() -> bool {
    true
}

impl Token {
    /// Returns `Set-Cookie` for the client, which is empty unless the call asked for it. A part of an axum response.
    pub fn set_cookie(&self) -> HeaderMap {
        let value = self.set_cookie.as_ref().and_then(|value| sensitive(value.expose()).ok());
        value.map(|value| (SET_COOKIE, value)).into_iter().collect()
    }

    /// Returns the whole seconds until the token expires, or until the takeover ends if that comes first.
    pub fn expires_in(&self) -> Duration {
        let takeover = self.takeover.as_ref().and_then(|takeover| takeover.ends_at);
        let end = takeover.map_or(self.expires_at, |end| end.min(self.expires_at));
        let left = end.duration_since(clock::wall()).unwrap_or_default();
        Duration::from_secs(left.as_secs())
    }

    /// Returns the identity of a request that carries the token.
    pub(crate) fn identity(&self, via: Via) -> Identity {
        let user = self.takeover.as_ref().map_or(&self.user, |takeover| &takeover.user);
        Identity {
            user: user.clone(),
            actor: self.user.clone(),
            token_id: self.id.clone(),
            slug: self.auth_slug.clone(),
            backend: self.backend.clone(),
            device: self.device.clone(),
            expires_in: self.expires_in(),
            scopes: self.scopes.clone(),
            via: Some(via),
        }
    }
}

/// A device key, by which a device logs its user in.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Device {
    /// The device.
    pub uuid: String,
    /// Its user.
    pub user: String,
    /// Its name.
    pub name: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "timestamp::required")]
    pub created_at: SystemTime,
    /// When it last logged in.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub last_login: Option<SystemTime>,
    /// Whether it may log in.
    pub is_active: bool,
    /// The user agent that registered it.
    #[serde(default)]
    pub user_agent: String,
    /// The scheme of the system that it was imported from.
    pub origin: Option<String>,
    /// After a creation: whether the key is new.
    pub created: Option<bool>,
    /// The secret of a new key. It is shown once.
    pub login_token: Option<Secret>,
}

/// A page of a listing, newest first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page starts, or `None` after the last one.
    pub next_cursor: Option<String>,
}
