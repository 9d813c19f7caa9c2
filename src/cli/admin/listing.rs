//! Listings: all pages of them, up to a limit.

use serde_json::Value;

use super::client::{AdminClient, segment};
use super::failure::Failure;

/// The most entries of a page.
const PAGE: usize = 1000;

/// Reads a listing page by page. `name` is the field with the entries; `path` may have a query.
///
/// # Errors
/// See [`AdminClient::call`].
pub async fn all_pages(
    client: &AdminClient,
    path: &str,
    name: &str,
    limit: Option<usize>,
) -> Result<Vec<Value>, Failure> {
    let limit = limit.unwrap_or(usize::MAX);
    let start = if path.contains('?') { '&' } else { '?' };
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let count = PAGE.min(limit - entries.len());
        let page = client.get(&format!("{path}{start}limit={count}{cursor}")).await?;
        entries.extend(page[name].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_str() {
            Some(next) if entries.len() < limit => cursor = format!("&cursor={}", segment(next)),
            _ => return Ok(entries),
        }
    }
}
