//! Where traces go: the base URL of an OTLP collector, and the headers that it wants.

use hyper::Uri;
use hyper::header::HeaderName;

use super::SecretString;

/// The base URL of a collector that accepts OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint {
    /// Without a slash at its end.
    base: String,
}

/// A header of each request to the collector; its value may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpHeader {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: SecretString,
}

impl OtlpEndpoint {
    /// Parses `http://HOST:PORT` or `https://HOST:PORT`, with or without a path. Returns `None` for anything else, also for
    /// a URL with a login or a query.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority()?;
        let is_plain =
            !authority.host().is_empty() && !authority.as_str().contains('@') && !text.contains('#');
        (is_http && is_plain && uri.query().is_none())
            .then(|| Self { base: text.trim_end_matches('/').into() })
    }

    /// Returns the URL for traces: the base with `v1/traces` (OpenTelemetry's specification of the OTLP exporter, "Endpoint
    /// URLs for OTLP/HTTP").
    pub fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_below_the_base() {
        for (base, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example/otlp", "https://otlp.example/otlp/v1/traces"),
            ("https://[::1]:4318/otlp/", "https://[::1]:4318/otlp/v1/traces"),
        ] {
            assert_eq!(OtlpEndpoint::parse(base).unwrap().traces_url(), url);
        }
    }

    #[test]
    fn only_a_plain_http_url_is_an_endpoint() {
        for text in [
            "",
            "127.0.0.1:4318",
            "localhost",
            "/v1/traces",
            "grpc://localhost:4317",
            "http://",
            "http:///v1",
            "http://user:secret@localhost",
            "http://localhost?key=secret",
            "http://localhost#x",
            "http://local host",
        ] {
            assert_eq!(OtlpEndpoint::parse(text), None, "{text}");
        }
    }
}
