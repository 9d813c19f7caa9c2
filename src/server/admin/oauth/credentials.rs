//! The credentials of an OAuth client: an API key, as a Bearer token or as the client secret.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hyper::header::{AUTHORIZATION, HeaderMap};

use super::error::OAuthError;
use super::form::Form;
use crate::request::headers::after_scheme;
use crate::server::admin::api_keys::{ApiKeys, KnownKey};
use crate::server::admin::problem::challenge;
use crate::values::Scope;

/// Clients differ about the padding.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a client authenticates.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientCredentials {
    /// The client does not authenticate.
    Absent,
    /// `Authorization: Bearer KEY`.
    Bearer(Vec<u8>),
    /// `Authorization: Basic`, with the key as the password. Empty if it is malformed.
    Basic(Vec<u8>),
    /// The client secret in the form.
    Form(Vec<u8>),
    /// By another scheme, or by more than one `Authorization` header.
    Unsupported,
}

impl ClientCredentials {
    /// Extracts the credentials in the headers.
    pub fn extract(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let line = match (lines.next(), lines.next()) {
            (None, _) => return Self::Absent,
            (Some(line), None) => line.as_bytes(),
            (Some(_), Some(_)) => return Self::Unsupported,
        };
        if let Some(key) = after_scheme(b"Bearer", line) {
            Self::Bearer(key.to_owned())
        } else if let Some(credentials) = after_scheme(b"Basic", line) {
            Self::Basic(password(credentials).unwrap_or_default())
        } else {
            Self::Unsupported
        }
    }

    /// Adds the credentials in the form.
    ///
    /// # Errors
    /// `InvalidRequest` if the client uses more than one way (RFC 6749, section 2.3).
    pub fn with(self, form: &Form) -> Result<Self, OAuthError> {
        match (&form.client_secret, self) {
            (None, credentials) => Ok(credentials),
            (Some(secret), Self::Absent) => Ok(Self::Form(secret.clone().into())),
            (Some(_), _) => Err(OAuthError::InvalidRequest("the client authenticates in more than one way")),
        }
    }

    /// Returns the API key, if it has one of these scopes. `key_name` gets its name in any case.
    ///
    /// # Errors
    /// `InvalidClient`, `InsufficientScope`.
    pub fn authorize(
        &self,
        keys: &ApiKeys,
        scopes: &'static [Scope],
        key_name: &mut Option<String>,
    ) -> Result<Arc<KnownKey>, OAuthError> {
        let (text, challenge): (&[u8], _) = match self {
            Self::Absent => (b"", challenge::API_KEY_MISSING),
            Self::Bearer(key) => (key, challenge::API_KEY_INVALID),
            Self::Basic(key) | Self::Form(key) => (key, challenge::BASIC),
            Self::Unsupported => (b"", challenge::BASIC),
        };
        let known = keys.find(text).map_err(|_| OAuthError::InvalidClient { challenge })?;
        *key_name = Some(known.name().to_owned());
        if known.has_one_of(scopes) { Ok(known) } else { Err(OAuthError::InsufficientScope(scopes)) }
    }
}

/// Decodes the client secret of Basic credentials. RFC 6749, section 2.3.1, wants it form-encoded, and many clients send it
/// as it is. API keys have no character that makes a difference.
fn password(credentials: &[u8]) -> Option<Vec<u8>> {
    let pair = BASIC.decode(credentials).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(percent_encoding::percent_decode(&pair[colon + 1..]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> ClientCredentials {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, line.parse().unwrap());
        }
        ClientCredentials::extract(&headers)
    }

    #[test]
    fn keys_are_extracted_from_every_scheme() {
        let basic = |key: &str| ClientCredentials::Basic(key.into());
        assert_eq!(of(&[]), ClientCredentials::Absent);
        assert_eq!(of(&["bearer  k-1 "]), ClientCredentials::Bearer(b"k-1".into()));
        assert_eq!(of(&["Basic YXBpOmstMQ=="]), basic("k-1"));
        assert_eq!(of(&["basic YXBpOmstMQ"]), basic("k-1"), "without padding");
        assert_eq!(of(&["Basic Omst"]), basic("k-"), "any client_id, none too");
        assert_eq!(of(&["Basic YSUzQWI6ayUyRDE="]), basic("k-1"), "a%3Ab:k%2D1");
        for malformed in ["Basic", "Basic ?", "Basic YXBp"] {
            assert_eq!(of(&[malformed]), basic(""), "{malformed}");
        }
        assert_eq!(of(&["Digest x"]), ClientCredentials::Unsupported);
        assert_eq!(of(&["Bearer a", "Bearer a"]), ClientCredentials::Unsupported);
    }

    #[test]
    fn a_client_authenticates_in_one_way() {
        let with_secret = Form::parse(b"client_secret=s").unwrap();
        assert_eq!(
            ClientCredentials::Absent.with(&with_secret).unwrap(),
            ClientCredentials::Form(b"s".into())
        );
        for credentials in [
            ClientCredentials::Bearer(b"s".into()),
            ClientCredentials::Basic(b"s".into()),
            ClientCredentials::Unsupported,
        ] {
            assert!(credentials.with(&with_secret).is_err());
        }
        let without = Form::parse(b"client_id=x").unwrap();
        assert_eq!(
            ClientCredentials::Basic(b"s".into()).with(&without).unwrap(),
            ClientCredentials::Basic(b"s".into())
        );
    }
}
