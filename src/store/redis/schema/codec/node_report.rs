//! A node's report as a field of `dw:m:{…}:nodes`: 13 digits for the time of its writing (ms), which the script adds, and a
//! MessagePack map. Nodes of several versions share the key: a field of the map that is missing is unknown, and further ones
//! are passed over.

use std::collections::HashMap;

use redis::{Value, from_redis_value_ref};
use serde::{Deserialize, Serialize};

use super::primitives::{number, pack_named, unpack};
use crate::model::node_report::{NodeRates, NodeReport, ReportedNode};
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;

/// A longer report is left out by readers. No node of this version writes one.
pub(crate) const MAX_REPORT_BYTES: usize = 2048;
/// The digits of the time.
const TIME_DIGITS: usize = 13;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Packed {
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "v")]
    version: String,
    #[serde(rename = "u")]
    uptime_ms: u64,
    #[serde(rename = "r")]
    is_ready: bool,
    #[serde(rename = "s")]
    is_stopping: bool,
    #[serde(rename = "f")]
    faults: Vec<String>,
    #[serde(rename = "l")]
    lease_age_ms: Option<u64>,
    #[serde(rename = "c")]
    cached_tokens: Option<u64>,
    /// valid, forged, refused, pending, unavailable, issued, revoked
    #[serde(rename = "p")]
    rates: Option<[f64; 7]>,
    #[serde(rename = "h")]
    hit_rate: Option<f64>,
    #[serde(rename = "d")]
    duration_seconds: Option<(f64, f64)>,
}

/// Encodes a report.
pub(crate) fn encode(report: &NodeReport) -> Vec<u8> {
    let NodeReport {
        name,
        version,
        uptime_ms,
        is_ready,
        is_stopping,
        faults,
        lease_age_ms,
        cached_tokens,
        rates,
    } = report.clone();
    let figures = |rates: NodeRates| {
        let NodeRates { valid, forged, refused, pending, unavailable, issued, revoked, .. } = rates;
        [valid, forged, refused, pending, unavailable, issued, revoked]
    };
    pack_named(&Packed {
        name,
        version,
        uptime_ms,
        is_ready,
        is_stopping,
        faults,
        lease_age_ms,
        cached_tokens,
        rates: rates.map(figures),
        hit_rate: rates.and_then(|rates| rates.hit_rate),
        duration_seconds: rates.and_then(|rates| rates.duration_seconds),
    })
}

/// Decodes the answer to `HGETALL`, without the reports that cannot be decoded.
///
/// # Errors
/// `Corrupt` for an answer of another form.
pub(crate) fn decode_all(all: &Value) -> Result<Vec<ReportedNode>, StoreError> {
    let fields: HashMap<String, Vec<u8>> =
        from_redis_value_ref(all).map_err(|_| unexpected("the nodes' reports"))?;
    Ok(fields.into_iter().filter_map(|(id, field)| decode(id, &field)).collect())
}

fn decode(id: String, field: &[u8]) -> Option<ReportedNode> {
    let (time, packed) = field.split_at_checked(TIME_DIGITS)?;
    let packed = (packed.len() <= MAX_REPORT_BYTES).then_some(packed);
    let Packed {
        name,
        version,
        uptime_ms,
        is_ready,
        is_stopping,
        faults,
        lease_age_ms,
        cached_tokens,
        rates,
        hit_rate,
        duration_seconds,
    } = unpack(packed)?;
    let figures = |[valid, forged, refused, pending, unavailable, issued, revoked]: [f64; 7]| NodeRates {
        valid,
        forged,
        refused,
        pending,
        unavailable,
        issued,
        revoked,
        hit_rate,
        duration_seconds,
    };
    let rates = rates.map(figures);
    let report = NodeReport {
        name,
        version,
        uptime_ms,
        is_ready,
        is_stopping,
        faults,
        lease_age_ms,
        cached_tokens,
        rates,
    };
    Some(ReportedNode { id, reported_at_ms: number(Some(time))?, report })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::report::FaultKind;

    fn of_text(text: &str) -> Vec<u8> {
        [b"1800000000000", text.as_bytes()].concat()
    }

    #[test]
    fn the_longest_report_is_within_the_limit_and_is_read_back() {
        let rates = NodeRates {
            valid: 123_456.789,
            hit_rate: Some(0.987_654),
            duration_seconds: Some((1e-6, 2.5e-6)),
            ..NodeRates::default()
        };
        let report = NodeReport {
            name: "n".repeat(64),
            version: "10.20.30-rc.1".into(),
            uptime_ms: u64::MAX,
            is_ready: true,
            is_stopping: true,
            faults: FaultKind::ALL.iter().map(|kind| kind.name().to_owned()).collect(),
            lease_age_ms: Some(u64::MAX),
            cached_tokens: Some(u64::MAX),
            rates: Some(rates),
        };
        let packed = encode(&report);
        assert!(packed.len() <= MAX_REPORT_BYTES, "{}", packed.len());
        let node = decode("id".into(), &[b"1800000000000", &packed[..]].concat()).unwrap();
        assert_eq!((node.reported_at_ms, node.report), (1_800_000_000_000, report));
    }

    #[test]
    fn a_report_of_another_version_is_read_as_far_as_it_is_known() {
        #[derive(Serialize)]
        struct Other {
            n: &'static str,
            further: u8,
        }
        let packed = pack_named(&Other { n: "a", further: 1 });
        let node = decode("id".into(), &[b"1800000000000", &packed[..]].concat()).unwrap();
        assert_eq!(node.report, NodeReport { name: "a".into(), ..NodeReport::default() });
        let too_long = of_text(&"x".repeat(MAX_REPORT_BYTES + 1));
        for field in [&b""[..], b"1800000000000", b"180000000000x\x80", &of_text("text"), &too_long] {
            assert_eq!(decode("id".into(), field), None, "{field:?}");
        }
    }
}
