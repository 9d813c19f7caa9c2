//! The form that an OAuth client posts.

use std::borrow::Cow;

use super::error::OAuthError;

/// The parameters that have a meaning. A parameter without a value counts as absent (RFC 6749, section 3.2). All others are
/// ignored, `token_type_hint` too: there is only one type.
#[derive(Debug, Default)]
pub struct Form {
    /// The token string.
    pub token: Option<String>,
    /// The API key.
    pub client_secret: Option<String>,
}

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// `InvalidRequest` if a parameter is repeated.
    pub fn parse(body: &[u8]) -> Result<Self, OAuthError> {
        let mut form = Self::default();
        let non_empty = |value: Cow<'_, str>| Some(value.into_owned()).filter(|value| !value.is_empty());
        let mut names = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "token" => form.token = non_empty(value),
                "client_secret" => form.client_secret = non_empty(value),
                _ => {}
            }
            names.push(name);
        }
        names.sort_unstable();
        match names.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(OAuthError::InvalidRequest("a parameter is repeated")),
            false => Ok(form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused() {
        let form = Form::parse(b"token=a%2Db&client_id=x&client_secret=s&other=1").unwrap();
        assert_eq!((form.token.as_deref(), form.client_secret.as_deref()), (Some("a-b"), Some("s")));
        let form = Form::parse(b"token=&client_secret").unwrap();
        assert_eq!((form.token, form.client_secret), (None, None));
        for twice in ["token=a&token=a", "token=&x=1&token=a", "token=a&x=1&x=2", "token=a&to%6ben=b"] {
            assert!(Form::parse(twice.as_bytes()).is_err(), "{twice}");
        }
    }
}
