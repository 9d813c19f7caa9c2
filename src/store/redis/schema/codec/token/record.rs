//! A token as the fields of its hash. [`schema`](crate::store::redis::schema#fields-of-a-token) describes the fields.

use std::sync::Arc;

use redis::Value;

use super::fields::Fields;
use super::stored::{ACTIVE, ALLOWED_COOKIE, ALLOWED_HEADER, Cold, EXPIRATION, LOCKED, PENDING, Terms};
use crate::foreign::Scheme;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{Revocation, Token, TokenChange, TokenRecord};
use crate::store::error::StoreError;
use crate::store::redis::schema::codec::primitives::{bytes, corrupt, decimal, number, pack, text, unpack};
use crate::store::redis::schema::codec::user_agent::shorten;
use crate::token_string::TokenId;

/// The fields that make a [`TokenRecord`].
pub const HOT_FIELDS: [&str; 11] = ["u", "i", "h", "x", "f", "c", "s", "d", "o", "t", "p"];
/// The fields that make [`TokenDetails`](crate::model::token::TokenDetails), with the flags.
pub const COLD_FIELDS: [&str; 2] = ["z", "r"];

/// Encodes a new token, without a takeover or previous secrets.
pub fn fields_of(token: &Token) -> Vec<(&'static str, Vec<u8>)> {
    let Token { record, details, .. } = token;
    let terms = Terms { idle_ms: record.idle_ms, ends_at_ms: record.ends_at_ms, backend: record.backend() };
    let mut fields = vec![
        ("u", record.user().into()),
        ("i", pack(&terms)),
        ("h", record.secret_hash.as_bytes().to_vec()),
        ("x", decimal(record.expires_at_ms)),
        ("f", decimal(flags_of(token).into())),
        ("c", decimal(record.created_at_ms)),
    ];
    if let Some(slug) = record.auth_slug() {
        fields.push(("s", slug.into()));
    }
    if let Some(device) = record.device() {
        fields.push(("d", device.into()));
    }
    if let Some(scopes) = record.texts.scopes() {
        fields.push(("o", scopes.into()));
    }
    let origin = details.origin.map(Scheme::name);
    fields.push(("z", pack(&Cold { ip: details.ip, user_agent: shorten(&details.user_agent), origin })));
    if !details.related_objects.is_empty() {
        let pairs: Vec<_> =
            details.related_objects.iter().map(|o| (o.content_type.as_str(), o.object_id.as_str())).collect();
        fields.push(("r", pack(&pairs)));
    }
    fields
}

/// Encodes a change for lua/change_token.lua: flags to clear, flags to set, what to do with the slug and with the scopes.
pub fn edit_args(change: &TokenChange) -> (u32, u32, String, String) {
    let (mut clear, mut set) = (0, 0);
    for (flag, wanted) in [(ALLOWED_COOKIE, change.allowed_cookie), (ALLOWED_HEADER, change.allowed_header)] {
        match wanted {
            Some(true) => set |= flag,
            Some(false) => clear |= flag,
            None => {}
        }
    }
    let edit = |text: &Option<Option<String>>| match text {
        None => String::new(),
        Some(None) => "-".into(),
        Some(Some(text)) => format!("={text}"),
    };
    (clear, set, edit(&change.auth_slug), edit(&change.scopes))
}

/// Decodes a record from the values of [`HOT_FIELDS`], and its details if the values of [`COLD_FIELDS`] follow. `None` if
/// there is no such key.
///
/// # Errors
/// `Corrupt`.
pub fn record(id: TokenId, values: &[Option<&[u8]>]) -> Result<Option<Arc<TokenRecord>>, StoreError> {
    let hot_and_cold = values.split_first_chunk::<{ HOT_FIELDS.len() }>();
    let Some((&[u, i, h, x, f, c, s, d, o, t, p], cold)) = hot_and_cold else {
        return Err(corrupt(id, "answer"));
    };
    if values.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut fields = Fields { u, i, h, x, f, c, s, d, o, t, p, ..Fields::default() };
    let (mut record, flags) = fields.record(id)?;
    if let &[z, r] = cold {
        (fields.z, fields.r) = (z, r);
        record.details = Arc::new(fields.details(id, flags)?).into();
    }
    Ok(Some(Arc::new(record)))
}

/// Decodes a token from the answer to `HGETALL` and the score of its last access. `None` if there is no such key.
///
/// # Errors
/// `Corrupt`.
pub fn token(id: TokenId, all: &Value, last_access: &Value) -> Result<Option<Token>, StoreError> {
    let fields = Fields::from_all(all).ok_or_else(|| corrupt(id, "answer"))?;
    let Some(fields) = fields else { return Ok(None) };
    let (record, flags) = fields.record(id)?;
    let details = fields.details(id, flags)?;
    let revoked = match fields.e {
        None => None,
        Some(_) => {
            let at_ms = number(fields.e).ok_or_else(|| corrupt(id, "e"))?;
            Some(Revocation { at_ms, reason: text(fields.w).and_then(RevokeReason::named) })
        }
    };
    if revoked.is_none() != record.is_active {
        return Err(corrupt(id, "e"));
    }
    Ok(Some(Token {
        // A missing entry costs the last access only, which is at least the time of issue.
        last_access_ms: last_access_ms(last_access).unwrap_or(record.created_at_ms),
        record: Arc::new(record),
        details: Arc::new(details),
        revoked,
    }))
}

/// Decodes the latest end of a token from its field `i`.
///
/// # Errors
/// `Corrupt`.
pub fn ends_at_ms(id: TokenId, terms: Option<&[u8]>) -> Result<u64, StoreError> {
    let terms: Terms<'_> = unpack(terms).ok_or_else(|| corrupt(id, "i"))?;
    Ok(terms.ends_at_ms)
}

/// The upper end, exclusive, of the scores of tokens that are not revoked in a user's index: 2^50.
pub const BELOW_REVOKED: &str = "(1125899906842624";

/// Decodes the last access from the answer to `ZSCORE`.
pub fn last_access_ms(score: &Value) -> Option<u64> {
    bytes(score).and_then(score_ms)
}

/// Decodes the time in the score of an `@` member.
pub fn score_ms(score: &[u8]) -> Option<u64> {
    let score: f64 = std::str::from_utf8(score).ok()?.parse().ok()?;
    // Milliseconds since 1970 are exact in a double for the next 285,000 years.
    (score <= 0.0 && score.is_finite()).then(|| (-score) as u64)
}

pub(crate) fn flags_of(token: &Token) -> u32 {
    let record = &token.record;
    [
        (ACTIVE, record.is_active),
        (ALLOWED_COOKIE, record.allowed_cookie),
        (ALLOWED_HEADER, record.allowed_header),
        (EXPIRATION, token.details.expiration),
        (PENDING, !record.is_authenticated()),
        (LOCKED, record.is_locked()),
    ]
    .into_iter()
    .filter_map(|(flag, set)| set.then_some(flag))
    .sum()
}
