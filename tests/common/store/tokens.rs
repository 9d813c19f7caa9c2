//! Tokens made from others, and touches of tokens.

use std::collections::HashMap;
use std::sync::Arc;

use doorward::Token;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::token::{RelatedObject, Renewal, Revocation, TokenDetails, Touch};
use doorward::internals::token_string::HashTag;
use doorward::token::TokenRecord;

pub fn edited(mut token: Token, edit: impl FnOnce(&mut TokenRecord)) -> Token {
    edit(Arc::make_mut(&mut token.record));
    token
}

pub fn detailed(mut token: Token, edit: impl FnOnce(&mut TokenDetails)) -> Token {
    edit(Arc::make_mut(&mut token.details));
    token
}

pub fn with_objects(token: Token, related_objects: Vec<RelatedObject>) -> Token {
    detailed(token, |details| details.related_objects = related_objects)
}

pub fn with_idle(token: Token, idle_ms: u64) -> Token {
    let expires_at_ms = token.record.created_at_ms + idle_ms;
    edited(token, |c| {
        c.idle_ms = idle_ms;
        c.expires_at_ms = expires_at_ms;
    })
}

/// Returns the token as it is after its revocation.
pub fn revoked_at(token: &Token, now_ms: u64) -> Token {
    let revoked = Some(Revocation { at_ms: now_ms, reason: Some(RevokeReason::Ended) });
    Token { revoked, ..edited(token.clone(), |c| c.is_active = false) }
}

pub fn touch(token: &Token, access_ms: u64, renew_to_ms: Option<u64>) -> Touch {
    let record = &token.record;
    let renewal = renew_to_ms.map(|to_ms| Renewal { from_ms: access_ms, to_ms });
    Touch { id: record.id, user: record.user().to_owned(), access_ms, renewal }
}

/// Returns two users whose tokens are in the same shard.
pub fn users_of_one_shard() -> (String, String) {
    let mut seen = HashMap::new();
    (0..)
        .find_map(|n| {
            let user = format!("user {n}");
            seen.insert(HashTag::of_user(&user), user.clone()).map(|other| (other, user))
        })
        .unwrap()
}
