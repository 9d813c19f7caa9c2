//! The URL of the store, the prefix of its keys, and the name that a node has in it.

use std::ops::RangeInclusive;

use super::scalar::{Parsed, missing_feature, number};
use crate::model::node_report::NODE_NAME_MAX_CHARS;
use crate::values::{DurableWrites, RedisUrl, StoreUrl};

const KEY_PREFIX_BYTES: RangeInclusive<usize> = 1..=64;

/// Parses a URL of Redis; an empty text is the embedded store. A URL that this build cannot use is a mistake.
pub(crate) fn store_url(text: &str) -> Parsed<StoreUrl> {
    if text.is_empty() {
        return Ok(StoreUrl::Memory);
    }
    let url = RedisUrl::parse(text)?;
    match url.missing_feature() {
        Some(feature) => Err(missing_feature(feature)),
        None => Ok(StoreUrl::Redis(url)),
    }
}

/// Parses the prefix of all keys. A brace would change the hash tag; the other forbidden characters mean something in a
/// pattern.
pub(crate) fn key_prefix(text: &str) -> Parsed<String> {
    let good = |byte: u8| byte.is_ascii_graphic() && !br"{}*?[]\".contains(&byte);
    if KEY_PREFIX_BYTES.contains(&text.len()) && text.bytes().all(good) {
        return Ok(text.into());
    }
    Err(r"is not 1 to 64 visible ASCII characters without { } * ? [ ] \".into())
}

/// The most replicas that a change can wait for.
const MAX_REPLICAS: u8 = 16;

/// Parses `none`, `replicas:N` or `disk`.
pub(crate) fn durable_writes(text: &str) -> Parsed<DurableWrites> {
    match (text, text.strip_prefix("replicas:")) {
        ("none", _) => Ok(DurableWrites::None),
        ("disk", _) => Ok(DurableWrites::Disk),
        (_, Some(count)) => match number(1..=MAX_REPLICAS)(count) {
            Ok(count) => Ok(DurableWrites::Replicas(count)),
            Err(_) => Err(format!("names no number of replicas from 1 to {MAX_REPLICAS}")),
        },
        _ => Err("is none of none, replicas:N and disk".into()),
    }
}

/// Parses the name of a node.
pub(crate) fn node_name(text: &str) -> Parsed<String> {
    if text.len() <= NODE_NAME_MAX_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.into());
    }
    Err(format!("is not 1 to {NODE_NAME_MAX_CHARS} visible ASCII characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_redis_needs_the_features_of_its_build() {
        for (text, feature, is_there) in [
            ("redis://localhost", "redis", cfg!(feature = "redis")),
            ("redis+cluster://localhost", "redis", cfg!(feature = "redis")),
            (
                "rediss://localhost",
                if cfg!(feature = "redis") { "tls" } else { "redis" },
                cfg!(feature = "tls"),
            ),
        ] {
            let problem = store_url(text).map(|_| ()).err();
            assert_eq!(problem, (!is_there).then(|| missing_feature(feature)), "{text}");
        }
        assert_eq!(store_url(""), Ok(StoreUrl::Memory));
    }

    #[test]
    fn a_node_name_has_visible_characters() {
        assert_eq!((node_name(""), node_name("a-1")), (Ok("".into()), Ok("a-1".into())));
        for text in ["a b", "é", "\n", &"x".repeat(65)] {
            assert!(node_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_prefix_has_visible_characters_without_a_meaning_in_redis() {
        assert_eq!(key_prefix("dw:"), Ok("dw:".into()));
        for text in ["", "a b", "a{", "}", "*", "?", "[", "é", "\n", &"x".repeat(65)] {
            assert!(key_prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_to_wait_for_is_parsed() {
        assert_eq!(durable_writes("none"), Ok(DurableWrites::None));
        assert_eq!(durable_writes("replicas:2"), Ok(DurableWrites::Replicas(2)));
        assert_eq!(durable_writes("disk"), Ok(DurableWrites::Disk));
        for text in ["replicas:0", "replicas:17", "replicas:+1", "replicas:"] {
            assert_eq!(
                durable_writes(text).unwrap_err(),
                "names no number of replicas from 1 to 16",
                "{text}"
            );
        }
        for text in ["", "replicas", "Disk", "disk ", "2"] {
            assert_eq!(durable_writes(text).unwrap_err(), "is none of none, replicas:N and disk", "{text}");
        }
    }
}
