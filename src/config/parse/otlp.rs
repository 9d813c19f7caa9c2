//! The collector of traces.

use std::str::FromStr as _;

use http::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::list::parse_items;
use super::scalar::Parsed;
use crate::values::{OtlpHeader, SecretString, Url};

const MAX_HEADERS: usize = 16;

/// Parses the base URL of a collector; an empty text is `None`.
pub(crate) fn otlp_endpoint(text: &str) -> Parsed<Option<Url>> {
    if text.is_empty() { Ok(None) } else { Url::parse(text).map(Some) }
}

/// Parses headers in the form of OpenTelemetry's `OTEL_EXPORTER_OTLP_HEADERS`: `NAME=VALUE`, with `%XX` in the value for
/// commas and other special characters.
pub(crate) fn otlp_headers(text: &str) -> Parsed<Vec<OtlpHeader>> {
    parse_items(text, MAX_HEADERS, "header", |item| {
        header(item).ok_or_else(|| "it is not NAME=VALUE with the name and the value of a header".into())
    })
}

fn header(item: &str) -> Option<OtlpHeader> {
    let (name, value) = item.split_once('=')?;
    let name = HeaderName::from_str(name.trim()).ok()?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let is_sendable = HeaderValue::from_str(&value).is_ok();
    is_sendable.then(|| OtlpHeader { name, value: SecretString::new(value) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs_and_their_values_are_secret() {
        let headers = otlp_headers("X-Key=a%2Cb%3D%20c, authorization = Bearer x=").unwrap();
        let shown = headers.iter().map(|header| (header.name.as_str(), header.value.expose()));
        assert_eq!(shown.collect::<Vec<_>>(), [("x-key", "a,b= c"), ("authorization", "Bearer x=")]);
        assert!(!format!("{headers:?}").contains("Bearer"), "{headers:?}");
        for text in ["x", "=x", "a b=c", "a=%0a", "a=%ff", &"a=b,".repeat(17)] {
            assert!(otlp_headers(text).is_err(), "{text}");
        }
    }
}
