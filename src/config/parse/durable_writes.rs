//! The setting `durable-writes`.

use super::scalar::{Parsed, number};
use crate::values::DurableWrites;

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

#[cfg(test)]
mod tests {
    use super::*;

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
