//! The application does not get the client's token, if the proxy's configuration says so.

use serde_json::json;

use super::site::{Site, Ways};
use crate::common::proxies::{caddy, haproxy, nginx};
use crate::common::server::{bearer, text};
use crate::common::upstream::Recorded;

/// Returns a header as the application reads it: an empty one counts as absent.
fn seen<'a>(request: &'a Recorded, name: &str) -> Option<&'a str> {
    request.header(name).filter(|value| !value.is_empty())
}

/// Asserts that the application gets everything but the token, and Doorward the token.
fn assert_token_is_removed(site: &Site) {
    let token = site.server.issue(json!({}));
    let token_string = text(&token["token"]);
    let header = bearer(&token["token"]);
    let lower = format!("bearer  {token_string}");
    let cookie = format!("doorward={token_string}");
    let only = |authorization: &str| vec![("Authorization", authorization.to_owned())];
    let cookies = |value: String| vec![("Cookie", value)];
    let both = |authorization: &str, value: String| [only(authorization), cookies(value)].concat();
    let cases = [
        (only(&header), None, None),
        (only(&lower), None, None),
        (cookies(cookie.clone()), None, None),
        (cookies(format!("{cookie}; a=1; b=2")), None, Some("a=1; b=2")),
        (cookies(format!("a=1; {cookie}; b=2")), None, Some("a=1; b=2")),
        (cookies(format!("a=1; b=2; {cookie}")), None, Some("a=1; b=2")),
        (cookies(format!("a=1;{cookie};b=2")), None, Some("a=1;b=2")),
        (cookies(format!("xdoorward=1; {cookie}; doorward2=2")), None, Some("xdoorward=1; doorward2=2")),
        (both("Basic dXNlcg==", format!("a=1; {cookie}")), Some("Basic dXNlcg=="), Some("a=1")),
        (both(&header, "a=1; b=2".into()), None, Some("a=1; b=2")),
    ];
    for path in ["/", "/welcome/", "/public/", "/login"] {
        for (headers, authorization, cookie) in &cases {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(site.client().get(path, &headers).status, 200, "{headers:?}");
            let request = &site.app.take_requests()[0];
            assert_eq!(seen(request, "authorization"), *authorization, "{path} {headers:?}");
            assert_eq!(seen(request, "cookie"), *cookie, "{path} {headers:?}");
            let user = ["/", "/welcome/"].contains(&path).then_some("alice");
            assert_eq!(request.header("x-auth-user"), user, "{path} {headers:?}");
        }
        let twice = format!("{cookie}; a=1; {cookie}");
        assert_eq!(site.client().get(path, &[("Cookie", &twice)]).status, 200);
        let request = &site.app.take_requests()[0];
        assert!(request.headers.iter().all(|(_, value)| !value.contains("dw_")), "{request:?}");
    }
    let of_other_service = [("Authorization", "Bearer eyJhbGciOi"), ("Cookie", "a=1")];
    assert_eq!(site.client().get("/public/", &of_other_service).status, 200);
    let request = &site.app.take_requests()[0];
    assert_eq!(seen(request, "authorization"), Some("Bearer eyJhbGciOi"));
    assert_eq!(seen(request, "cookie"), Some("a=1"));

    // Doorward itself gets it.
    let by_cookie = [("Cookie", &*cookie), ("Sec-Fetch-Site", "same-origin")];
    for headers in [&[("Authorization", &*header)][..], &by_cookie] {
        let session = site.client().get("/session", headers);
        assert_eq!((session.status, &session.json()["id"]), (200, &token["id"]), "{headers:?}");
    }
    assert_eq!(site.client().request("POST", "/logout", &by_cookie, None).status, 200);
    assert_eq!(site.client().get("/", &[("Authorization", &header)]).status, 401);
}

#[test]
fn nginx_removes_the_token() {
    assert_token_is_removed(&Site::start(Ways::USUAL, nginx::start_without_token));
}

#[test]
fn caddy_removes_the_token() {
    for start in [caddy::start_2_6_without_token, caddy::start_2_11_without_token] {
        assert_token_is_removed(&Site::start(Ways::USUAL, start));
    }
}

#[test]
fn haproxy_removes_the_token() {
    assert_token_is_removed(&Site::start(Ways::USUAL, haproxy::start_without_token));
}
