//! nginx with `auth_request`.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::json;

use super::site::{Site, Ways};
use crate::common::http::Client;
use crate::common::proxies::nginx;
use crate::common::proxies::proxy::Between;
use crate::common::server::bearer;
use crate::common::upstream::{Reply, Upstream};

#[test]
fn nginx_passes_all_checks() {
    Site::start(Ways::USUAL, nginx::start).pass_all_checks();
}

#[test]
fn nginx_with_a_cache_passes_all_checks() {
    let ways = Ways { remembers: true, ..Ways::USUAL };
    Site::start(ways, nginx::start_cached).pass_all_checks();
}

#[test]
fn the_nginx_cache_saves_checks_and_keeps_users_apart() {
    let site = Site::start(Ways { remembers: true, ..Ways::USUAL }, nginx::start_cached);
    let tokens =
        ["ann", "bob"].map(|user| (user, bearer(&site.server.issue(json!({"user": user}))["token"])));
    let mut client = site.client();
    site.relay.take_sent();
    for _ in 0..200 {
        for (user, authorization) in &tokens {
            assert_eq!(client.get("/", &[("Authorization", authorization)]).status, 200);
            assert_eq!(site.app.take_requests()[0].header("x-auth-user"), Some(*user));
        }
    }
    let checks = site.relay.take_sent().matches("GET /auth ").count();
    assert!((2..400).contains(&checks), "{checks} checks for 400 requests");
}

/// The block that asks `/auth`, copied for a route check as docs/proxies.md says.
#[test]
fn a_cached_answer_is_used_for_the_same_check_only() {
    let site = Site::start(Ways { remembers: true, ..Ways::USUAL }, nginx::start_cached_with_staff);
    let authorization = bearer(&site.server.issue(json!({"backend": "shop"}))["token"]);
    let headers = [("Authorization", authorization.as_str())];
    let mut client = site.client();
    for _ in 0..20 {
        assert_eq!(client.get("/", &headers).status, 200);
        assert_eq!(client.get("/staff/", &headers).status, 403);
    }
}

#[test]
fn nginx_asks_the_next_node_after_a_503() {
    let good = Upstream::answering(|_| Reply::new(200, &[("X-Auth-User", "alice")], ""));
    let unsure = Upstream::answering(|_| Reply::new(503, &[("Retry-After", "1")], ""));
    let (app, gone) = (Upstream::start(), Upstream::start().addr());
    for bad in [&unsure.addr(), &gone] {
        let proxy = nginx::start_compose([bad, &good.addr()], &app.addr());
        let mut client = Client::new(&proxy.addr());
        for _ in 0..4 {
            assert_eq!(client.get("/", &[]).status, 200, "{}", proxy.log());
        }
    }
    assert!(!unsure.requests().is_empty());
}

/// An unreachable machine answers no connection attempt. The next node is asked soon, also for requests that are not
/// subrequests.
#[test]
fn nginx_does_not_wait_for_an_unreachable_node() {
    let good = Upstream::answering(|_| Reply::new(200, &[("X-Auth-User", "alice")], "{}"));
    let (app, gone) = (Upstream::start(), TcpListener::bind("127.0.0.1:0").unwrap());
    let addr = gone.local_addr().unwrap();
    // Once a listener's queue is full, connection attempts get no answer.
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(300)) {
        queue.push(stream);
    }
    let proxy = nginx::start_compose([&addr.to_string(), &good.addr()], &app.addr());
    for (method, path) in [("GET", "/session"), ("POST", "/logout"), ("GET", "/session"), ("POST", "/logout")]
    {
        // The client waits 20 s; by default, nginx would wait 60 s.
        let answer = Client::new(&proxy.addr()).request(method, path, &[], None);
        assert_eq!(answer.status, 200, "{method} {path}: {}", proxy.log());
    }
}

#[test]
fn nginx_passes_the_applications_own_errors_on() {
    let doorward = Upstream::answering(|_| Reply::new(200, &[("X-Auth-User", "alice")], ""));
    let app = Upstream::answering(|_| Reply::new(500, &[], "my own"));
    let proxy = nginx::start(Between { doorward: &doorward.addr(), grpc: "", admin: "", app: &app.addr() });
    let response = Client::new(&proxy.addr()).get("/", &[]);
    assert_eq!((response.status, response.text().as_str()), (500, "my own"));
}

/// The login form needs no token, and gets no identity that the client made up.
#[test]
fn the_login_location_is_public() {
    let site = Site::start(Ways::USUAL, nginx::start);
    let answer = site.client().get("/login", &[("X-Auth-User", "mallory")]);
    assert_eq!(answer.status, 200);
    assert_eq!(site.app.take_requests()[0].header("x-auth-user"), None);
    assert_eq!(site.client().get("/login/x", &[]).status, 401);
}

#[test]
fn the_error_page_of_an_outage_is_a_503_that_must_not_be_cached() {
    let (app, gone) = (Upstream::start(), Upstream::start().addr());
    let proxy = nginx::start(Between { doorward: &gone, grpc: "", admin: "", app: &app.addr() });
    let answer = Client::new(&proxy.addr()).get("/", &[]);
    assert_eq!(answer.status, 503, "{}", proxy.log());
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert!(answer.text().contains("You are still logged in"), "{}", answer.text());
}
