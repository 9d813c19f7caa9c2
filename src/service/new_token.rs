//! A new token, as a login service asks for it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::core::Service;
use super::error::ServiceError;
use super::fields::{check_object, valid, valid_if_some};
use crate::model::field_rules as rules;
use crate::model::token::{Bars, RelatedObject, Texts, Token, TokenDetails, TokenRecord};
use crate::token_string::{SecretHash, TokenId};

/// The token that a login service asks for.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The user that logged in.
    pub user: String,
    /// The address that the login came from.
    pub ip: IpAddr,
    /// Cleaned and cut at 256 characters.
    pub user_agent: String,
    /// The kind of token.
    pub auth_slug: Option<String>,
    /// The back end that authenticated the user.
    pub backend: Option<String>,
    /// The actions that the application may let the holder do: see [`field_rules::scopes`](rules::scopes).
    pub scopes: Vec<String>,
    /// False for a preserved token.
    pub expiration: bool,
    /// Whether a cookie may carry it.
    pub allowed_cookie: bool,
    /// Whether the Authorization header may carry it.
    pub allowed_header: bool,
    /// Overrides the policy's idle time.
    pub idle_ms: Option<u64>,
    /// Overrides the policy's absolute lifetime.
    pub lifetime_ms: Option<u64>,
    /// The objects that the token belongs to.
    pub related_objects: Vec<RelatedObject>,
    /// False if a second factor is still to be shown: the token opens nothing until [`Service::confirm`].
    pub is_authenticated: bool,
}

impl NewToken {
    /// A token with the defaults of `POST /v1/tokens`.
    pub fn new(user: impl Into<String>, ip: IpAddr) -> Self {
        Self {
            user: user.into(),
            ip,
            user_agent: String::new(),
            auth_slug: None,
            backend: None,
            scopes: Vec::new(),
            expiration: true,
            allowed_cookie: true,
            allowed_header: true,
            idle_ms: None,
            lifetime_ms: None,
            related_objects: Vec::new(),
            is_authenticated: true,
        }
    }

    /// Checks every field except the user.
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        valid_if_some("auth_slug", self.auth_slug.as_deref(), rules::auth_slug)?;
        valid_if_some("backend", self.backend.as_deref(), rules::backend)?;
        valid("scopes", rules::scopes(self.scopes.iter().map(String::as_str)).map_err(|(_, detail)| detail))?;
        valid_if_some("idle_ms", self.idle_ms.as_ref(), |ms| rules::age_ms(*ms))?;
        valid_if_some("lifetime_ms", self.lifetime_ms.as_ref(), |ms| rules::age_ms(*ms))?;
        if self.related_objects.len() > rules::MAX_RELATED_OBJECTS {
            let detail = format!("must be at most {}", rules::MAX_RELATED_OBJECTS);
            return Err(ServiceError::Invalid { field: "related_objects", detail });
        }
        self.related_objects.iter().try_for_each(check_object)
    }
}

impl Service {
    /// Makes the token that `new` asks for, with this id and secret.
    pub(crate) fn token_of(&self, new: NewToken, id: TokenId, secret_hash: SecretHash, now_ms: u64) -> Token {
        let default_idle_ms =
            if new.expiration { self.policy.default_age_ms } else { self.policy.preserved_age_ms };
        let idle_ms = new.idle_ms.unwrap_or(default_idle_ms);
        let lifetime_ms = new.lifetime_ms.unwrap_or(self.policy.absolute_lifetime_ms);
        let ends_at_ms = now_ms.saturating_add(lifetime_ms);
        // Checked before.
        let scopes = rules::scopes(new.scopes.iter().map(String::as_str)).unwrap_or_default();
        let texts = Texts::new(&new.user, new.auth_slug.as_deref(), new.backend.as_deref(), None);
        let texts = texts.with_scopes(Some(&scopes));
        let record = TokenRecord {
            bars: Bars::NONE.with(Bars::PENDING, !new.is_authenticated),
            allowed_cookie: new.allowed_cookie,
            allowed_header: new.allowed_header,
            ..TokenRecord::issued(id, secret_hash, texts, now_ms, idle_ms, ends_at_ms)
        };
        Token {
            record: Arc::new(record),
            details: Arc::new(TokenDetails {
                user_agent: rules::user_agent(&new.user_agent),
                ip: new.ip,
                expiration: new.expiration,
                related_objects: each_once(new.related_objects),
                origin: None,
            }),
            last_access_ms: now_ms,
            revoked: None,
        }
    }
}

fn each_once(objects: Vec<RelatedObject>) -> Vec<RelatedObject> {
    let mut seen = HashSet::new();
    objects.into_iter().filter(|object| seen.insert(object.clone())).collect()
}
