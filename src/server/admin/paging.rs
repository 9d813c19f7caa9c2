//! Listings in pages: newest first, ties by id.

use std::cmp::Reverse;
use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::input::{Fields, parsed};
use crate::server::transport::body::Body;
use crate::server::transport::response::json;
use crate::token_string::TokenId;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;
const INVALID_CURSOR: &str = "must be the next_cursor of a page of this listing";

/// The key of an entry, by which a listing is sorted: the time, then a tie-breaker.
pub type ListingKey<K> = (Reverse<u64>, K);

/// Orders entries of the same time. A cursor holds its text.
pub trait TieBreaker: Ord + Display + Sized {
    /// Reads the text in a cursor.
    fn read(text: &str) -> Option<Self>;
}

impl TieBreaker for TokenId {
    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl TieBreaker for String {
    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// The part of a listing that a caller asks for.
pub struct Page<K> {
    limit: usize,
    /// The key of the last entry of the page before.
    after: Option<ListingKey<K>>,
    listing: ListingHash,
}

/// Names the listing in its cursors, so that the cursor of another listing is refused.
type ListingHash = [u8; 8];

fn hash(listing: &[&str]) -> ListingHash {
    let mut hasher = blake3::Hasher::new();
    for part in listing {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut hash = ListingHash::default();
    hasher.finalize_xof().fill(&mut hash);
    hash
}

impl<K: TieBreaker> Page<K> {
    /// Reads `limit` and `cursor`. `listing` names the listing, such as by its kind and its user. An empty cursor asks for the
    /// first page.
    pub fn of(query: &mut Fields, listing: &[&str]) -> Self {
        let listing = hash(listing);
        let limit = query.optional("limit", parsed(limit)).unwrap_or(DEFAULT_LIMIT);
        let cursor = |text: &str| match text {
            "" => Ok(None),
            text => read_cursor(text, &listing).map(Some).ok_or_else(|| INVALID_CURSOR.into()),
        };
        Self { limit, after: query.optional("cursor", parsed(cursor)).flatten(), listing }
    }

    /// Shows the page of a sorted listing, as `{name: […], "next_cursor": …}`.
    pub fn response<'a, T, J: Serialize>(
        &self,
        name: &str,
        all: &'a [T],
        key: impl Fn(&T) -> ListingKey<K>,
        show: impl Fn(&'a T) -> J,
    ) -> Response<Body> {
        let start = self.after.as_ref().map_or(0, |after| all.partition_point(|item| key(item) <= *after));
        let rest = &all[start..];
        let shown = &rest[..self.limit.min(rest.len())];
        let next_cursor = shown
            .last()
            .filter(|_| shown.len() < rest.len())
            .map(|last| write_cursor(&self.listing, key(last)));
        let items: Vec<_> = shown.iter().map(show).collect();
        json(StatusCode::OK, &json!({name: items, "next_cursor": next_cursor}))
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))
}

fn write_cursor<K: TieBreaker>(listing: &ListingHash, (Reverse(created_at_ms), id): ListingKey<K>) -> String {
    let mut bytes = listing.to_vec();
    bytes.extend_from_slice(format!("{created_at_ms}.{id}").as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor<K: TieBreaker>(text: &str, listing: &ListingHash) -> Option<ListingKey<K>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (created_at_ms, id) = std::str::from_utf8(bytes.strip_prefix(listing)?).ok()?.split_once('.')?;
    Some((Reverse(created_at_ms.parse().ok()?), K::read(id)?))
}
