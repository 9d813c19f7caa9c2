//! The fields of calls of the admin plane. Members that are not set keep Doorward's defaults; docs/api.md explains each.

use serde::Serialize;

use crate::models::RelatedObject;

/// The properties of a new token, besides user and address.
///
/// More members may be added: end with `..TokenFields::default()`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TokenFields {
    /// The client's user agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The kind of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_slug: Option<String>,
    /// The login service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The scopes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Whether the token expires soon without accesses; `false` is a preserved login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<bool>,
    /// The lifetime without access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// The longest lifetime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
    /// Whether a cookie may carry the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_cookie: Option<bool>,
    /// Whether a header may carry the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_header: Option<bool>,
    /// `false` makes a token that waits for its second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_authenticated: Option<bool>,
    /// The objects that the token belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related_objects: Vec<RelatedObject>,
    /// Whether the answer has a ready cookie: [`Token::set_cookie`](crate::Token::set_cookie).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub set_cookie: bool,
}

/// Changes of a token. More members may be added: end with `..TokenChanges::default()`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TokenChanges {
    /// The kind of the token; `Some(None)` clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_slug: Option<Option<String>>,
    /// Whether a cookie may carry the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_cookie: Option<bool>,
    /// Whether a header may carry the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_header: Option<bool>,
    /// The scopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The lifetime without access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// The longest lifetime, from the issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
}

/// How a takeover is started.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TakeoverFields {
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The longest duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// The properties of a new device key.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeviceFields {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its user agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// Changes of a device key.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeviceChanges {
    /// The name; `Some(None)` clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Option<String>>,
    /// Whether it may log in. To deactivate it revokes the tokens that it logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// Which page of a listing to read. The default is the first 50 entries.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    /// The number of entries, at most 1,000.
    pub limit: Option<u32>,
    /// [`Page::next_cursor`](crate::Page::next_cursor) of the page before.
    pub cursor: Option<String>,
}
