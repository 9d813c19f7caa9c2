//! Validations by result and source, with their durations.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{HistogramSums, Label, counters, histograms};
use crate::validation::counters::{AllValidations, JudgedBy, ValidationResult};

/// Encodes the sums of the counters of all validators.
pub(super) fn encode(validations: &AllValidations, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let sums = validations.sums();
    let about = (
        "validations",
        "Validations, by result and by source: cache (judged in memory) or store (Redis was read).",
    );
    let counts = outcomes().map(|(result, by)| (labels(result, by), sums.count(result, by)));
    counters(encoder, about, counts)?;
    let about = (
        "validation_duration_seconds",
        "Time from a parsed request to its written answer, by result and source. Without batches.",
    );
    let durations = outcomes().map(|(result, by)| {
        let timed = sums.timed(result, by);
        (labels(result, by), HistogramSums { sum: timed.sum_seconds(), buckets: timed.buckets().collect() })
    });
    histograms(encoder, about, durations)
}

/// Every pair that occurs: a forged string is refused before the store is read.
fn outcomes() -> impl Iterator<Item = (ValidationResult, JudgedBy)> {
    let pairs = ValidationResult::ALL.into_iter().flat_map(|result| JudgedBy::ALL.map(|by| (result, by)));
    pairs.filter(|pair| *pair != (ValidationResult::Forged, JudgedBy::Redis))
}

fn labels(result: ValidationResult, by: JudgedBy) -> [Label<'static>; 2] {
    [("result", result.name()), ("source", by.name())]
}
