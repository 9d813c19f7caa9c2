//! The effect of a change, and the user, token or object that it concerns.

use std::net::IpAddr;

use super::action::Action;
use crate::model::takeover::TakeoverId;
use crate::model::token::RelatedObject;
use crate::token_string::TokenId;

/// The outcomes of an import's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportCounts {
    /// Records whose token was imported.
    pub imported: usize,
    /// Records whose token was imported before.
    pub exists: usize,
    /// Records that break a rule.
    pub rejected: usize,
}

/// The effect of a change, and the user, token or object that it concerns, as far as they are known. It never holds a
/// secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The kind of the change.
    pub action: Action,
    /// The user whose token, device key or tokens it is about.
    pub user: Option<String>,
    /// The token.
    pub token: Option<TokenId>,
    /// The takeover.
    pub takeover: Option<TakeoverId>,
    /// The user taken over.
    pub taken_over: Option<String>,
    /// The uuid of the device key.
    pub device: Option<String>,
    /// The related object.
    pub object: Option<RelatedObject>,
    /// The name of the cut-off.
    pub cutoff: Option<String>,
    /// The time of the cut-off, in milliseconds since the Unix epoch.
    pub before_ms: Option<u64>,
    /// How many tokens were revoked, or 0 if nothing had to be changed; how many records an import has.
    pub count: Option<usize>,
    /// The outcomes of an import's records.
    pub import: Option<ImportCounts>,
    /// The tokens that were revoked to make room for a new one.
    pub evicted: Vec<TokenId>,
    /// The token that was kept when all others of its user were revoked.
    pub except: Option<TokenId>,
    /// The names of the fields that the caller gave.
    pub fields: Vec<&'static str>,
    /// Why, in the words of the caller or as events name it.
    pub reason: Option<String>,
    /// The address of a login.
    pub ip: Option<IpAddr>,
    /// The user agent of a login.
    pub user_agent: Option<String>,
}

impl AuditEntry {
    /// An entry that says nothing but the action.
    pub const fn new(action: Action) -> Self {
        Self {
            action,
            user: None,
            token: None,
            takeover: None,
            taken_over: None,
            device: None,
            object: None,
            cutoff: None,
            before_ms: None,
            count: None,
            import: None,
            evicted: Vec::new(),
            except: None,
            fields: Vec::new(),
            reason: None,
            ip: None,
            user_agent: None,
        }
    }
}
