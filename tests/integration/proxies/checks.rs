//! What must hold behind every proxy.

use std::thread;

use serde_json::{Value, json};

use super::site::{Site, assert_tells_nothing, told_nothing};
use crate::common::http::request_bytes;
use crate::common::process::wait_for;
use crate::common::server::{IDENTITY, bearer, cookie, text, token_path};

pub type Check = fn(&mut Site);

/// The list; those that end something come last.
pub const CHECKS: &[(&str, Check)] = &[
    ("the application learns who is there", the_application_learns_who_is_there),
    ("a takeover shows both users", a_takeover_shows_both_users),
    ("who has no valid token is denied", who_has_no_valid_token_is_denied),
    ("an optional check lets everybody in", an_optional_check_lets_everybody_in),
    ("forged identity never arrives", forged_identity_never_arrives),
    ("aliases of the identity headers never arrive", aliases_never_arrive),
    ("forged forwarding never arrives", forged_forwarding_never_arrives),
    ("no header can be named away", no_header_can_be_named_away),
    ("every method is checked", every_method_is_checked),
    ("no path gets around the check", no_path_gets_around_the_check),
    ("a body arrives whole and is not sent to Doorward", a_body_arrives_whole),
    ("many checks go over few connections", many_checks_go_over_few_connections),
    ("an ended token is refused", an_ended_token_is_refused),
    ("a browser logs out", a_browser_logs_out),
    ("another site cannot use the cookie", another_site_cannot_use_the_cookie),
    ("no store, no entry", no_store_no_entry),
    ("no Doorward, no entry", no_doorward_no_entry),
];

fn the_application_learns_who_is_there(site: &mut Site) {
    let issued = site.server.issue(json!({"user": "zoë 100%", "auth_slug": "web", "backend": "ldap"}));
    for (name, value) in [("Authorization", bearer(&issued["token"])), ("Cookie", cookie(&issued["token"]))] {
        let response = site.client().get("/orders?page=2", &[(name, &value)]);
        assert_eq!(response.status, 200, "{response:?}");
        assert_tells_nothing(&response);
        let [request] = &site.app.take_requests()[..] else { panic!("one request") };
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/orders?page=2"));
        let [who @ .., expires_in] = site.told(request);
        let expected = ["zo%C3%AB%20100%25", "zo%C3%AB%20100%25", text(&issued["id"]), "web", "ldap", "-"];
        let count = site.ways.told.min(expected.len());
        // The case of percent-encoding means nothing (RFC 3986, section 2.1).
        for (told, expected) in who[..count].iter().zip(expected) {
            assert!(told.eq_ignore_ascii_case(expected), "{who:?}");
        }
        if site.ways.told < IDENTITY.len() {
            continue;
        }
        let expires_in: u32 = expires_in.parse().unwrap();
        assert!((3_000..=3_600).contains(&expires_in), "{expires_in}");
    }
}

fn a_takeover_shows_both_users(site: &mut Site) {
    let issued = site.server.issue(json!({}));
    let takeover = format!("{}/takeover", token_path(&issued["id"]));
    let started = site.server.call("POST", &takeover, Some(&json!({"user": "bob"})));
    assert_eq!(started.status, 201, "{}", started.text());
    let seen = || {
        assert_eq!(site.get("/", &issued["token"]).status, 200);
        let requests = site.app.take_requests();
        let [user, actor, ..] = site.told(&requests[0]);
        (user.to_owned(), actor.to_owned())
    };
    assert_eq!(seen(), ("bob".to_owned(), "alice".to_owned()));
    assert_eq!(site.server.call("DELETE", &takeover, None).status, 204);
    let alone = ("alice".to_owned(), "alice".to_owned());
    if site.ways.remembers {
        wait_for("the takeover's end shows", || (seen() == alone).then_some(()));
    }
    assert_eq!(seen(), alone);
}

fn who_has_no_valid_token_is_denied(site: &mut Site) {
    let ended = site.server.issue(json!({}));
    site.server.end(&ended["id"]);
    site.assert_denied(&site.client().get("/", &[]), false);
    for token in [&json!("dw_x"), &ended["token"]] {
        for (name, value) in [("Authorization", bearer(token)), ("Cookie", cookie(token))] {
            site.assert_denied(&site.client().get("/", &[(name, &value)]), true);
        }
    }
    // A query is the application's business: no login, and no choice of the check.
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

fn an_optional_check_lets_everybody_in(site: &mut Site) {
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
        let [told_user, .., expires_in] = site.told(request);
        assert_eq!((told_user, expires_in == "0"), (user, user == "-"));
    }
}

/// The client's own headers of these names, sent to every kind of route, with a good token, a bad one and none.
fn send_forged(site: &Site, forged: &[String], may_be_rejected: bool) {
    let token = site.server.issue(json!({}))["token"].clone();
    let tokens = [vec![bearer(&token)], vec!["Bearer dw_x".to_owned()], vec![]];
    let optional = site.ways.has_optional.then_some("/welcome/");
    for path in ["/", "/public/"].into_iter().chain(optional) {
        for authorization in &tokens {
            let headers: Vec<_> = forged
                .iter()
                .map(|name| (name.as_str(), "forged"))
                .chain(authorization.iter().map(|value| ("Authorization", value.as_str())))
                .collect();
            let response = site.client().get(path, &headers);
            let is_good = authorization.first() == tokens[0].first();
            let status = if path == "/" && !is_good { 401 } else { 200 };
            let is_rejected = may_be_rejected && [400, 401, 403].contains(&response.status);
            assert!(response.status == status || is_rejected, "{path}: {response:?}");
            let requests = site.app.take_requests();
            assert_eq!(requests.len(), usize::from(response.status == 200), "{path}: {requests:?}");
            let Some(request) = requests.first() else { continue };
            assert!(!format!("{:?}", request.headers).contains("forged"), "{path}: {request:?}");
            match path {
                "/public/" => told_nothing(request),
                _ => assert_eq!(site.told(request)[0], if is_good { "alice" } else { "-" }),
            }
        }
    }
}

fn forged_identity_never_arrives(site: &mut Site) {
    let spelled = |name: &str| [name.to_owned(), name.to_lowercase(), name.to_uppercase(), name.to_owned()];
    let forged: Vec<_> = IDENTITY.iter().flat_map(|name| spelled(name)).collect();
    send_forged(site, &forged, false);
}

/// Names that many applications read as those of the identity headers: CGI, WSGI and PHP put `_` for whatever is
/// neither a letter nor a digit. A proxy may drop them or refuse the request.
fn aliases_never_arrive(site: &mut Site) {
    let aliases = |name: &str| -> Vec<String> {
        // All that a name may hold besides letters, digits and `-` (RFC 9110, section 5.6.2).
        let all = "!#$%&'*+.^_`|~".chars().map(|character| name.replace('-', &character.to_string()));
        let last = name.rsplit_once('-').map(|(start, end)| format!("{start}_{end}"));
        all.chain(last).chain([name.replace('-', "_").to_lowercase(), name.replacen('-', "_", 1)]).collect()
    };
    let forged: Vec<_> = IDENTITY.iter().flat_map(|name| aliases(name)).collect();
    // Some servers take no more than a hundred headers.
    for forged in forged.chunks(40) {
        send_forged(site, forged, true);
    }
}

/// Neither the application nor Doorward hears what the client says about its way and its request; nor does the client
/// keep its access from being noted.
fn forged_forwarding_never_arrives(site: &mut Site) {
    let forwarded = "For Host Proto Port Uri Method Prefix Server Scheme Ssl By Path User Email Groups \
        Preferred-Username Access-Token Client-Cert Tls-Client-Cert";
    let forged: Vec<_> = forwarded
        .split_whitespace()
        .map(|name| format!("X-Forwarded-{name}"))
        .chain(
            ["X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Real-Ip", "Forwarded"]
                .map(Into::into),
        )
        .chain(["X-Authorization-Renewal-Exempt".to_owned()])
        .collect();
    site.relay.take_sent();
    send_forged(site, &forged, false);
    let asked = site.relay.take_sent();
    assert!(!asked.contains("forged"), "{asked}");
    let exempt = asked.to_ascii_lowercase().contains("renewal-exempt");
    assert!(!asked.is_empty() && !exempt, "{asked}");
    let aliases: Vec<_> = forged.iter().map(|name| name.replace('-', "_")).collect();
    send_forged(site, &aliases, true);
    assert!(!site.relay.take_sent().contains("forged"));
}

/// `Connection: NAME` asks a proxy to drop that header on its way (RFC 9110, section 7.6.1): not the identity.
fn no_header_can_be_named_away(site: &mut Site) {
    let authorization = bearer(&site.server.issue(json!({}))["token"]);
    let named = format!("close, {}", IDENTITY.join(", "));
    let headers = [("Connection", named.as_str()), ("Authorization", &authorization)];
    for path in ["/", "/welcome/"] {
        let response = site.client().get(path, &headers);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(site.told(&site.app.take_requests()[0])[0], "alice");
    }
}

fn every_method_is_checked(site: &mut Site) {
    let authorization = bearer(&site.server.issue(json!({}))["token"]);
    for method in ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let denied = site.client().request(method, "/", &[], None);
        assert_eq!(denied.status, 401, "{method}: {denied:?}");
        assert!(site.app.requests().is_empty(), "{method}");
        let allowed = site.client().request(method, "/", &[("Authorization", &authorization)], None);
        assert_eq!(allowed.status, 200, "{method}: {allowed:?}");
        let [request] = &site.app.take_requests()[..] else { panic!("one request") };
        assert_eq!((request.method.as_str(), site.told(request)[0]), (method, "alice"));
    }
}

/// Without a token nothing arrives but what is public, also after the application has resolved the path for itself.
fn no_path_gets_around_the_check(site: &mut Site) {
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

/// What an application may make of a path: percent-decoded, backslashes turned, dots resolved.
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

fn a_body_arrives_whole(site: &mut Site) {
    let authorization = bearer(&site.server.issue(json!({}))["token"]);
    // More than any proxy keeps in memory before it passes a body on.
    let body: String = (0..30_000).map(|line| format!("the body {line}\n")).collect();
    let head = format!("POST /upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n");
    let length = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for request in [length, chunked] {
        let response = site.client().send(request);
        assert_eq!(response.status, 200, "{} {:?}", response.status, response.headers);
        let [request] = &site.app.take_requests()[..] else { panic!("one request") };
        assert!(request.body == body.as_bytes(), "{} bytes of {}", request.body.len(), body.len());
        assert_eq!(site.told(request)[0], "alice");
    }
    // One that is denied is denied, whether or not all of it was read.
    let denied = site.client().send(format!(
        "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    site.assert_denied(&denied, false);
    assert!(site.app.requests().is_empty());
    let asked = site.relay.take_sent();
    assert!(!asked.is_empty() && !asked.contains("the body"), "{asked}");
}

/// Also: users at once are never taken for one another.
fn many_checks_go_over_few_connections(site: &mut Site) {
    let before = site.relay.connections();
    let site = &*site;
    thread::scope(|scope| {
        for number in 0..site.ways.clients_at_once {
            scope.spawn(move || {
                let user = format!("user-{number}");
                let token = site.server.issue(json!({"user": user}))["token"].clone();
                let sent = [("Authorization", bearer(&token)), ("Cookie", cookie(&token))];
                let mut client = site.client();
                for round in 0..50 {
                    let (name, value) = &sent[round % 2];
                    let headers: &[_] = if round % 5 == 0 { &[] } else { &[(*name, value.as_str())] };
                    let body = (round % 7 == 0).then(|| json!({"some": "body"}));
                    let response = client.request("POST", &format!("/of/{user}"), headers, body.as_ref());
                    assert_eq!(response.status, if headers.is_empty() { 401 } else { 200 });
                }
            });
        }
    });
    let requests = site.app.take_requests();
    assert_eq!(requests.len(), 40 * site.ways.clients_at_once);
    for request in &requests {
        assert_eq!(request.path, format!("/of/{}", site.told(request)[0]));
    }
    let connections = site.relay.connections() - before;
    let most = if site.ways.keeps_connections { site.ways.clients_at_once } else { requests.len() };
    assert!(connections <= most, "{connections} more connections to Doorward");
}

fn an_ended_token_is_refused(site: &mut Site) {
    let issued = site.server.issue(json!({}));
    let mut client = site.client();
    let authorization = bearer(&issued["token"]);
    let headers = [("Authorization", authorization.as_str())];
    assert_eq!(client.get("/", &headers).status, 200);
    site.server.end(&issued["id"]);
    if site.ways.remembers {
        wait_for("the ending shows", || (client.get("/", &headers).status != 200).then_some(()));
    }
    site.app.take_requests();
    for _ in 0..3 {
        site.assert_denied(&client.get("/", &headers), true);
    }
    assert!(site.app.requests().is_empty());
}

/// What a page of the site does with the login cookie; and that Doorward sees the host the browser asked for.
fn a_browser_logs_out(site: &mut Site) {
    let issued = site.server.issue(json!({}));
    let cookie = cookie(&issued["token"]);
    let host = ("Host", "shop.example");
    let session = site.client().get("/session", &[host, ("Cookie", &cookie)]);
    assert_eq!((session.status, &session.json()["id"]), (200, &issued["id"]));
    let foreign = [host, ("Cookie", &cookie), ("Origin", "https://evil.example")];
    assert_eq!(site.client().request("POST", "/logout", &foreign, None).status, 403);
    let own =
        [host, ("Cookie", &cookie), ("Origin", "https://shop.example"), ("Sec-Fetch-Site", "same-origin")];
    let response = site.client().request("POST", "/logout", &own, None);
    assert_eq!((response.status, response.json()), (200, json!({"ended": "token"})));
    assert!(response.header("set-cookie").unwrap().starts_with("doorward=;"));
    site.assert_denied(&site.client().get("/", &[host, ("Cookie", &cookie)]), true);
    assert!(site.app.requests().is_empty());
}

/// `cookie-csrf-check`: Doorward sees the method, the host and the origin that the client sent, and no others.
fn another_site_cannot_use_the_cookie(site: &mut Site) {
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

fn no_store_no_entry(site: &mut Site) {
    let token = site.server.issue(json!({}))["token"].clone();
    assert_eq!(site.get("/", &token).status, 200);
    site.redis.kill();
    // What was known may pass until the loss is noticed; from then on nothing does.
    let response = wait_for("the outage shows", || Some(site.get("/", &token)).filter(|r| r.status != 200));
    assert_eq!(response.status, site.ways.unavailable_status, "{response:?}");
    let retry_after = site.ways.passes_retry_after.then_some("1");
    assert_eq!(response.header("retry-after"), retry_after, "{response:?}");
    nobody_enters(site, &token, site.ways.unavailable_status);
    // Who shows no token needs no store to be judged.
    site.assert_denied(&site.client().get("/", &[]), false);
    site.redis.restart();
    // The token is lost with this Redis; that it is says that it was asked.
    wait_for("the store is asked again", || (site.server.auth(&token).status == 401).then_some(()));
}

fn no_doorward_no_entry(site: &mut Site) {
    let issue = || {
        let body = json!({"user": "alice", "ip": "203.0.113.7"});
        Some(site.server.call("POST", "/v1/tokens", Some(&body))).filter(|response| response.status == 201)
    };
    // After the last check the admin plane may have to connect again first.
    let token = wait_for("a token is issued", issue).json()["token"].clone();
    wait_for("the token is good", || (site.get("/", &token).status == 200).then_some(()));
    // Nobody answers: the proxy must give up by itself, or else deny once the connection breaks.
    site.server.process().freeze();
    let mut waiting = site.client();
    waiting.write(request_bytes("GET", "/", &[("Authorization", &bearer(&token))], None)).unwrap();
    if site.ways.gives_up {
        let silent = || Some(site.get("/", &token)).filter(|r| !(site.ways.remembers && r.status == 200));
        let response = wait_for("what was kept is forgotten", silent);
        assert!((500..600).contains(&response.status), "{response:?}");
    }
    site.server.kill9();
    let response = waiting.read_response(false).unwrap();
    let is_denied = (500..600).contains(&response.status) || response.status == site.ways.unreachable_status;
    assert!(is_denied || site.ways.remembers && response.status == 200, "{response:?}");
    if site.ways.remembers {
        wait_for("what was kept is forgotten", || (site.get("/", &token).status != 200).then_some(()));
    }
    // Nobody is there.
    nobody_enters(site, &token, site.ways.unreachable_status);
    assert_eq!(site.client().get("/", &[]).status, site.ways.unreachable_status);
    assert!(site.app.take_requests().is_empty());
}

/// A token that nobody can judge opens nothing.
fn nobody_enters(site: &Site, token: &Value, status: u16) {
    site.app.take_requests();
    let mut client = site.client();
    let authorization = bearer(token);
    for path in ["/", "/welcome/", "/"] {
        let response = client.get(path, &[("Authorization", &authorization)]);
        assert_eq!(response.status, status, "{path}: {response:?}");
        assert_tells_nothing(&response);
    }
    assert_eq!(client.get("/public/", &[]).status, 200, "what is public needs no Doorward");
    assert_eq!(site.app.take_requests().len(), 1, "only the public page");
}
