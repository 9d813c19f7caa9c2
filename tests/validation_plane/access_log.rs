//! The access log: which requests have a line, and its fields.

use serde_json::{Value, json};

use crate::common::http2::Http2;
use crate::common::log_lines::{all_lines, lines, merged};
use crate::common::process::wait_for;
use crate::common::server::{Server, bearer, cookie, text};

const JSON: (&str, &str) = ("DOORWARD_LOG_FORMAT", "json");
const REFUSED: (&str, &str) = ("DOORWARD_ACCESS_LOG", "refused");
const ALL: (&str, &str) = ("DOORWARD_ACCESS_LOG", "1/1");
/// No line is suppressed.
const RATE: (&str, &str) = ("DOORWARD_ACCESS_LOG_RATE", "100000");
/// One thread, so that one counter samples all requests.
const ONE_THREAD: (&str, &str) = ("DOORWARD_VALIDATION_THREADS", "1");
const TRUSTED: (&str, &str) = ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1");
const CHECKS: (&str, &str) = ("DOORWARD_CHECKS", "staff:backend=ldap");
/// Makes a request unusual, so that hyper answers it instead of the fast path.
const TO_HYPER: (&str, &str) = ("Connection", "keep-alive, x-test");

#[test]
fn refused_requests_are_logged_alike_by_the_fast_path_and_by_hyper() {
    let server =
        Server::start(&[JSON, REFUSED, RATE, TRUSTED, CHECKS, ("DOORWARD_COOKIE_CSRF_CHECK", "true")]);
    let token = server.issue(json!({}));
    let pending = server.issue(json!({"is_authenticated": false}));
    let (by_header, by_cookie) = (bearer(&token["token"]), cookie(&token["token"]));
    let pending = bearer(&pending["token"]);
    let proxy = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Request-Id", "req-1"),
        ("X-Original-Method", "POST"),
        ("X-Original-URI", "/shop/cart?secret=1"),
    ];
    let told = json!({"address": "203.0.113.9", "request_id": "req-1", "original_method": "POST",
        "original_path": "/shop/cart"});
    let mut count = 0;
    let (none, holder) = (json!({}), json!({"token": token["id"], "user": "alice"}));
    let mut refused = |path: &str, headers: &[(&str, &str)], status: u16, result: &str, holder: &Value| {
        for last in [None, Some(TO_HYPER)] {
            let headers: Vec<_> = headers.iter().chain(&proxy).copied().chain(last).collect();
            assert_eq!(server.validation().get(path, &headers).status, status, "{path}");
            count += 1;
            let line = &all_lines(&server, "access", count)[count - 1];
            let path = path.split('?').next().unwrap();
            let expected = json!({"result": result, "status": status, "method": "GET", "path": path});
            let expected = merged(&merged(&expected, told.clone()), holder.clone());
            assert_eq!(*line, expected);
        }
    };
    refused("/auth?token=x", &[], 401, "no-token", &none);
    refused("/auth/deep", &[("Authorization", "Bearer x")], 401, "invalid-token", &none);
    refused("/auth", &[("Authorization", &pending)], 403, "second-factor", &none);
    refused("/check/staff", &[("Authorization", &by_header)], 403, "check", &holder);
    refused("/auth", &[("Cookie", &by_cookie), ("Sec-Fetch-Site", "cross-site")], 403, "cross-site", &holder);
    // Requests that pass, and requests that no route answers, have no line.
    for (path, headers, status) in [
        ("/auth", vec![("Authorization", &*by_header)], 200),
        ("/auth-optional", vec![], 200),
        ("/nowhere", vec![], 404),
        ("/readyz", vec![], 200),
    ] {
        assert_eq!(server.validation().get(path, &headers).status, status);
    }
    refused("/auth", &[], 401, "no-token", &none);
}

#[test]
fn the_calls_of_a_holder_are_logged_too() {
    let server = Server::start(&[JSON, ALL, RATE]);
    let token = server.issue(json!({}));
    let by_cookie = cookie(&token["token"]);
    let holder = json!({"token": token["id"], "user": "alice"});
    let mut count = 0;
    for (method, path, headers, expected) in [
        ("GET", "/session", vec![], json!({"result": "no-token", "status": 401})),
        (
            "GET",
            "/session",
            vec![("Cookie", &*by_cookie)],
            merged(&holder, json!({"result": "valid", "status": 200})),
        ),
        (
            "POST",
            "/logout",
            vec![("Cookie", &*by_cookie), ("Sec-Fetch-Site", "cross-site")],
            merged(&holder, json!({"result": "cross-site", "status": 403})),
        ),
        (
            "POST",
            "/logout",
            vec![("Cookie", &*by_cookie)],
            merged(&holder, json!({"result": "valid", "status": 200})),
        ),
        ("POST", "/logout", vec![("Cookie", &*by_cookie)], json!({"result": "invalid-token", "status": 401})),
    ] {
        let response = server.validation().request(method, path, &headers, None);
        assert_eq!(json!(response.status), expected["status"], "{method} {path}");
        count += 1;
        let expected = merged(&expected, json!({"method": method, "path": path, "address": "127.0.0.1"}));
        assert_eq!(all_lines(&server, "access", count)[count - 1], expected);
    }
}

#[test]
fn a_sample_of_the_requests_that_pass_is_logged_with_their_user() {
    let server = Server::start(&[JSON, ("DOORWARD_ACCESS_LOG", "1/10"), RATE, ONE_THREAD]);
    let token = server.issue(json!({"user": "zo\u{eb}"}));
    let by_header = bearer(&token["token"]);
    let mut client = server.validation();
    for _ in 0..50 {
        assert_eq!(client.get("/auth", &[("Authorization", &by_header)]).status, 200);
    }
    assert_eq!(client.get("/auth-optional", &[]).status, 200);
    assert_eq!(client.get("/auth", &[]).status, 401);
    let found = all_lines(&server, "access", 7);
    let of = |result: &str, status: u16, path: &str| json!({"result": result, "status": status, "method": "GET", "path": path, "address": "127.0.0.1"});
    let valid = merged(&of("valid", 200, "/auth"), json!({"token": token["id"], "user": "zo\u{eb}"}));
    let (anonymous, refused) = (of("anonymous", 200, "/auth-optional"), of("no-token", 401, "/auth"));
    assert_eq!(found[..5], [(); 5].map(|()| valid.clone()));
    assert_eq!(found[5..], [anonymous, refused]);
}

#[test]
fn http2_requests_are_logged_as_well() {
    let server = Server::start(&[JSON, REFUSED, RATE]);
    assert_eq!(
        Http2::connect(server.listen()).request("GET", "/auth", &[("x-request-id", "req-2")]).status,
        401
    );
    let line = all_lines(&server, "access", 1).remove(0);
    assert_eq!((&line["result"], &line["request_id"]), (&json!("no-token"), &json!("req-2")));
}

#[test]
fn the_rate_of_lines_is_limited_and_the_rest_is_counted() {
    let server = Server::start(&[JSON, REFUSED, ("DOORWARD_ACCESS_LOG_RATE", "1"), ONE_THREAD]);
    let mut client = server.validation();
    // More requests than seconds can pass meanwhile.
    wait_for("a count of suppressed lines", || {
        (0..100).for_each(|_| assert_eq!(client.get("/auth", &[]).status, 401));
        lines(&server, "access").iter().any(|line| line["suppressed"].as_u64() > Some(0)).then_some(())
    });
    let found = lines(&server, "access");
    assert_eq!(found[0].get("suppressed"), None);
}

#[test]
fn no_request_can_forge_a_line_or_leave_a_secret_in_one() {
    let token_string = |server: &Server| text(&server.issue(json!({}))["token"]).to_owned();
    for format in ["text", "json"] {
        let server = Server::start(&[("DOORWARD_LOG_FORMAT", format), ALL, RATE, TRUSTED]);
        let token = token_string(&server);
        let path = format!("/auth/{token}/%0d%0aINFO?{token}");
        let evil = format!("/x\" status=200\t{token}?{token}");
        let headers = [
            ("X-Original-URI", &*evil),
            ("X-Forwarded-Method", "G\"ET\tx"),
            ("X-Request-Id", "a\tb"),
            ("Cookie", "doorward=\"\tx"),
            ("User-Agent", "evil"),
        ];
        assert_eq!(server.validation().get(&path, &headers).status, 401);
        let by_header = format!("Bearer {token}");
        assert_eq!(server.validation().get(&path, &[("Authorization", &by_header)]).status, 200);
        let is_valid = |line: &str| line.contains("valid") && line.contains("alice");
        wait_for("both lines", || server.log().lines().any(is_valid).then_some(()));
        let log = server.log();
        assert!(!log.contains(&token["dw_".len() + 16..]) && !log.contains('\t'), "{log}");
        assert!(!log.contains("a\\tb") && log.contains("/auth/***/%0d%0aINFO"), "{log}");
        let line = log.lines().find(|line| line.contains("invalid-token")).unwrap();
        if format == "json" {
            let fields = &serde_json::from_str::<Value>(line).unwrap()["fields"];
            assert_eq!(fields["original_path"], "/x\" status=200\t***");
            assert_eq!(fields["original_method"], "G\"ET\tx");
        } else {
            assert!(line.contains(r#"original_path="/x\" status=200\t***""#), "{line}");
        }
    }
}

#[test]
fn both_logs_are_independent_of_the_log_level_and_can_be_turned_off() {
    let settings = |audit, access| {
        [
            JSON,
            RATE,
            ("DOORWARD_LOG_LEVEL", "error"),
            ("DOORWARD_AUDIT_LOG", audit),
            ("DOORWARD_ACCESS_LOG", access),
        ]
    };
    for (audit, access) in [("true", "refused"), ("false", "off")] {
        let mut server = Server::start(&settings(audit, access));
        server.issue(json!({}));
        assert_eq!(server.validation().get("/auth", &[]).status, 401);
        server.terminate();
        let expected = (usize::from(audit == "true"), usize::from(access == "refused"));
        let found = (lines(&server, "audit").len(), lines(&server, "access").len());
        assert_eq!(found, expected, "{}", server.log());
        let others = server.log().lines().filter(|line| line.contains("\"level\":\"INFO\"")).count();
        assert_eq!(others, expected.0 + expected.1);
    }
}
