//! A header for the collector of traces.

use http::header::HeaderName;

use super::secret_string::SecretString;

/// A header of each request to the collector; its value may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpHeader {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: SecretString,
}
