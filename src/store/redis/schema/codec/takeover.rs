//! A token's takeovers as fields of one hash, `dw:o:{s}:<the token's locator>`.
//!
//! | field | what | form |
//! |---|---|---|
//! | `u` | the token's owner | text |
//! | `x` | the token's expires_at_ms | decimal |
//! | `l` | the locators of the takeovers, oldest first; scripts read it | MessagePack |
//! | `<locator>` | created_at_ms, user, reason, hard end (ms) | MessagePack |
//! | `-<locator>` | when somebody ended it (ms) | decimal |

use std::collections::HashMap;

use super::primitives::{corrupt, number, pack, text, unpack};
use crate::model::takeover::{NewTakeover, Takeover};
use crate::store::error::StoreError;
use crate::token_string::TokenId;

/// What never changes of a takeover.
pub fn record_of(takeover: &NewTakeover, created_at_ms: u64) -> Vec<u8> {
    pack(&(created_at_ms, &takeover.user, &takeover.reason, takeover.ends_at_ms))
}

/// All takeovers of a token, as they are at `now_ms`.
///
/// # Errors
/// `Corrupt`.
pub fn takeovers(
    token: TokenId,
    fields: &HashMap<Vec<u8>, Vec<u8>>,
    now_ms: u64,
) -> Result<Vec<Takeover>, StoreError> {
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let field = |name: &[u8]| fields.get(name).map(Vec::as_slice);
    let actor = text(field(b"u")).ok_or_else(|| corrupt(token, "takeovers u"))?.to_owned();
    let token_expires_at_ms = number(field(b"x")).ok_or_else(|| corrupt(token, "takeovers x"))?;
    let mut takeovers = Vec::new();
    for (name, record) in fields {
        // Every locator is longer than the history's own fields; an ending starts with a dash and is one longer.
        let Some(locator) = std::str::from_utf8(name).ok().filter(|name| name.len() > 1) else { continue };
        let Some(id) = TokenId::from_locator(token.hash_tag(), locator) else { continue };
        let (created_at_ms, user, reason, ends_at_ms): (u64, String, Option<String>, u64) =
            unpack(Some(record)).ok_or_else(|| corrupt(id, "takeover"))?;
        let ended_at_ms = match field(&[b"-", name.as_slice()].concat()) {
            None => None,
            ended => Some(number(ended).ok_or_else(|| corrupt(id, "takeover's end"))?),
        };
        let ended_at_ms = Takeover::end(ended_at_ms, ends_at_ms, token_expires_at_ms, now_ms);
        let actor = actor.clone();
        takeovers.push(Takeover { id, token, actor, user, reason, created_at_ms, ends_at_ms, ended_at_ms });
    }
    Ok(takeovers)
}
