//! The two text formats, and which of them a scraper wants.

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

/// A text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// Prometheus text format 0.0.4, which every scraper reads.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl TextFormat {
    /// Returns the format for an `Accept` header (RFC 9110, section 12.5.1): OpenMetrics if it is named and is not worth
    /// less than plain text, else the Prometheus format.
    pub fn accepted(accept: &str) -> Self {
        let quality = |wanted: &str| {
            let ranges = accept.split(',').map(|range| range.split(';').map(str::trim));
            let of_range = |mut parts: std::iter::Map<_, _>| {
                let is_wanted = parts.next().is_some_and(|kind: &str| kind.eq_ignore_ascii_case(wanted));
                let quality =
                    parts.find_map(|part: &str| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
                is_wanted.then(|| quality.map_or(1.0, |text| text.parse().unwrap_or(0.0)))
            };
            ranges.filter_map(of_range).fold(0.0, f32::max)
        };
        let open_metrics = quality("application/openmetrics-text");
        match open_metrics > 0.0 && open_metrics >= quality("text/plain") {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    /// Returns the value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Returns the metrics of a registry as text.
    pub(super) fn encode(self, registry: &Registry) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Prometheus => prometheus_text::encode(&mut text, registry),
            Self::OpenMetrics => text::encode(&mut text, registry),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_scrapers_that_ask_for_it() {
        for (accept, expected) in [
            ("", TextFormat::Prometheus),
            ("*/*", TextFormat::Prometheus),
            ("text/plain;version=0.0.4", TextFormat::Prometheus),
            ("text/plain;version=0.0.4, application/openmetrics-text;q=0.5", TextFormat::Prometheus),
            ("application/openmetrics-text; version=1.0.0; q=0", TextFormat::Prometheus),
            ("application/openmetrics-text", TextFormat::OpenMetrics),
            // Prometheus 2.42.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                TextFormat::OpenMetrics,
            ),
        ] {
            assert_eq!(TextFormat::accepted(accept), expected, "{accept}");
        }
    }
}
