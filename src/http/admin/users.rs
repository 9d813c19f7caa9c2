//! `/v1/users/{user}/tokens`.

use std::cmp::Reverse;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::http::fields::{Fields, parsed};
use crate::http::problem::Problem;
use crate::http::token_json::TokenJson;
use crate::http::{Body, json};
use crate::rules;
use crate::secret::TokenId;
use crate::service::Service;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// A place in a listing: what `listing_key` gives of the last entry shown.
type Cursor = (Reverse<u64>, TokenId);

/// GET: the user's tokens, newest first, in pages.
pub async fn list_tokens(
    service: &Service,
    user: &str,
    mut query: Fields,
) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    let include_ended = query.optional(
        "include",
        parsed(|value| match value {
            "ended" => Ok(true),
            _ => Err("may only be \"ended\"".into()),
        }),
    );
    let limit = query.optional("limit", parsed(limit)).unwrap_or(DEFAULT_LIMIT);
    let after =
        query.optional("cursor", parsed(|text| read_cursor(text).ok_or_else(|| "is not one of ours".into())));
    query.finish()?;
    let mut tokens = service.user_tokens(user, include_ended.unwrap_or(false)).await?;
    tokens.retain(|token| after.is_none_or(|after| token.listing_key() > after));
    let has_more = tokens.len() > limit;
    tokens.truncate(limit);
    let next_cursor = tokens.last().filter(|_| has_more).map(|last| write_cursor(last.listing_key()));
    let shown: Vec<_> = tokens.iter().map(TokenJson::of).collect();
    Ok(json(StatusCode::OK, &json!({"tokens": shown, "next_cursor": next_cursor})))
}

/// DELETE: ends the user's tokens, but for `except`.
pub async fn end_tokens(service: &Service, user: &str, mut query: Fields) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    let except =
        query.optional("except", parsed(|id| TokenId::parse(id).ok_or_else(|| "must be a token id".into())));
    query.finish()?;
    let revoked = service.end_user_tokens(user, except).await?;
    Ok(json(StatusCode::OK, &json!({"revoked": revoked})))
}

fn check_user(user: &str, fields: &mut Fields) {
    if let Err(detail) = rules::user(user) {
        fields.fail("user", detail);
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))
}

fn write_cursor((Reverse(created_at_ms), id): Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{created_at_ms}.{id}"))
}

fn read_cursor(text: &str) -> Option<Cursor> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (created_at_ms, id) = text.split_once('.')?;
    Some((Reverse(created_at_ms.parse().ok()?), TokenId::parse(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_garbage_does_not() {
        let cursor = (Reverse(1_800_000_000_000), TokenId::parse("jE1hGDDTZBpo-Upp").unwrap());
        assert_eq!(read_cursor(&write_cursor(cursor)), Some(cursor));
        for garbage in ["", "x", "!!", "MTIz", &URL_SAFE_NO_PAD.encode("1.short")] {
            assert_eq!(read_cursor(garbage), None, "{garbage}");
        }
    }
}
