//! A scheme of the `Authorization` header.

use http::header::{AUTHORIZATION, HeaderName};

/// The word before a token string in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderScheme {
    /// A scheme such as `Bearer`, and a space (RFC 9110, section 11.4). Compared without regard to case.
    Named(String),
    /// Nothing: the token string is the whole value.
    None,
}

impl HeaderScheme {
    /// The scheme of OAuth's bearer tokens (RFC 6750).
    pub fn bearer() -> Self {
        Self::Named("Bearer".into())
    }

    /// Whether both mean the same in a request.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(name), Self::Named(other)) => name.eq_ignore_ascii_case(other),
            _ => self == other,
        }
    }
}

/// The name of the header that carries credentials; by default `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialHeader(pub HeaderName);

impl Default for CredentialHeader {
    fn default() -> Self {
        Self(AUTHORIZATION)
    }
}
