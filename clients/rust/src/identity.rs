//! The user of a request.

use std::borrow::Cow;
use std::time::Duration;

use http::{Extensions, HeaderMap};
use percent_encoding::percent_decode_str;

/// How a request carried its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// In a header, such as `Authorization`.
    Header,
    /// In a cookie.
    Cookie,
}

/// The user of a request, as Doorward's identity headers name it.
///
/// With the feature `axum`, `Identity` and `Option<Identity>` are extractors behind an [`AuthLayer`](crate::AuthLayer).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The user as whom the request acts: during a takeover, the user taken over.
    pub user: String,
    /// The user who logged in.
    pub actor: String,
    /// The public id of the token.
    pub token_id: String,
    /// The kind of the token.
    pub slug: Option<String>,
    /// The login service.
    pub backend: Option<String>,
    /// The device key that logged in.
    pub device: Option<String>,
    /// The time until the token expires, or until the takeover ends if that comes first; in whole seconds.
    pub expires_in: Duration,
    /// The scopes of the token.
    pub scopes: Vec<String>,
    /// How the request carried the token, if it is known.
    pub via: Option<Via>,
}

impl Identity {
    /// Makes the identity of a user who logged in with a token, for a [`Checker`](crate::Checker) of your own and for tests.
    pub fn new(user: impl Into<String>, token_id: impl Into<String>) -> Self {
        let user = user.into();
        Self {
            actor: user.clone(),
            user,
            token_id: token_id.into(),
            slug: None,
            backend: None,
            device: None,
            expires_in: Duration::ZERO,
            scopes: Vec::new(),
            via: None,
        }
    }

    /// Returns whether the actor acts as another user.
    pub fn is_takeover(&self) -> bool {
        self.user != self.actor
    }

    /// Returns whether the token has a scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|each| each == scope)
    }

    /// Reads the identity headers of a request that a proxy checked, or of Doorward's answer.
    ///
    /// Returns `None` for the anonymous user. Use it only where no client can send these headers itself.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = |name: &str| decoded(headers, name);
        let user = value("x-auth-user")?;
        let expires_in = value("x-auth-expires-in").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
        let scopes = value("x-auth-scopes").unwrap_or_default();
        let via = match value("x-auth-via").as_deref() {
            Some("header") => Some(Via::Header),
            Some("cookie") => Some(Via::Cookie),
            _ => None,
        };
        Some(Self {
            actor: value("x-auth-actor").unwrap_or_else(|| user.clone()),
            user,
            token_id: value("x-auth-token-id")?,
            slug: value("x-auth-slug"),
            backend: value("x-auth-backend"),
            device: value("x-auth-device"),
            expires_in: Duration::from_secs(expires_in),
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            via,
        })
    }

    /// Puts the identity of a checked request into its extensions, for the extractors; `None` is the anonymous user.
    pub fn attach(identity: Option<Self>, extensions: &mut Extensions) {
        extensions.remove::<Self>();
        extensions.insert(IsChecked);
        if let Some(identity) = identity {
            extensions.insert(identity);
        }
    }
}

/// Marks a request that was checked, also one of an anonymous user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsChecked;

/// Returns the only value of a header; `-` is no value. Of a header that comes twice, one may be forged.
fn decoded(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let is_value = !matches!(value, "" | "-");
    is_value.then(|| percent_decode_str(value).decode_utf8().ok().map(Cow::into_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Option<Identity> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Identity::from_headers(&map)
    }

    #[test]
    fn values_are_percent_encoded_and_a_dash_is_none() {
        let identity = read(&[
            ("x-auth-user", "zo%C3%AB"),
            ("x-auth-actor", "al%25ice"),
            ("x-auth-token-id", "jE0fuKh0wekXwO7v"),
            ("x-auth-slug", "-"),
            ("x-auth-expires-in", "3600"),
            ("x-auth-scopes", "a b"),
            ("x-auth-via", "cookie"),
        ]);
        let identity = identity.unwrap();
        assert_eq!((&*identity.user, &*identity.actor), ("zoë", "al%ice"));
        assert!(identity.is_takeover() && identity.has_scope("b") && !identity.has_scope("c"));
        assert_eq!((identity.slug, identity.via), (None, Some(Via::Cookie)));
        assert_eq!(identity.expires_in, Duration::from_secs(3600));
    }

    #[test]
    fn an_anonymous_or_ambiguous_user_is_none() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("x-auth-user", "-"), ("x-auth-token-id", "-")]), None);
        assert_eq!(read(&[("x-auth-user", "alice")]), None);
        let twice = [("x-auth-user", "bob"), ("x-auth-user", "alice"), ("x-auth-token-id", "x")];
        assert_eq!(read(&twice), None);
        assert_eq!(read(&[("x-auth-user", "%FF"), ("x-auth-token-id", "x")]), None);
    }
}
