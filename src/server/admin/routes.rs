//! The table of all calls of the admin plane.

use hyper::{Method, StatusCode};

use super::handlers::{
    devices, events, metrics, openapi, related, status, takeovers, tokens, user_tokens, users, validate,
};
use super::oauth::{introspect, revoke};
use super::path_params::PathParams;
use super::problem::Problem;
use super::route::Handler::{ApiKey, OAuth, Public};
use super::route::{Route, delete, get, get_stream, patch, post};
use crate::server::transport::response::empty;
use crate::values::Scope;

const TOKENS: &[Scope] = &[Scope::Tokens];
const TAKEOVERS: &[Scope] = &[Scope::Takeovers];
const DEVICES: &[Scope] = &[Scope::Devices];
const EVENTS: &[Scope] = &[Scope::Events];
const INTROSPECT: &[Scope] = &[Scope::Introspect];
const INTROSPECT_OR_TOKENS: &[Scope] = &[Scope::Introspect, Scope::Tokens];
const METRICS: &[Scope] = &[Scope::Metrics];

/// Every call, the most frequent first: the search is linear. No path matches two patterns.
const ROUTES: &[Route] = &[
    post("/v1/validate", ApiKey(INTROSPECT, |call| Box::pin(validate::validate(call)))),
    post("/introspect", OAuth(INTROSPECT, |call| Box::pin(introspect::introspect(call)))),
    post("/revoke", OAuth(INTROSPECT_OR_TOKENS, |call| Box::pin(revoke::revoke(call)))),
    get("/livez", Public(|_| empty(StatusCode::OK))),
    get("/readyz", Public(|admin| admin.readiness.response())),
    get("/openapi.json", Public(|_| openapi::document())),
    get("/metrics", ApiKey(METRICS, |call| Box::pin(metrics::show(call)))),
    get("/v1/status", ApiKey(METRICS, |call| Box::pin(status::show(call)))),
    post("/v1/tokens", ApiKey(TOKENS, |call| Box::pin(tokens::issue(call)))),
    get("/v1/tokens/{id}", ApiKey(TOKENS, |call| Box::pin(tokens::show(call)))),
    patch("/v1/tokens/{id}", ApiKey(TOKENS, |call| Box::pin(tokens::change(call)))),
    delete("/v1/tokens/{id}", ApiKey(TOKENS, |call| Box::pin(tokens::revoke(call)))),
    post("/v1/tokens/{id}/rotate", ApiKey(TOKENS, |call| Box::pin(tokens::rotate(call)))),
    post("/v1/tokens/{id}/confirm", ApiKey(TOKENS, |call| Box::pin(tokens::confirm(call)))),
    post("/v1/tokens/{id}/related", ApiKey(TOKENS, |call| Box::pin(related::relate(call)))),
    delete("/v1/tokens/{id}/related", ApiKey(TOKENS, |call| Box::pin(related::unrelate(call)))),
    delete(
        "/v1/tokens/{id}/related/{content_type}/{object_id}",
        ApiKey(TOKENS, |call| Box::pin(related::unrelate_by_path(call))),
    ),
    get(
        "/v1/related/{content_type}/{object_id}/tokens",
        ApiKey(TOKENS, |call| Box::pin(related::list_tokens(call))),
    ),
    delete(
        "/v1/related/{content_type}/{object_id}/tokens",
        ApiKey(TOKENS, |call| Box::pin(related::revoke_tokens(call))),
    ),
    post("/v1/tokens/{id}/takeover", ApiKey(TAKEOVERS, |call| Box::pin(takeovers::start(call)))),
    delete("/v1/tokens/{id}/takeover", ApiKey(TAKEOVERS, |call| Box::pin(takeovers::end(call)))),
    get("/v1/tokens/{id}/takeovers", ApiKey(TAKEOVERS, |call| Box::pin(takeovers::list_of_token(call)))),
    get("/v1/users/{user}/takeovers", ApiKey(TAKEOVERS, |call| Box::pin(takeovers::list_of_user(call)))),
    get("/v1/users/{user}/tokens", ApiKey(TOKENS, |call| Box::pin(user_tokens::list(call)))),
    delete("/v1/users/{user}/tokens", ApiKey(TOKENS, |call| Box::pin(user_tokens::revoke_all(call)))),
    delete("/v1/users/{user}", ApiKey(TOKENS, |call| Box::pin(users::erase(call)))),
    get("/v1/users/{user}/events", ApiKey(EVENTS, |call| Box::pin(events::list_of_user(call)))),
    get_stream("/v1/events", ApiKey(EVENTS, |call| Box::pin(events::follow(call)))),
    get("/v1/users/{user}/devices", ApiKey(DEVICES, |call| Box::pin(devices::list(call)))),
    post("/v1/users/{user}/devices", ApiKey(DEVICES, |call| Box::pin(devices::get_or_create(call)))),
    get("/v1/users/{user}/devices/{uuid}", ApiKey(DEVICES, |call| Box::pin(devices::show(call)))),
    patch("/v1/users/{user}/devices/{uuid}", ApiKey(DEVICES, |call| Box::pin(devices::change(call)))),
    delete("/v1/users/{user}/devices/{uuid}", ApiKey(DEVICES, |call| Box::pin(devices::remove(call)))),
    post("/v1/devices/login", ApiKey(DEVICES, |call| Box::pin(devices::log_in(call)))),
];

/// Finds the route of a call, and the values in its path.
///
/// # Errors
/// 404 for an unknown path, 405 with `Allow` for a known path without this method.
pub fn find(method: &Method, path: &str) -> Result<(&'static Route, PathParams), Problem> {
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some(params) = route.params(path) else { continue };
        if route.methods().any(|allowed| allowed == *method) {
            return Ok((route, params));
        }
        allowed.extend(route.methods());
    }
    if allowed.is_empty() {
        Err(Problem::no_such_path(path))
    } else {
        Err(Problem::method_not_allowed(&allowed))
    }
}

/// Returns the pattern of a path; `None` for an unknown one.
pub fn pattern(path: &str) -> Option<&'static str> {
    ROUTES.iter().find(|route| route.params(path).is_some()).map(|route| route.pattern)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use hyper::HeaderMap;

    use super::*;
    use crate::entropy::Entropy;
    use crate::server::admin::handlers::openapi::OPENAPI;
    use crate::server::admin::route::placeholder;
    use crate::server::request::request_id::RequestId;

    fn params(path: &str) -> Option<PathParams> {
        ROUTES.iter().find_map(|route| route.params(path))
    }

    /// The document and the table have the same calls, with the same scopes.
    #[test]
    fn the_openapi_document_lists_these_calls() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let mut documented = BTreeMap::new();
        for (path, calls) in document["paths"].as_object().unwrap() {
            if calls["servers"][0]["url"] == "http://127.0.0.1:8080" {
                continue;
            }
            for (method, call) in calls.as_object().unwrap().iter().filter(|(name, _)| *name != "servers") {
                let scopes = call["x-scopes"].as_array().cloned().unwrap_or_default();
                documented.insert((path.clone(), method.to_uppercase()), scopes);
            }
        }
        let scopes = |route: &Route| match route.handler {
            Public(_) => vec![],
            ApiKey(scopes, _) | OAuth(scopes, _) => scopes.iter().map(|scope| scope.name().into()).collect(),
        };
        let table: BTreeMap<_, Vec<serde_json::Value>> = ROUTES
            .iter()
            .map(|route| ((route.pattern.to_owned(), route.method.to_string()), scopes(route)))
            .collect();
        assert_eq!(table.len(), ROUTES.len(), "a call is in the table twice");
        assert_eq!(table, documented);
    }

    #[test]
    fn no_path_matches_two_patterns() {
        let patterns: BTreeSet<_> = ROUTES.iter().map(|route| route.pattern).collect();
        for (one, other) in
            patterns.iter().flat_map(|one| patterns.range(*one..).skip(1).map(move |o| (one, o)))
        {
            let differ = |(a, b): (&str, &str)| a != b && placeholder(a).or(placeholder(b)).is_none();
            let has_same_length = one.split('/').count() == other.split('/').count();
            assert!(!has_same_length || one.split('/').zip(other.split('/')).any(differ), "{one} {other}");
        }
    }

    #[test]
    fn every_placeholder_has_a_value() {
        for route in ROUTES {
            let path = route.pattern.replace("{id}", "AAAAAAAAAAAAAAAA").replace(['{', '}'], "");
            assert!(route.params(&path).is_some(), "{path}");
        }
    }

    #[test]
    fn paths_are_split_before_they_are_decoded() {
        let mut expected = PathParams::default();
        expected.set("user", "a%2Fb%20%C3%A9").unwrap();
        assert_eq!(params("/v1/users/a%2Fb%20%C3%A9/tokens"), Some(expected));
        assert!(params("/v1/tokens/jE1hGDDTZBpo-Upp").is_some());
        for unknown in [
            "",
            "/",
            "*",
            "/v1",
            "/livez/",
            "/v1/users/a/devices/-",
            "/v1/users/a/devices/",
            "/v1/tokens/",
            "/v1/tokens/short",
            "/v1/users/%ff/tokens",
            "//livez",
        ] {
            assert_eq!(params(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn allow_lists_the_methods_of_all_calls_of_a_path() {
        let allow = |path: &str| {
            let problem = find(&Method::PUT, path).err().unwrap();
            let request_id = RequestId::of(&HeaderMap::new(), &Entropy::seeded(1));
            problem.response(&request_id).headers()["allow"].to_str().unwrap().to_owned()
        };
        assert_eq!(allow("/v1/tokens/AAAAAAAAAAAAAAAA"), "GET, HEAD, PATCH, DELETE");
        assert_eq!(allow("/v1/tokens/AAAAAAAAAAAAAAAA/takeover"), "POST, DELETE");
        assert_eq!(allow("/v1/users/alice/devices"), "GET, HEAD, POST");
        assert_eq!(allow("/v1/events"), "GET");
        assert!(find(&Method::HEAD, "/livez").is_ok() && find(&Method::HEAD, "/v1/events").is_err());
    }
}
