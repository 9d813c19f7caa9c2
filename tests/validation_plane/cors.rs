//! Pages of `allowed-origins` may call `/session`, `/session/upgrade` and `/logout`; pages of other origins may not.

use serde_json::json;

use crate::common::http::Response;
use crate::common::server::{Server, bearer, cookie};

const ALLOWED: &str = "https://app.example.com";

const SETTINGS: &[(&str, &str)] =
    &[("DOORWARD_ALLOWED_ORIGINS", "https://app.example.com,http://localhost:3000")];

/// The calls, each with the methods that its preflight allows.
const CALLS: [(&str, &str, &str); 3] =
    [("GET", "/session", "GET, HEAD"), ("POST", "/session/upgrade", "POST"), ("POST", "/logout", "POST")];

/// Origins that are not in the list, however alike.
const OTHERS: [&str; 9] = [
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://sub.app.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "null",
    "*",
    "",
];

/// Asserts that a page of this origin, and of no other, may read the answer.
fn assert_shared(answer: &Response, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    let exposed = answer.header("access-control-expose-headers");
    assert_eq!(exposed, Some("Retry-After, WWW-Authenticate, X-Auth-Reason"));
    assert_eq!(answer.header("vary"), Some("Origin"));
}

fn assert_not_shared(answer: &Response) {
    let is_cors = |(name, _): &(String, String)| name.to_ascii_lowercase().starts_with("access-control-");
    assert!(!answer.headers.iter().any(is_cors), "{answer:?}");
    assert_eq!(answer.header("vary"), None, "{answer:?}");
}

fn preflight(server: &Server, path: &str, origins: &[&str]) -> Response {
    let mut headers = vec![("Access-Control-Request-Method", "POST")];
    headers.extend(origins.iter().map(|origin| ("Origin", *origin)));
    server.validation().request("OPTIONS", path, &headers, None)
}

#[test]
fn a_preflight_of_an_allowed_origin_is_answered() {
    let settings = [SETTINGS, &[("DOORWARD_HEADER_NAME", "X-Token")]].concat();
    let server = Server::start(&settings);
    for (_, path, methods) in CALLS {
        for origin in [ALLOWED, "http://localhost:3000"] {
            let answer = preflight(&server, path, &[origin]);
            assert_eq!((answer.status, answer.header("content-length")), (204, None), "{path}");
            assert_shared(&answer, origin);
            assert_eq!(answer.header("access-control-allow-methods"), Some(methods), "{path}");
            let headers = answer.header("access-control-allow-headers");
            assert_eq!(headers, Some("Content-Type, x-token"), "{path}");
            assert_eq!(answer.header("access-control-max-age"), Some("600"), "{path}");
        }
        // A proxy may pass `Origin` only.
        let answer = server.validation().request("OPTIONS", path, &[("Origin", ALLOWED)], None);
        assert_eq!(answer.status, 204, "{path}");
    }
}

#[test]
fn a_preflight_of_another_origin_is_a_405() {
    let server = Server::start(SETTINGS);
    for (_, path, methods) in CALLS {
        let lists = OTHERS.map(|origin| vec![origin]).into_iter();
        for origins in lists.chain([vec![], vec![ALLOWED, ALLOWED], vec![ALLOWED, OTHERS[0]]]) {
            let answer = preflight(&server, path, &origins);
            assert_eq!((answer.status, answer.header("allow")), (405, Some(methods)), "{path} {origins:?}");
            assert_not_shared(&answer);
        }
    }
    let answer = preflight(&Server::start(&[]), "/session", &[ALLOWED]);
    assert_eq!(answer.status, 405, "no origin is allowed by default");
    assert_not_shared(&answer);
}

/// An answer of any status is shared: the page must tell 401, 403 and 503 apart.
#[test]
fn answers_to_an_allowed_origin_are_shared() {
    let server = Server::start(SETTINGS);
    let [token, pending] = [true, false]
        .map(|is_authenticated| server.issue(json!({"is_authenticated": is_authenticated}))["token"].clone());
    for (method, path, _) in CALLS {
        let call = |headers: &[(&str, &str)]| server.validation().request(method, path, headers, None);
        let (origin, cross_site) = (("Origin", ALLOWED), ("Sec-Fetch-Site", "same-site"));
        let (by_cookie, by_header) = (cookie(&token), bearer(&pending));
        for (credentials, status) in [
            (("Cookie", "a=b"), 401),
            (("Cookie", &*format!("{by_cookie}x")), 401),
            (("Authorization", &*by_header), 403),
            (("Cookie", &*by_cookie), 200),
        ] {
            let answer = call(&[origin, cross_site, credentials]);
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert_shared(&answer, ALLOWED);
        }
    }
}

#[test]
fn answers_to_another_origin_are_not_shared() {
    let server = Server::start(SETTINGS);
    let token = server.issue(json!({}))["token"].clone();
    let authorization = bearer(&token);
    for (method, path, _) in CALLS {
        let call = |headers: &[(&str, &str)]| server.validation().request(method, path, headers, None);
        for origin in OTHERS {
            assert_not_shared(&call(&[("Origin", origin), ("Cookie", &cookie(&token))]));
            assert_not_shared(&call(&[("Origin", origin), ("Cookie", "a=b")]));
        }
        assert_not_shared(&call(&[("Cookie", "a=b")]));
        assert_not_shared(&call(&[("Origin", ALLOWED), ("Origin", OTHERS[0]), ("Cookie", "a=b")]));
    }
    // Auth subrequests, probes and the admin plane share nothing.
    for (method, path) in
        [("GET", "/auth"), ("OPTIONS", "/auth"), ("GET", "/auth-optional"), ("GET", "/livez")]
    {
        let headers = [("Origin", ALLOWED), ("Authorization", authorization.as_str())];
        let answer = server.validation().request(method, path, &headers, None);
        assert_eq!(answer.status, 200, "{method} {path}");
        assert_not_shared(&answer);
    }
    assert_not_shared(&server.admin().request("OPTIONS", "/v1/tokens", &[("Origin", ALLOWED)], None));
}
