//! A browser's request for a page without a valid token is sent to the login page; every other request gets the 401.

use serde_json::{Value, json};

use super::site::{Plane, REFUSED_BY_APP, Site, Ways, assert_no_identity_sent, assert_no_identity_shown};
use super::{caddy as caddy_ways, traefik as traefik_ways};
use crate::common::http::{Response, request_bytes};
use crate::common::process::wait_for;
use crate::common::proxies::{caddy, envoy, haproxy, nginx, traefik};
use crate::common::server::bearer;

type Headers<'a> = &'a [(&'a str, &'a str)];

const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const NAVIGATE: (&str, &str) = ("Sec-Fetch-Mode", "navigate");

/// A browser's request for a page.
const PAGE: [(&str, &str); 2] = [HTML, NAVIGATE];

/// Returns the address that the answer sends the browser back to after `page`. It must be one percent-encoded parameter.
fn sent_back_to(response: &Response, page: &str) -> String {
    assert_eq!(response.status, 302, "{response:?}");
    let location = response.header("location").expect("a location");
    let start = format!("{page}?next=");
    let next = location.strip_prefix(&start).unwrap_or_else(|| panic!("{location}"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    assert!(next.bytes().all(is_plain), "{location}");
    assert_eq!(response.header("cache-control"), Some("no-store"), "{response:?}");
    for name in ["www-authenticate", "set-cookie"] {
        assert_eq!(response.header(name), None, "{response:?}");
    }
    assert_no_identity_shown(response);
    percent_encoding::percent_decode_str(next).decode_utf8().unwrap().into_owned()
}

fn pages_go_to_the_login(site: &Site) {
    let addresses = [
        "/",
        "/orders",
        "/orders?page=2&sort=name&next=//evil.example",
        "/caf%C3%A9/%E2%82%AC?q=%26%2B+a%23b%25",
        "/%0D%0ASet-Cookie:%20a=b/$host/%7Bhost%7D",
    ];
    for address in addresses {
        for headers in [&PAGE[..], &[HTML]] {
            let answer = site.client().get(address, headers);
            assert_eq!(sent_back_to(&answer, "/login"), address, "{headers:?}");
        }
    }
    for credentials in [("Authorization", "Bearer dw_x"), ("Cookie", "doorward=dw_x")] {
        let answer = site.client().get("/orders", &[HTML, NAVIGATE, credentials]);
        assert_eq!(sent_back_to(&answer, "/login"), "/orders");
    }
    assert!(site.app.requests().is_empty());
}

fn other_requests_get_the_401(site: &Site) {
    let cases: [(&str, Headers); 12] = [
        ("GET", &[]),
        ("GET", &[("Accept", "*/*")]),
        ("GET", &[("Accept", "application/json"), ("Sec-Fetch-Mode", "cors")]),
        ("GET", &[("Accept", "application/json, text/html")]),
        // A client may claim to navigate, or to prefer HTML.
        ("GET", &[("Accept", "application/json"), NAVIGATE]),
        ("GET", &[NAVIGATE]),
        ("GET", &[HTML, ("Sec-Fetch-Mode", "cors")]),
        ("GET", &[HTML, ("Sec-Fetch-Mode", "no-cors")]),
        ("HEAD", &PAGE),
        ("POST", &PAGE),
        ("PUT", &PAGE),
        ("OPTIONS", &PAGE),
    ];
    for (method, headers) in cases {
        let answer = site.client().request(method, "/orders", headers, None);
        site.assert_denied(&answer, false);
        assert_eq!(answer.header("location"), None, "{method} {headers:?}");
    }
    assert!(site.app.requests().is_empty());
}

/// The browser stays on the site, whatever the request says.
fn no_address_leads_to_another_site(site: &Site) {
    let forged = [
        HTML,
        NAVIGATE,
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Uri", "//evil.example"),
        ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Original-Url", "//evil.example"),
        ("Referer", "https://evil.example/"),
        ("Origin", "https://evil.example"),
    ];
    assert_eq!(sent_back_to(&site.client().get("/orders", &forged), "/login"), "/orders");

    let addresses = [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "/%5Cevil.example",
        "/%2Fevil.example",
        "//evil.example/%2e%2e",
        "/.//evil.example",
        "/a/..//evil.example",
        "/a/..\\/evil.example",
        "/\t/evil.example",
        "/café",
        "http://evil.example/orders",
        "http://evil.example//evil.example",
        "http:evil.example",
        "evil.example",
    ];
    for address in addresses {
        let answer = site.client().try_send(request_bytes("GET", address, &PAGE, None));
        let Ok(answer) = answer else { continue };
        if answer.status == 302 {
            let next = sent_back_to(&answer, "/login");
            let is_of_site = next.starts_with('/') && !next.contains("//") && !next.contains('\\');
            assert!(is_of_site && next.chars().all(|c| !c.is_control()), "{address}: {next}");
        } else {
            // Caddy asks Doorward an unknown path for an address without one: 404.
            assert!([400, 401, 404].contains(&answer.status), "{address}: {answer:?}");
            assert_eq!(answer.header("location"), None, "{address}");
        }
    }
    assert!(site.app.take_requests().is_empty());
}

fn the_second_factor_has_its_own_page(site: &Site) {
    let pending = bearer(&site.server.issue(json!({"is_authenticated": false}))["token"]);
    let authorization = ("Authorization", pending.as_str());
    let page = site.client().get("/orders?page=2", &[HTML, NAVIGATE, authorization]);
    if site.ways.knows_refusals {
        assert_eq!(sent_back_to(&page, "/second-factor"), "/orders?page=2");
    } else {
        assert_eq!((page.status, page.header("location")), (403, None), "{page:?}");
    }
    for (method, headers) in [("GET", &[authorization][..]), ("POST", &[HTML, NAVIGATE, authorization])] {
        let answer = site.client().request(method, "/orders", headers, None);
        assert_eq!((answer.status, answer.header("location")), (403, None), "{answer:?}");
        assert_eq!(answer.header("x-auth-reason"), Some("second-factor"), "{answer:?}");
    }
    assert!(site.app.requests().is_empty());
}

/// The two pages are public, and learn no identity from the client.
fn the_pages_themselves_are_public(site: &Site) {
    for page in ["/login?next=%2Forders", "/second-factor?next=%2Forders"] {
        for method in ["GET", "POST"] {
            let headers = [HTML, NAVIGATE, ("X-Auth-User", "mallory"), ("Authorization", "Bearer dw_x")];
            assert_eq!(site.client().request(method, page, &headers, None).status, 200, "{method} {page}");
            let [request] = &site.app.take_requests()[..] else { panic!("one request") };
            assert_eq!((request.method.as_str(), request.path.as_str()), (method, page));
            assert_no_identity_sent(request);
        }
    }
    site.assert_denied(&site.client().get("/login/x", &[]), false);
}

fn a_valid_token_gets_the_page(site: &Site) -> Value {
    let token = site.server.issue(json!({}))["token"].clone();
    let authorization = bearer(&token);
    let headers = [HTML, NAVIGATE, ("Authorization", &authorization)];
    assert_eq!(site.client().get("/orders", &headers).status, 200);
    assert_eq!(site.identity(&site.app.take_requests()[0])[0], "alice");
    let own = site.client().get(REFUSED_BY_APP, &headers);
    if site.ways.knows_refusals {
        assert_eq!((own.status, own.header("www-authenticate")), (401, Some("Basic")), "{own:?}");
    } else {
        assert_eq!(sent_back_to(&own, "/login"), REFUSED_BY_APP);
    }
    site.app.take_requests();
    token
}

/// Every client gets "try again": a user whose browser is sent to the login page would take the outage for a logout.
fn an_outage_sends_no_browser_to_the_login(site: &mut Site, token: &Value) {
    let authorization = bearer(token);
    let (page, call) =
        ([HTML, NAVIGATE, ("Authorization", &authorization)], [("Authorization", &*authorization)]);
    site.redis.kill();
    let get = |headers: Headers| site.client().get("/orders", headers);
    wait_for("the outage shows", || (get(&call).status != 200).then_some(()));
    for headers in [&page[..], &call] {
        let answer = get(headers);
        assert_eq!((answer.status, answer.header("location")), (503, None), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    }
    site.server.kill9();
    let get = |headers: Headers| site.client().get("/orders", headers);
    for headers in [&page[..], &call, &PAGE, &[]] {
        let answer = get(headers);
        let expected = (site.ways.unreachable_status, None);
        assert_eq!((answer.status, answer.header("location")), expected, "{answer:?}");
    }
    assert_eq!(site.client().get("/login", &PAGE).status, 200);
}

fn assert_browsers_are_sent_to_the_login(mut site: Site) {
    pages_go_to_the_login(&site);
    other_requests_get_the_401(&site);
    no_address_leads_to_another_site(&site);
    the_second_factor_has_its_own_page(&site);
    the_pages_themselves_are_public(&site);
    let token = a_valid_token_gets_the_page(&site);
    site.app.take_requests();
    an_outage_sends_no_browser_to_the_login(&mut site, &token);
}

// Only Linux distributions and nginx.org have a package of njs.
#[cfg(target_os = "linux")]
#[test]
fn nginx_sends_browsers_to_the_login() {
    assert_browsers_are_sent_to_the_login(Site::start(Ways::USUAL, nginx::start_with_login));
}

#[test]
fn caddy_sends_browsers_to_the_login() {
    for start in [caddy::start_2_6, caddy::start_2_11] {
        assert_browsers_are_sent_to_the_login(Site::start(caddy_ways::WAYS, start));
    }
}

#[test]
fn traefik_sends_browsers_to_the_login() {
    assert_browsers_are_sent_to_the_login(Site::start(traefik_ways::WAYS, traefik::start));
}

#[test]
fn haproxy_sends_browsers_to_the_login() {
    assert_browsers_are_sent_to_the_login(Site::start(Ways::USUAL, haproxy::start));
}

#[test]
fn envoy_over_http_sends_browsers_to_the_login() {
    assert_browsers_are_sent_to_the_login(Site::start(Ways::USUAL, envoy::start_http));
}

#[test]
fn envoy_over_grpc_sends_browsers_to_the_login() {
    let ways = Ways { asks: Plane::Grpc, ..Ways::USUAL };
    assert_browsers_are_sent_to_the_login(Site::start(ways, envoy::start_grpc));
}
