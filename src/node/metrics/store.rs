//! The store: its faults, and the tracking and the lease of each master.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::encode::gauges;
use crate::node::readiness::Readiness;
use crate::store::Store;
use crate::store::report::FaultKind;

/// Encodes the findings of the last probe of the store, and the leases.
pub(super) fn encode(
    (readiness, store): &(Readiness, Store),
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let report = readiness.report();
    let has = |kind: FaultKind| report.faults.iter().any(|fault| fault.kind == kind);
    let faults = FaultKind::ALL.map(|kind| ([("kind", kind.name())], flag(has(kind))));
    gauges(encoder, ("store_fault", "1 if the store has a fault of this kind, else 0."), faults)?;
    let about = (
        "tracking_live",
        "1 if this master announces changed tokens, so that its tokens may be cached, else 0.",
    );
    let tracked = report
        .masters
        .iter()
        .filter_map(|master| Some(([("master", master.address.as_str())], flag(master.is_tracked?))));
    gauges(encoder, about, tracked)?;
    let about =
        ("lease_age_seconds", "Time since this master last proved that no change of a token is missing.");
    let leases = store.lease_ages_ms();
    let ages = leases.iter().map(|(master, age_ms)| ([("master", master.as_str())], seconds(*age_ms)));
    gauges(encoder, about, ages)?;
    let about = ("redis_evicting", "1 if the maxmemory-policy of this master may evict keys, else 0.");
    let evicting =
        report.masters.iter().map(|master| ([("master", master.address.as_str())], flag(master.evicts())));
    gauges(encoder, about, evicting)
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
