//! Listings in pages: newest first, ties by id.

use std::cmp::Reverse;
use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::fields::{Fields, parsed};
use crate::server::transport::body::Body;
use crate::server::transport::response::json;
use crate::token_string::TokenId;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;
const NOT_A_CURSOR: &str = "must be the next_cursor of a page of this listing";

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
    listing: ListingTag,
}

/// Stands for one listing in its cursors, so that a cursor of another one is refused.
type ListingTag = [u8; 8];

fn tag_of(listing: &[&str]) -> ListingTag {
    let mut hasher = blake3::Hasher::new();
    for part in listing {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut tag = ListingTag::default();
    hasher.finalize_xof().fill(&mut tag);
    tag
}

impl<K: Tie> Page<K> {
    /// Reads `limit` and `cursor` of the listing that has this name, such as its kind and its user. An empty cursor asks
    /// for the first page.
    pub fn of(query: &mut Fields, listing: &[&str]) -> Self {
        let listing = tag_of(listing);
        let limit = query.optional("limit", parsed(limit)).unwrap_or(DEFAULT_LIMIT);
        let cursor = |text: &str| match text {
            "" => Ok(None),
            text => read_cursor(text, &listing).map(Some).ok_or_else(|| NOT_A_CURSOR.into()),
        };
        Self { limit, after: query.optional("cursor", parsed(cursor)).flatten(), listing }
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

fn write_cursor<K: Tie>(listing: &ListingTag, (Reverse(created_at_ms), id): Cursor<K>) -> String {
    let mut bytes = listing.to_vec();
    bytes.extend_from_slice(format!("{created_at_ms}.{id}").as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor<K: Tie>(text: &str, listing: &ListingTag) -> Option<Cursor<K>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (created_at_ms, id) = std::str::from_utf8(bytes.strip_prefix(listing)?).ok()?.split_once('.')?;
    Some((Reverse(created_at_ms.parse().ok()?), K::read(id)?))
}
