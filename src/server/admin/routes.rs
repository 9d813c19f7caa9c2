//! The table of all calls of the admin plane.

use hyper::{Method, StatusCode};

use super::handlers::{
    cutoffs, devices, events, imports, nodes, openapi, related, stats, status, takeovers, tokens, users,
    validate,
};
use super::oauth::{introspect, revoke};
use super::path_params::PathParams;
use super::problem::Problem;
use super::route::Handler::{Change, OAuthChange, OAuthRead, Public, Read};
use super::route::{Route, delete, get, get_stream, patch, post, put};
use crate::logging::audit::Action;
use crate::server::transport::response::empty;
use crate::values::Scope;

const TOKENS: &[Scope] = &[Scope::Tokens];
const TAKEOVERS: &[Scope] = &[Scope::Takeovers];
const DEVICES: &[Scope] = &[Scope::Devices];
const EVENTS: &[Scope] = &[Scope::Events];
const INTROSPECT: &[Scope] = &[Scope::Introspect];
const INTROSPECT_OR_TOKENS: &[Scope] = &[Scope::Introspect, Scope::Tokens];
/// Any API key may make the call.
const NONE: &[Scope] = &[];
/// The scopes of all that an erasure erases.
const ERASURE: &[Scope] = &[Scope::Tokens, Scope::Takeovers, Scope::Devices];
const IMPORT: &[Scope] = &[Scope::Import];
const METRICS: &[Scope] = &[Scope::Metrics];

/// Every call, the most frequent first: the search is linear. No path matches two patterns.
const ROUTES: &[Route] = &[
    post("/v1/validate", Read(INTROSPECT, |call| Box::pin(validate::validate(call)))),
    post("/introspect", OAuthRead(INTROSPECT, |call| Box::pin(introspect::introspect(call)))),
    post(
        "/revoke",
        OAuthChange(Action::TokenRevoke, INTROSPECT_OR_TOKENS, |call, entry| {
            Box::pin(revoke::revoke(call, entry))
        }),
    ),
    get("/livez", Public(|_| empty(StatusCode::OK))),
    get("/readyz", Public(|admin| admin.readiness.response())),
    get("/openapi.json", Public(|_| openapi::answer(openapi::ADMIN))),
    get("/openapi-validation.json", Public(|_| openapi::answer(openapi::VALIDATION))),
    get("/metrics", Read(METRICS, |call| Box::pin(status::show_metrics(call)))),
    get("/v1/key", Read(NONE, |call| Box::pin(status::show_key(call)))),
    get("/v1/status", Read(METRICS, |call| Box::pin(status::show(call)))),
    get("/v1/stats", Read(METRICS, |call| Box::pin(stats::show(call)))),
    get("/v1/nodes", Read(METRICS, |call| Box::pin(nodes::list(call)))),
    post(
        "/v1/tokens",
        Change(Action::TokenIssue, TOKENS, |call, entry| Box::pin(tokens::issue(call, entry))),
    ),
    post(
        "/v1/import",
        Change(Action::TokenImport, IMPORT, |call, entry| Box::pin(imports::import(call, entry))),
    ),
    get("/v1/tokens/{id}", Read(TOKENS, |call| Box::pin(tokens::show(call)))),
    patch(
        "/v1/tokens/{id}",
        Change(Action::TokenChange, TOKENS, |call, entry| Box::pin(tokens::change(call, entry))),
    ),
    delete(
        "/v1/tokens/{id}",
        Change(Action::TokenRevoke, TOKENS, |call, entry| Box::pin(tokens::revoke(call, entry))),
    ),
    post(
        "/v1/tokens/{id}/rotate",
        Change(Action::TokenRotate, TOKENS, |call, entry| Box::pin(tokens::rotate(call, entry))),
    ),
    post(
        "/v1/tokens/{id}/confirm",
        Change(Action::TokenConfirm, TOKENS, |call, entry| Box::pin(tokens::confirm(call, entry))),
    ),
    post(
        "/v1/tokens/{id}/related",
        Change(Action::TokenRelate, TOKENS, |call, entry| Box::pin(related::relate(call, entry))),
    ),
    delete(
        "/v1/tokens/{id}/related",
        Change(Action::TokenUnrelate, TOKENS, |call, entry| Box::pin(related::unrelate(call, entry))),
    ),
    delete(
        "/v1/tokens/{id}/related/{content_type}/{object_id}",
        Change(Action::TokenUnrelate, TOKENS, |call, entry| Box::pin(related::unrelate_by_path(call, entry))),
    ),
    get(
        "/v1/related/{content_type}/{object_id}/tokens",
        Read(TOKENS, |call| Box::pin(related::list_tokens(call))),
    ),
    delete(
        "/v1/related/{content_type}/{object_id}/tokens",
        Change(Action::ObjectRevoke, TOKENS, |call, entry| Box::pin(related::revoke_tokens(call, entry))),
    ),
    post(
        "/v1/tokens/{id}/takeover",
        Change(Action::TakeoverStart, TAKEOVERS, |call, entry| Box::pin(takeovers::start(call, entry))),
    ),
    delete(
        "/v1/tokens/{id}/takeover",
        Change(Action::TakeoverEnd, TAKEOVERS, |call, entry| Box::pin(takeovers::end(call, entry))),
    ),
    get("/v1/tokens/{id}/takeovers", Read(TAKEOVERS, |call| Box::pin(takeovers::list_of_token(call)))),
    get("/v1/users/{user}/takeovers", Read(TAKEOVERS, |call| Box::pin(takeovers::list_of_user(call)))),
    get("/v1/users/{user}/tokens", Read(TOKENS, |call| Box::pin(users::list_tokens(call)))),
    delete(
        "/v1/users/{user}/tokens",
        Change(Action::UserRevoke, TOKENS, |call, entry| Box::pin(users::revoke_tokens(call, entry))),
    ),
    delete(
        "/v1/users/{user}",
        Change(Action::UserErase, ERASURE, |call, entry| Box::pin(users::erase(call, entry))),
    ),
    get("/v1/users/{user}/lock", Read(TOKENS, |call| Box::pin(users::show_lock(call)))),
    put(
        "/v1/users/{user}/lock",
        Change(Action::UserLock, TOKENS, |call, entry| Box::pin(users::lock(call, entry))),
    ),
    delete(
        "/v1/users/{user}/lock",
        Change(Action::UserUnlock, TOKENS, |call, entry| Box::pin(users::unlock(call, entry))),
    ),
    get("/v1/users/{user}/events", Read(EVENTS, |call| Box::pin(events::list_of_user(call)))),
    get_stream("/v1/events", Read(EVENTS, |call| Box::pin(events::follow(call)))),
    get("/v1/users/{user}/devices", Read(DEVICES, |call| Box::pin(devices::list(call)))),
    post(
        "/v1/users/{user}/devices",
        Change(Action::DeviceCreate, DEVICES, |call, entry| Box::pin(devices::get_or_create(call, entry))),
    ),
    get("/v1/users/{user}/devices/{uuid}", Read(DEVICES, |call| Box::pin(devices::show(call)))),
    patch(
        "/v1/users/{user}/devices/{uuid}",
        Change(Action::DeviceChange, DEVICES, |call, entry| Box::pin(devices::change(call, entry))),
    ),
    delete(
        "/v1/users/{user}/devices/{uuid}",
        Change(Action::DeviceRemove, DEVICES, |call, entry| Box::pin(devices::remove(call, entry))),
    ),
    get("/v1/cutoffs", Read(TOKENS, |call| Box::pin(cutoffs::list(call)))),
    put(
        "/v1/cutoffs/{cutoff}",
        Change(Action::CutoffSet, TOKENS, |call, entry| Box::pin(cutoffs::set(call, entry))),
    ),
    delete(
        "/v1/cutoffs/{cutoff}",
        Change(Action::CutoffRemove, TOKENS, |call, entry| Box::pin(cutoffs::remove(call, entry))),
    ),
    post(
        "/v1/users/{user}/devices/{uuid}/rotate",
        Change(Action::DeviceRotate, DEVICES, |call, entry| Box::pin(devices::rotate(call, entry))),
    ),
    post(
        "/v1/devices/login",
        Change(Action::DeviceLogin, DEVICES, |call, entry| Box::pin(devices::log_in(call, entry))),
    ),
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

    use super::*;
    use crate::entropy::Entropy;
    use crate::request::request_id::RequestId;
    use crate::server::admin::input::Fields;
    use crate::server::admin::route::placeholder;

    fn params(path: &str) -> Option<PathParams> {
        ROUTES.iter().find_map(|route| route.params(path))
    }

    /// The document and the table have the same calls, with the same scopes.
    #[test]
    fn the_openapi_document_lists_these_calls() {
        let document: serde_json::Value = serde_json::from_str(openapi::ADMIN).unwrap();
        let mut documented = BTreeMap::new();
        for (path, calls) in document["paths"].as_object().unwrap() {
            for (method, call) in calls.as_object().unwrap() {
                let scopes = call["x-scopes"].as_array().cloned().unwrap_or_default();
                documented.insert((path.clone(), method.to_uppercase()), scopes);
            }
        }
        let scopes = |route: &Route| route.handler.scopes().iter().map(|scope| scope.name().into()).collect();
        let table: BTreeMap<_, Vec<serde_json::Value>> = ROUTES
            .iter()
            .map(|route| ((route.pattern.to_owned(), route.method.to_string()), scopes(route)))
            .collect();
        assert_eq!(table.len(), ROUTES.len(), "a call is in the table twice");
        assert_eq!(table, documented);
    }

    /// A call that changes something is in the audit log. Only two calls by POST change nothing.
    #[test]
    fn every_changing_call_has_an_action() {
        let reads = ["/v1/validate", "/introspect"];
        for route in ROUTES {
            let action = route.handler.action();
            let changes = route.method != Method::GET && !reads.contains(&route.pattern);
            assert_eq!(action.is_some_and(|action| action != Action::Read), changes, "{}", route.pattern);
        }
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
        assert!(expected.set("user", "a%2Fb%20%C3%A9"));
        assert_eq!(params("/v1/users/a%2Fb%20%C3%A9/tokens"), Some(expected));
        assert!(params("/v1/tokens/jE1hGDDTZBpo-Upp").is_some());
        for unknown in ["", "/", "*", "/v1", "/livez/", "//livez"] {
            assert_eq!(params(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_name_that_no_record_can_have_is_no_such_record() {
        let mut fields = Fields::of_query(None);
        for path in ["/v1/tokens/short", "/v1/tokens/"] {
            assert!(params(path).unwrap().id().is_err(), "{path}");
        }
        assert!(params("/v1/users/%ff/tokens").unwrap().user(&mut fields).is_err());
        assert!(params("/v1/users/a/devices/-").unwrap().uuid(&mut fields).is_err());
    }

    #[test]
    fn allow_lists_the_methods_of_all_calls_of_a_path() {
        let allow = |path: &str| {
            let problem = find(&Method::PUT, path).err().unwrap();
            let request_id = RequestId::made(&Entropy::seeded(1));
            problem.response(&request_id).headers()["allow"].to_str().unwrap().to_owned()
        };
        assert_eq!(allow("/v1/tokens/AAAAAAAAAAAAAAAA"), "GET, HEAD, PATCH, DELETE");
        assert_eq!(allow("/v1/tokens/AAAAAAAAAAAAAAAA/takeover"), "POST, DELETE");
        assert_eq!(allow("/v1/users/alice/devices"), "GET, HEAD, POST");
        assert_eq!(allow("/v1/events"), "GET");
        assert!(find(&Method::HEAD, "/livez").is_ok() && find(&Method::HEAD, "/v1/events").is_err());
    }
}
