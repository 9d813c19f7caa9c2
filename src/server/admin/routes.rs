//! What the admin plane's paths name: which methods each takes, and which scope an API key needs for it.

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::model::field_rules as rules;
use crate::token_string::TokenId;
use crate::values::Scope;

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    Livez,
    Readyz,
    Metrics,
    Status,
    OpenApi,
    Tokens,
    Token(TokenId),
    Rotate(TokenId),
    Confirm(TokenId),
    Takeover(TokenId),
    TokenTakeovers(TokenId),
    Related(TokenId),
    /// A token, a content type and an object id.
    RelatedTo(TokenId, String, String),
    ObjectTokens(String, String),
    UserTokens(String),
    UserTakeovers(String),
    UserEvents(String),
    Events,
    UserDevices(String),
    /// A user and a uuid, as it is kept.
    Device(String, String),
    DeviceLogin,
    Validate,
    Introspect,
    Revoke,
}

impl Route {
    /// `None` when the path names nothing.
    pub fn find(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        Some(match segments.as_slice() {
            ["livez"] => Self::Livez,
            ["readyz"] => Self::Readyz,
            ["metrics"] => Self::Metrics,
            ["openapi.json"] => Self::OpenApi,
            ["introspect"] => Self::Introspect,
            ["revoke"] => Self::Revoke,
            ["v1", "status"] => Self::Status,
            ["v1", "tokens"] => Self::Tokens,
            ["v1", "tokens", id] => Self::Token(TokenId::parse(id)?),
            ["v1", "tokens", id, "rotate"] => Self::Rotate(TokenId::parse(id)?),
            ["v1", "tokens", id, "confirm"] => Self::Confirm(TokenId::parse(id)?),
            ["v1", "tokens", id, "takeover"] => Self::Takeover(TokenId::parse(id)?),
            ["v1", "tokens", id, "takeovers"] => Self::TokenTakeovers(TokenId::parse(id)?),
            ["v1", "events"] => Self::Events,
            ["v1", "tokens", id, "related"] => Self::Related(TokenId::parse(id)?),
            ["v1", "tokens", id, "related", content_type, object_id] => {
                Self::RelatedTo(TokenId::parse(id)?, decoded(content_type)?, decoded(object_id)?)
            }
            ["v1", "related", content_type, object_id, "tokens"] => {
                Self::ObjectTokens(decoded(content_type)?, decoded(object_id)?)
            }
            ["v1", "validate"] => Self::Validate,
            ["v1", "users", user, "tokens"] => Self::UserTokens(decoded(user)?),
            ["v1", "users", user, "takeovers"] => Self::UserTakeovers(decoded(user)?),
            ["v1", "users", user, "events"] => Self::UserEvents(decoded(user)?),
            ["v1", "users", user, "devices"] => Self::UserDevices(decoded(user)?),
            ["v1", "users", user, "devices", uuid] => {
                Self::Device(decoded(user)?, kept_uuid(&decoded(uuid)?)?)
            }
            ["v1", "devices", "login"] => Self::DeviceLogin,
            _ => return None,
        })
    }

    /// As the header `Allow` lists them.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Livez
            | Self::Readyz
            | Self::Metrics
            | Self::Status
            | Self::OpenApi
            | Self::TokenTakeovers(_)
            | Self::UserTakeovers(_)
            | Self::UserEvents(_) => "GET, HEAD",
            // Its answer to HEAD would never end.
            Self::Events => "GET",
            Self::Tokens
            | Self::Rotate(_)
            | Self::Confirm(_)
            | Self::Validate
            | Self::Introspect
            | Self::Revoke
            | Self::DeviceLogin => "POST",
            Self::UserDevices(_) => "GET, HEAD, POST",
            Self::RelatedTo(..) => "DELETE",
            Self::Token(_) | Self::Device(..) => "GET, HEAD, PATCH, DELETE",
            Self::Takeover(_) | Self::Related(_) => "POST, DELETE",
            Self::UserTokens(_) | Self::ObjectTokens(..) => "GET, HEAD, DELETE",
        }
    }

    /// Whether it takes this method.
    pub fn takes(&self, method: &Method) -> bool {
        self.methods().split(", ").any(|allowed| allowed == method)
    }

    /// The scopes of which an API key needs one; none for what needs no key.
    pub fn scopes(&self) -> &'static [Scope] {
        match self {
            // The document tells nothing that is not public.
            Self::Livez | Self::Readyz | Self::OpenApi => &[],
            Self::Metrics | Self::Status => &[Scope::Metrics],
            Self::Validate | Self::Introspect => &[Scope::Introspect],
            Self::Revoke => &[Scope::Introspect, Scope::Tokens],
            Self::Tokens
            | Self::Token(_)
            | Self::Rotate(_)
            | Self::Confirm(_)
            | Self::Related(_)
            | Self::RelatedTo(..)
            | Self::ObjectTokens(..)
            | Self::UserTokens(_) => &[Scope::Tokens],
            Self::Takeover(_) | Self::TokenTakeovers(_) | Self::UserTakeovers(_) => &[Scope::Takeovers],
            Self::UserEvents(_) | Self::Events => &[Scope::Events],
            Self::UserDevices(_) | Self::Device(..) | Self::DeviceLogin => &[Scope::Devices],
        }
    }
}

/// A uuid as it is kept; `None` for what is none. A dot segment stays as it is, for the call to refuse it by name: its client
/// may have meant another path.
fn kept_uuid(text: &str) -> Option<String> {
    if rules::is_dot_segment(text) { Some(text.to_owned()) } else { rules::device_uuid(text).ok() }
}

/// A path segment's text; a slash in it is escaped, so segments are split before they are decoded.
fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variants of [`Route`]; the compiler asks for a new one here.
    const ROUTES: usize = 24;
    const _: fn(&Route) = |route| match route {
        Route::Livez | Route::Readyz | Route::Metrics | Route::Status | Route::OpenApi => {}
        Route::Tokens | Route::Token(_) => {}
        Route::Rotate(_) | Route::Confirm(_) | Route::Takeover(_) | Route::TokenTakeovers(_) => {}
        Route::UserTokens(_) | Route::UserTakeovers(_) | Route::UserEvents(_) | Route::Events => {}
        Route::UserDevices(_) | Route::Device(..) | Route::DeviceLogin => {}
        Route::Related(_) | Route::RelatedTo(..) | Route::ObjectTokens(..) => {}
        Route::Validate | Route::Introspect | Route::Revoke => {}
    };

    /// Every call is in the document and nothing else of this plane: with its methods and scopes.
    #[test]
    fn the_openapi_document_lists_these_calls() {
        let document: serde_json::Value = serde_json::from_str(crate::server::admin::plane::OPENAPI).unwrap();
        let mut routes = std::collections::HashSet::new();
        for (path, calls) in document["paths"].as_object().unwrap() {
            if calls["servers"][0]["url"] == "http://127.0.0.1:8080" {
                continue;
            }
            let path = path.replace("{id}", "AAAAAAAAAAAAAAAA").replace(['{', '}'], "");
            let route = Route::find(&path).unwrap_or_else(|| panic!("{path} names nothing"));
            let calls = calls.as_object().unwrap().iter().filter(|(name, _)| *name != "servers");
            let mut methods: Vec<_> = calls.clone().map(|(method, _)| method.to_uppercase()).collect();
            methods.sort_unstable();
            let mut expected: Vec<_> =
                route.methods().split(", ").filter(|method| *method != "HEAD").collect();
            expected.sort_unstable();
            assert_eq!(methods, expected, "{path}");
            let names: Vec<_> = route.scopes().iter().map(|scope| scope.name()).collect();
            for (method, call) in calls {
                let scopes = call["x-scopes"].as_array().cloned().unwrap_or_default();
                assert_eq!(scopes, names, "{method} {path}");
            }
            routes.insert(std::mem::discriminant(&route));
        }
        assert_eq!(routes.len(), ROUTES, "a route is missing in docs/openapi.json");
    }

    #[test]
    fn paths_name_what_they_should() {
        assert_eq!(Route::find("/v1/users/a%2Fb%20%C3%A9/tokens"), Some(Route::UserTokens("a/b é".into())));
        assert!(matches!(Route::find("/v1/tokens/jE1hGDDTZBpo-Upp"), Some(Route::Token(_))));
        for uuid in ["01234567-89AB-cdef-0123-456789abcdef", "0123456789abcdef0123456789ABCDEF"] {
            let device = Route::Device("alice".into(), "0123456789abcdef0123456789abcdef".into());
            assert_eq!(Route::find(&format!("/v1/users/alice/devices/{uuid}")), Some(device));
        }
        let dots = Route::Device("..".into(), ".".into());
        assert_eq!(Route::find("/v1/users/%2E%2e/devices/%2e"), Some(dots));
        for unknown in [
            "",
            "/",
            "/v1",
            "/v1/users/a/devices/-",
            "/v1/users/a/devices/",
            "/v1/tokens/",
            "/v1/tokens/short",
            "/v1/users/%ff/tokens",
            "//livez",
        ] {
            assert_eq!(Route::find(unknown), None, "{unknown}");
        }
    }
}
