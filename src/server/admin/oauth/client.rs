//! Who an OAuth client is: an API key, as a Bearer token or as the client secret.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hyper::header::{AUTHORIZATION, HeaderMap};

use super::refusal::Refusal;
use crate::server::admin::api_keys;
use crate::server::request::credentials::after_scheme;
use crate::values::{ApiKey, Scope};

/// Clients differ about the padding.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const BEARER_CHALLENGE: &str = "Bearer realm=\"doorward-admin\"";
const BEARER_FAILED_CHALLENGE: &str = "Bearer realm=\"doorward-admin\", error=\"invalid_token\"";
const BASIC_CHALLENGE: &str = "Basic realm=\"doorward-admin\"";

/// The parameters that count. One without a value is as good as none (RFC 6749, section 3.2); others are ignored, a
/// `token_type_hint` too, for there is one type.
#[derive(Debug, Default)]
pub struct Form {
    /// The token it is about.
    pub token: Option<String>,
    client_secret: Option<String>,
}

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// `InvalidRequest` when a parameter is there twice.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut form = Self::default();
        let mut names = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "token" => form.token = Some(value.into_owned()).filter(|value| !value.is_empty()),
                "client_secret" => {
                    form.client_secret = Some(value.into_owned()).filter(|value| !value.is_empty());
                }
                _ => {}
            }
            names.push(name);
        }
        names.sort_unstable();
        match names.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(Refusal::invalid_request("a parameter is there twice")),
            false => Ok(form),
        }
    }
}

/// How a client showed its key.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented {
    /// Not at all.
    Absent,
    /// `Authorization: Bearer KEY`.
    Bearer(Vec<u8>),
    /// `Authorization: Basic`, the key being the password; empty when it cannot be read.
    Basic(Vec<u8>),
    /// In the form.
    Form(Vec<u8>),
    /// `Authorization` with another scheme, or more than once.
    Unreadable,
}

impl Presented {
    /// What the header says.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let line = match (lines.next(), lines.next()) {
            (None, _) => return Self::Absent,
            (Some(line), None) => line.as_bytes(),
            (Some(_), Some(_)) => return Self::Unreadable,
        };
        if let Some(key) = after_scheme(b"Bearer", line) {
            Self::Bearer(key.to_owned())
        } else if let Some(credentials) = after_scheme(b"Basic", line) {
            Self::Basic(password(credentials).unwrap_or_default())
        } else {
            Self::Unreadable
        }
    }

    /// What the form adds.
    ///
    /// # Errors
    /// `InvalidRequest` for more than one way at once (RFC 6749, section 2.3).
    pub fn with(self, form: &Form) -> Result<Self, Refusal> {
        match (&form.client_secret, self) {
            (None, presented) => Ok(presented),
            (Some(secret), Self::Absent) => Ok(Self::Form(secret.clone().into())),
            (Some(_), _) => Err(Refusal::invalid_request("the client authenticates in more than one way")),
        }
    }

    /// The key, which has one of these scopes.
    ///
    /// # Errors
    /// `InvalidClient`, `InsufficientScope`.
    pub fn authorize<'a>(&self, keys: &'a [ApiKey], scopes: &'static [Scope]) -> Result<&'a ApiKey, Refusal> {
        let (given, challenge): (&[u8], _) = match self {
            Self::Absent => (b"", BEARER_CHALLENGE),
            Self::Bearer(key) => (key, BEARER_FAILED_CHALLENGE),
            Self::Basic(key) | Self::Form(key) => (key, BASIC_CHALLENGE),
            Self::Unreadable => (b"", BASIC_CHALLENGE),
        };
        match api_keys::find(keys, given) {
            None => Err(Refusal::InvalidClient { challenge }),
            Some(key) if api_keys::has_one_of(key, scopes) => Ok(key),
            Some(_) => Err(Refusal::InsufficientScope(scopes)),
        }
    }
}

/// The client secret of Basic credentials. RFC 6749, section 2.3.1, has it form-encoded, which many clients do not
/// do; a key has no character that would be read otherwise then.
fn password(credentials: &[u8]) -> Option<Vec<u8>> {
    let pair = BASIC.decode(credentials).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(percent_encoding::percent_decode(&pair[colon + 1..]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Presented {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, line.parse().unwrap());
        }
        Presented::of(&headers)
    }

    #[test]
    fn the_key_is_found_wherever_a_client_puts_it() {
        let basic = |key: &str| Presented::Basic(key.into());
        assert_eq!(of(&[]), Presented::Absent);
        assert_eq!(of(&["bearer  k-1 "]), Presented::Bearer(b"k-1".into()));
        assert_eq!(of(&["Basic YXBpOmstMQ=="]), basic("k-1"));
        assert_eq!(of(&["basic YXBpOmstMQ"]), basic("k-1"), "without padding");
        assert_eq!(of(&["Basic Omst"]), basic("k-"), "any client_id, none too");
        assert_eq!(of(&["Basic YSUzQWI6ayUyRDE="]), basic("k-1"), "a%3Ab:k%2D1");
        for unreadable in ["Basic", "Basic ?", "Basic YXBp"] {
            assert_eq!(of(&[unreadable]), basic(""), "{unreadable}");
        }
        assert_eq!(of(&["Digest x"]), Presented::Unreadable);
        assert_eq!(of(&["Bearer a", "Bearer a"]), Presented::Unreadable);
    }

    #[test]
    fn a_form_has_each_parameter_once() {
        let form = Form::parse(b"token=a%2Db&client_id=x&client_secret=s&other=1").unwrap();
        assert_eq!((form.token.as_deref(), form.client_secret.as_deref()), (Some("a-b"), Some("s")));
        let form = Form::parse(b"token=&client_secret").unwrap();
        assert_eq!((form.token, form.client_secret), (None, None));
        for twice in ["token=a&token=a", "token=&x=1&token=a", "token=a&x=1&x=2", "token=a&to%6ben=b"] {
            assert!(Form::parse(twice.as_bytes()).is_err(), "{twice}");
        }
    }

    #[test]
    fn only_one_way_at_once() {
        let with_secret = Form::parse(b"client_secret=s").unwrap();
        assert_eq!(Presented::Absent.with(&with_secret).unwrap(), Presented::Form(b"s".into()));
        for presented in
            [Presented::Bearer(b"s".into()), Presented::Basic(b"s".into()), Presented::Unreadable]
        {
            assert!(presented.with(&with_secret).is_err());
        }
        let without = Form::parse(b"client_id=x").unwrap();
        assert_eq!(Presented::Basic(b"s".into()).with(&without).unwrap(), Presented::Basic(b"s".into()));
    }
}
