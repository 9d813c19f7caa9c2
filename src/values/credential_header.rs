//! The header that carries credentials.

use http::header::{AUTHORIZATION, HeaderName};

/// The name of the header that carries credentials; by default `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialHeader(pub HeaderName);

impl Default for CredentialHeader {
    fn default() -> Self {
        Self(AUTHORIZATION)
    }
}
