//! Encoding values that are read when the metrics are scraped.

use std::fmt::Result;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Above this, not every whole number is an `f64`.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A label: its name and its value.
pub type Label<'a> = (&'static str, &'a str);

/// Encodes a counter. Its name is without `_total`, which the encoder adds.
pub fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, count: u64) -> Result {
    ConstCounter::new(count).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

/// Encodes a counter of seconds. Its name is without `_total`, which the encoder adds.
pub fn seconds(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, sum: f64) -> Result {
    ConstCounter::new(sum).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

/// Encodes a counter for each of these labels.
pub fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    counts: impl IntoIterator<Item = (L, u64)>,
) -> Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, count) in counts {
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Encodes a gauge.
pub fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result {
    encode_value(value, encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

/// Encodes a gauge for each of these labels.
pub fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    values: impl IntoIterator<Item = (L, f64)>,
) -> Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        encode_value(value, family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Encodes a whole number as one: `1`, not `1.0`.
fn encode_value(value: f64, encoder: MetricEncoder<'_>) -> Result {
    if value.fract() == 0.0 && value.abs() < MAX_EXACT {
        ConstGauge::new(value as i64).encode(encoder)
    } else {
        ConstGauge::new(value).encode(encoder)
    }
}

/// A histogram to encode: the sum in seconds, and the buckets by their upper bounds, not cumulative.
pub struct HistogramSums {
    /// The sum of all observations.
    pub sum: f64,
    /// The upper bounds, the last of which is infinite, and the counts.
    pub buckets: Vec<(f64, u64)>,
}

/// Encodes a histogram for each of these labels.
pub fn histograms<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    histograms: impl IntoIterator<Item = (L, HistogramSums)>,
) -> Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (labels, HistogramSums { sum, buckets }) in histograms {
        let count = buckets.iter().map(|(_, count)| count).sum();
        family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
    }
    Ok(())
}
