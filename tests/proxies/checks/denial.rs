//! No request bypasses the check.

use serde_json::json;

use crate::common::http::request_bytes;
use crate::common::process::wait_for;
use crate::common::server::{bearer, cookie, text};
use crate::proxies::site::Site;

pub fn who_has_no_valid_token_is_denied(site: &mut Site) {
    let revoked = site.server.issue(json!({}));
    site.server.revoke(&revoked["id"]);
    site.assert_denied(&site.client().get("/", &[]), false);
    for token in [&json!("dw_x"), &revoked["token"]] {
        for (name, value) in [("Authorization", bearer(token)), ("Cookie", cookie(token))] {
            site.assert_denied(&site.client().get("/", &[(name, &value)]), true);
        }
    }
    // A query belongs to the application: it neither logs in nor selects a check.
    let token = text(&site.server.issue(json!({}))["token"]).to_owned();
    for query in [
        format!("access_token={token}"),
        format!("token={token}&Authorization=Bearer%20{token}"),
        "check=welcome&anonymous=true".to_owned(),
        "/auth-optional".to_owned(),
        "/../../auth-optional/".to_owned(),
        "%20HTTP/1.1%0d%0aX-Auth-User:%20alice".to_owned(),
    ] {
        site.assert_denied(&site.client().get(&format!("/?{query}"), &[]), false);
    }
    assert!(site.app.requests().is_empty());
}

pub fn an_optional_check_lets_everybody_in(site: &mut Site) {
    if !site.ways.has_optional {
        return assert_eq!(site.client().get("/welcome/hall", &[]).status, 401);
    }
    let token = site.server.issue(json!({}))["token"].clone();
    for (headers, user) in
        [(vec![], "-"), (vec![bearer(&json!("dw_x"))], "-"), (vec![bearer(&token)], "alice")]
    {
        let headers: Vec<_> = headers.iter().map(|value| ("Authorization", value.as_str())).collect();
        let response = site.client().get("/welcome/hall", &headers);
        assert_eq!(response.status, 200, "{response:?}");
        let [request] = &site.app.take_requests()[..] else { panic!("one request") };
        let [sent_user, .., expires_in, _, via] = site.identity(request);
        assert_eq!((sent_user, expires_in == "0", via == "-"), (user, user == "-", user == "-"));
    }
}

pub fn every_method_is_checked(site: &mut Site) {
    let authorization = bearer(&site.server.issue(json!({}))["token"]);
    for method in ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let denied = site.client().request(method, "/", &[], None);
        assert_eq!(denied.status, 401, "{method}: {denied:?}");
        assert!(site.app.requests().is_empty(), "{method}");
        let allowed = site.client().request(method, "/", &[("Authorization", &authorization)], None);
        assert_eq!(allowed.status, 200, "{method}: {allowed:?}");
        let [request] = &site.app.take_requests()[..] else { panic!("one request") };
        assert_eq!((request.method.as_str(), site.identity(request)[0]), (method, "alice"));
    }
}

/// Without a token, only public paths reach the application, even after the application has normalised the path.
pub fn no_path_gets_around_the_check(site: &mut Site) {
    let paths = [
        "/public/../orders",
        "/public/./../orders",
        "/public//../../orders",
        "/public/%2e%2e/orders",
        "/public/%2E%2E%2forders",
        "/public/..%2forders",
        "/public/..%5corders",
        "/public/../session",
        "//public/../orders",
        "/PUBLIC/orders",
        "/public",
        "/publicity",
        "/orders/../public/../orders",
        "/welcome/../orders",
        "/auth-optional/",
        "/../auth-optional/x",
        "/%2e%2e/auth-optional/x",
        "/session/../orders",
        "/logout%2f..%2forders",
        "/_doorward_auth",
        "/_doorward_auth_optional",
        "/orders;/public/",
        "/orders?/public/",
        "/orders#/public/",
        "http://localhost/orders",
        "http://localhost/public/../orders",
    ];
    for path in paths {
        let answer =
            site.client().try_send(request_bytes("GET", path, &[], None)).map(|answer| answer.status);
        for request in site.app.take_requests() {
            let resolved = resolve(&request.path);
            let is_open = resolved.starts_with("/public/") || resolved.starts_with("/welcome/");
            assert!(is_open, "{path} arrived as {}: {answer:?}", request.path);
        }
    }
}

/// Normalises a path as an application may: percent-decoding, backslashes turned, dot segments resolved.
fn resolve(path: &str) -> String {
    let path = path.strip_prefix("http://localhost").unwrap_or(path);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().replace('\\', "/");
    let mut parts = Vec::new();
    for part in decoded.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}/", parts.join("/"))
}

pub fn a_revoked_token_is_refused(site: &mut Site) {
    let issued = site.server.issue(json!({}));
    let mut client = site.client();
    let authorization = bearer(&issued["token"]);
    let headers = [("Authorization", authorization.as_str())];
    assert_eq!(client.get("/", &headers).status, 200);
    site.server.revoke(&issued["id"]);
    if site.ways.remembers {
        wait_for("the revocation shows", || (client.get("/", &headers).status != 200).then_some(()));
    }
    site.app.take_requests();
    for _ in 0..3 {
        site.assert_denied(&client.get("/", &headers), true);
    }
    assert!(site.app.requests().is_empty());
}

/// A page of the site can log out with the login cookie, and Doorward sees the host that the browser asked for.
pub fn a_browser_logs_out(site: &mut Site) {
    let issued = site.server.issue(json!({}));
    let cookie = cookie(&issued["token"]);
    let host = ("Host", "shop.example");
    let session = site.client().get("/session", &[host, ("Cookie", &cookie)]);
    assert_eq!((session.status, &session.json()["id"]), (200, &issued["id"]));
    let foreign = [host, ("Cookie", &cookie), ("Origin", "https://evil.example")];
    assert_eq!(site.client().request("POST", "/logout", &foreign, None).status, 403);
    assert_eq!(site.client().request("POST", "/session/upgrade", &foreign, None).status, 403);
    let own =
        [host, ("Cookie", &cookie), ("Origin", "https://shop.example"), ("Sec-Fetch-Site", "same-origin")];
    let upgraded = site.client().request("POST", "/session/upgrade", &own, None);
    assert_eq!((upgraded.status, &upgraded.json()["id"]), (200, &issued["id"]));
    let response = site.client().request("POST", "/logout", &own, None);
    assert_eq!((response.status, response.json()), (200, json!({"ended": "token"})));
    assert!(response.header("set-cookie").unwrap().starts_with("doorward=;"));
    site.assert_denied(&site.client().get("/", &[host, ("Cookie", &cookie)]), true);
    assert!(site.app.requests().is_empty());
}

/// Doorward answers the preflights of its own paths, and the proxy lets them pass.
pub fn a_page_of_an_allowed_origin_reads_the_session(site: &mut Site) {
    let cookie = cookie(&site.server.issue(json!({}))["token"]);
    let origin = ("Origin", "https://front.example");
    for path in ["/session", "/session/upgrade", "/logout"] {
        let preflight = [origin, ("Access-Control-Request-Method", "POST")];
        let answer = site.client().request("OPTIONS", path, &preflight, None);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some(origin.1)));
    }
    let session = site.client().get("/session", &[origin, ("Cookie", &cookie)]);
    assert_eq!((session.status, session.header("access-control-allow-origin")), (200, Some(origin.1)));
    assert_eq!(session.header("access-control-allow-credentials"), Some("true"));
    let foreign = site.client().get("/session", &[("Origin", "https://evil.example"), ("Cookie", &cookie)]);
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    assert!(site.app.requests().is_empty());
}

/// `cookie-csrf-check`: Doorward sees exactly the method, host and origin that the client sent.
pub fn another_site_cannot_use_the_cookie(site: &mut Site) {
    let cookie = cookie(&site.server.issue(json!({}))["token"]);
    if !site.ways.passes_origin {
        return;
    }
    let asked = |method: &str, headers: &[(&str, &str)]| {
        let own = [("Host", "shop.example"), ("Cookie", cookie.as_str())];
        let status = site.client().request(method, "/orders", &[&own, headers].concat(), None).status;
        assert_eq!(site.app.take_requests().len(), usize::from(status == 200));
        status
    };
    let foreign = ("Origin", "https://evil.example");
    assert_eq!(asked("POST", &[("Origin", "https://shop.example")]), 200);
    assert_eq!(asked("GET", &[foreign]), 200);
    assert_eq!(asked("POST", &[foreign]), 403);
    assert_eq!(asked("POST", &[("Sec-Fetch-Site", "cross-site")]), 403);
    let forged = [
        foreign,
        ("X-Forwarded-Method", "GET"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-Host", "evil.example"),
    ];
    assert_eq!(asked("POST", &forged), 403);
}
