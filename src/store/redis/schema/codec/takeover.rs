//! The fields of a token's takeovers, one hash, `dw:o:{s}:<the token's locator>`.
//!
//! | field | content | form |
//! |---|---|---|
//! | `u` | the token's owner | text |
//! | `x` | the token's expires_at_ms | decimal |
//! | `l` | locators of the takeovers, oldest first; only scripts read it | MessagePack |
//! | `<locator>` | created_at_ms, user taken over, reason, hard end (ms) | MessagePack |
//! | `-<locator>` | when it was ended early (ms) | decimal |

use std::collections::HashMap;

use super::primitives::{corrupt, number, pack, text, unpack};
use crate::model::takeover::{NewTakeover, Takeover, TakeoverId};
use crate::store::error::StoreError;
use crate::token_string::{ID_CHARS, TokenId};

/// Encodes the fields of a takeover that never change.
pub fn record_of(takeover: &NewTakeover, created_at_ms: u64) -> Vec<u8> {
    pack(&(created_at_ms, &takeover.user, &takeover.reason, takeover.ends_at_ms))
}

/// The member of a takeover in the reverse index of the user taken over: the token's id and the takeover's locator.
pub fn reverse_index_member(token: TokenId, takeover: TakeoverId) -> String {
    format!("{token}{}", takeover.locator())
}

/// Returns the token that a member of the reverse index names; `None` if the member is garbled.
pub fn token_of_member(member: &str) -> Option<TokenId> {
    member.get(..ID_CHARS).and_then(TokenId::parse)
}

/// Decodes all takeovers of a token, with their state at `now_ms`.
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
        // The hash's own fields are one letter; the field of an early end is no locator, being one character longer.
        let Some(locator) = std::str::from_utf8(name).ok().filter(|name| name.len() > 1) else { continue };
        let Some(id) = TokenId::from_locator(token.hash_tag(), locator) else { continue };
        let (created_at_ms, user, reason, ends_at_ms): (u64, String, Option<String>, u64) =
            unpack(Some(record)).ok_or_else(|| corrupt(id, "takeover"))?;
        let ended_at_ms = match field(&[b"-", name.as_slice()].concat()) {
            None => None,
            ended => Some(number(ended).ok_or_else(|| corrupt(id, "takeover's end"))?),
        };
        let ended_at_ms = Takeover::end(created_at_ms, ended_at_ms, ends_at_ms, token_expires_at_ms, now_ms);
        let actor = actor.clone();
        takeovers.push(Takeover { id, token, actor, user, reason, created_at_ms, ends_at_ms, ended_at_ms });
    }
    Ok(takeovers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_the_reverse_index_names_the_token() {
        let [token, takeover] =
            ["jE1hGDDTZBpo-Upp", "jE1hGDDTZBpo-Uqq"].map(|id| TokenId::parse(id).unwrap());
        let member = reverse_index_member(token, takeover);
        assert_eq!(member, "jE1hGDDTZBpo-UppYRgw02QaaPlKqg");
        assert_eq!(token_of_member(&member), Some(token));
        assert_eq!(token_of_member("short"), None);
    }
}
