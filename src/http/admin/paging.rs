//! Listings in pages: newest first, ties by id.

use std::cmp::Reverse;
use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::http::fields::{Fields, parsed};
use crate::http::{Body, json};
use crate::secret::TokenId;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// A place in a listing: what `listing_key` gives of the last entry shown.
pub type Cursor<K> = (Reverse<u64>, K);

/// What entries of one time are told apart and sorted by; its text is read back from a cursor.
pub trait Tie: Ord + Display + Sized {
    /// `None` when the text is none of ours.
    fn read(text: &str) -> Option<Self>;
}

impl Tie for TokenId {
    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Tie for String {
    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// Which part of a listing is asked for.
pub struct Page<K> {
    limit: usize,
    after: Option<Cursor<K>>,
}

impl<K: Tie> Page<K> {
    /// Reads `limit` and `cursor`.
    pub fn of(query: &mut Fields) -> Self {
        let limit = query.optional("limit", parsed(limit)).unwrap_or(DEFAULT_LIMIT);
        let cursor = |text: &str| read_cursor(text).ok_or_else(|| "is not one of ours".into());
        Self { limit, after: query.optional("cursor", parsed(cursor)) }
    }

    /// This part of a sorted listing, as `{name: […], "next_cursor": …}`.
    pub fn response<'a, T, J: Serialize>(
        &self,
        name: &str,
        all: &'a [T],
        key: impl Fn(&T) -> Cursor<K>,
        show: impl Fn(&'a T) -> J,
    ) -> Response<Body> {
        let start = self.after.as_ref().map_or(0, |after| all.partition_point(|item| key(item) <= *after));
        let rest = &all[start..];
        let shown = &rest[..self.limit.min(rest.len())];
        let next_cursor =
            shown.last().filter(|_| shown.len() < rest.len()).map(|last| write_cursor(key(last)));
        let items: Vec<_> = shown.iter().map(show).collect();
        json(StatusCode::OK, &json!({name: items, "next_cursor": next_cursor}))
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))
}

fn write_cursor<K: Tie>((Reverse(created_at_ms), id): Cursor<K>) -> String {
    URL_SAFE_NO_PAD.encode(format!("{created_at_ms}.{id}"))
}

fn read_cursor<K: Tie>(text: &str) -> Option<Cursor<K>> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (created_at_ms, id) = text.split_once('.')?;
    Some((Reverse(created_at_ms.parse().ok()?), K::read(id)?))
}
