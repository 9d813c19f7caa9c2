//! Bodies, connections, and outages of Redis or Doorward.

use std::thread;

use serde_json::{Value, json};

use crate::common::collector::{TRACE, traceparent};
use crate::common::http::request_bytes;
use crate::common::process::wait_for;
use crate::common::server::{bearer, cookie};
use crate::proxies::site::{Site, assert_no_identity_shown};

/// Doorward's span is part of the trace that the request belongs to.
pub fn a_sampled_request_is_traced(site: &mut Site) {
    if !site.ways.passes_origin {
        return;
    }
    let authorization = bearer(&site.server.issue(json!({}))["token"]);
    let parent = traceparent("00f067aa0ba902b7");
    let headers = [("Authorization", &*authorization), ("traceparent", &*parent), ("tracestate", "vendor=1")];
    assert_eq!(site.client().get("/", &headers).status, 200);
    let spans = site.collector.spans_until("00f067aa0ba902b7");
    let span = spans.iter().find(|span| span.parent == "00f067aa0ba902b7").unwrap();
    assert_eq!((&*span.trace, &*span.state), (TRACE, "vendor=1"));
    assert_eq!(span.attribute("doorward.result"), "valid");
    // Envoy names an address of its own for clients on this machine.
    assert!(!span.attribute("client.address").is_empty(), "{span:?}");
    // The application continues the trace, too.
    assert_eq!(site.app.take_requests()[0].header("traceparent"), Some(&*parent));
}

/// Doorward and the application get the same request id: the proxy's own, or else the client's.
pub fn a_request_has_one_id(site: &mut Site) {
    if !site.ways.passes_origin {
        return;
    }
    let authorization = bearer(&site.server.issue(json!({}))["token"]);
    let headers =
        [("Authorization", &*authorization), ("X-Request-Id", "01234567-89ab-4cde-8f01-23456789abcd")];
    assert_eq!(site.client().get("/", &headers).status, 200);
    let request = site.app.take_requests().remove(0);
    let id = request.header("x-request-id").unwrap_or_else(|| panic!("no X-Request-Id: {request:?}"));
    let asked = site.relay.take_sent();
    assert!(asked.contains(id), "{id} is not in {asked}");
}

pub fn a_body_arrives_whole(site: &mut Site) {
    let authorization = bearer(&site.server.issue(json!({}))["token"]);
    // More than any proxy buffers in memory before it forwards a body.
    let body: String = (0..30_000).map(|line| format!("the body {line}\n")).collect();
    let head = format!("POST /upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n");
    let length = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for request in [length, chunked] {
        let response = site.client().send(request);
        assert_eq!(response.status, 200, "{} {:?}", response.status, response.headers);
        let [request] = &site.app.take_requests()[..] else { panic!("one request") };
        assert!(request.body == body.as_bytes(), "{} bytes of {}", request.body.len(), body.len());
        assert_eq!(site.identity(request)[0], "alice");
    }
    // A denied request is denied whether or not its whole body was read.
    let denied = site.client().send(format!(
        "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    site.assert_denied(&denied, false);
    assert!(site.app.requests().is_empty());
    let asked = site.relay.take_sent();
    assert!(!asked.is_empty() && !asked.contains("the body"), "{asked}");
}

/// Also: concurrent users are never mixed up.
pub fn many_checks_go_over_few_connections(site: &mut Site) {
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
        assert_eq!(request.path, format!("/of/{}", site.identity(request)[0]));
    }
    let connections = site.relay.connections() - before;
    let most = if site.ways.keeps_connections { site.ways.clients_at_once } else { requests.len() };
    assert!(connections <= most, "{connections} more connections to Doorward");
}

pub fn no_store_no_entry(site: &mut Site) {
    let token = site.server.issue(json!({}))["token"].clone();
    assert_eq!(site.get("/", &token).status, 200);
    site.redis.kill();
    // Cached tokens may pass until the outage is noticed; then nothing passes.
    let response = wait_for("the outage shows", || Some(site.get("/", &token)).filter(|r| r.status != 200));
    assert_eq!(response.status, site.ways.unavailable_status, "{response:?}");
    let retry_after = site.ways.passes_retry_after.then_some("1");
    assert_eq!(response.header("retry-after"), retry_after, "{response:?}");
    no_request_enters(site, &token, site.ways.unavailable_status);
    // A request without a token is judged without the store.
    site.assert_denied(&site.client().get("/", &[]), false);
    site.redis.restart();
    // Redis has lost the token, and the node writes it again.
    wait_for("the store is asked again", || (site.server.auth(&token).status == 200).then_some(()));
}

pub fn no_doorward_no_entry(site: &mut Site) {
    let issue = || {
        let body = json!({"user": "alice", "ip": "203.0.113.7"});
        Some(site.server.call("POST", "/v1/tokens", Some(&body))).filter(|response| response.status == 201)
    };
    // The admin plane may have to reconnect after the last check.
    let token = wait_for("a token is issued", issue).json()["token"].clone();
    wait_for("the token is good", || (site.get("/", &token).status == 200).then_some(()));
    // Doorward is frozen: the proxy must time out, or deny once the connection breaks.
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
    // Doorward is not running.
    no_request_enters(site, &token, site.ways.unreachable_status);
    assert_eq!(site.client().get("/", &[]).status, site.ways.unreachable_status);
    assert!(site.app.take_requests().is_empty());
}

/// No request passes with a token that cannot be judged.
fn no_request_enters(site: &Site, token: &Value, status: u16) {
    site.app.take_requests();
    let mut client = site.client();
    let authorization = bearer(token);
    for path in ["/", "/welcome/", "/"] {
        let response = client.get(path, &[("Authorization", &authorization)]);
        assert_eq!(response.status, status, "{path}: {response:?}");
        assert_no_identity_shown(&response);
    }
    assert_eq!(client.get("/public/", &[]).status, 200, "public pages need no Doorward");
    assert_eq!(site.app.take_requests().len(), 1, "only the public page");
}
