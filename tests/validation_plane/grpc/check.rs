//! Envoy's external authorization over gRPC, called as Envoy does. The messages do not use the server's own
//! definitions.

use bytes::Bytes;
use serde_json::json;

use super::messages::*;
use crate::common::foreign::{drf_string, import};
use crate::common::http2::Http2;
use crate::common::log_lines::all_lines;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, bearer, cookie, on_both_stores, text};
use crate::validation_plane::support::{Secrets, base64, express, percent};

#[test]
fn a_check_gives_the_same_outcomes_as_auth() {
    on_both_stores(&[GRPC], |server| {
        let issued = server.issue(json!({"user": "zo\u{eb} 1", "auth_slug": "web", "backend": "ldap"}));
        let revoked = server.issue(json!({}));
        server.revoke(&revoked["id"]);
        let mut client = Http2::connect(server.grpc_listen());
        let (by_header, by_cookie) = (bearer(&issued["token"]), cookie(&issued["token"]));
        for headers in [
            vec![("authorization", &*by_header)],
            vec![("cookie", &*by_cookie), ("x-auth-user", "root")],
            vec![(":path", "/a"), ("authorization", "Basic YTpi"), ("cookie", &*by_cookie)],
        ] {
            for is_raw in [false, true] {
                let answer =
                    check(&mut client, &Request { headers: headers.clone(), is_raw, ..Request::default() });
                let [user, actor, id, slug, backend, device, expires_in] = answer.identity();
                assert_eq!([user, actor, id], ["zo%C3%AB%201", "zo%C3%AB%201", text(&issued["id"])]);
                assert_eq!([slug, backend, device], ["web", "ldap", "-"]);
                assert!((3_500..=3_600).contains(&expires_in.parse::<u32>().unwrap()));
                let Answer::Ok { to_remove, .. } = &answer else { unreachable!() };
                for name in ["x_auth_user", "x_auth-token_id", "x-auth_expires_in"] {
                    assert!(to_remove.iter().any(|other| other == name), "{name}");
                }
                assert!(to_remove.iter().all(|name| name.contains('_')));
            }
        }
        let denied = |client: &mut Http2, headers: Vec<(&str, &str)>| {
            let answer = check(client, &Request { headers, ..Request::default() });
            answer.assert_denied(401);
            let Answer::Denied { headers, .. } = answer else { unreachable!() };
            headers.into_iter().find(|header| header.0 == "www-authenticate").unwrap().1
        };
        assert_eq!(denied(&mut client, vec![]), r#"Bearer realm="doorward""#);
        let invalid = r#"Bearer realm="doorward", error="invalid_token""#;
        let revoked = bearer(&revoked["token"]);
        // Envoy joins header lines of the same name.
        let twice = format!("{by_header},{by_header}");
        for value in ["Bearer x", &revoked, &twice, "bearer \u{ff}"] {
            assert_eq!(denied(&mut client, vec![("authorization", value)]), invalid);
        }
        assert_eq!(server.call("PUT", "/v1/users/zo%C3%AB%201/lock", None).status, 204);
        assert_eq!(denied(&mut client, vec![("authorization", &by_header)]), invalid);
        // A message without a request, as Envoy's TCP filter sends it.
        check_message(&mut client, &[]).assert_denied(401);
        check_message(&mut client, &field(1, "")).assert_denied(401);
    });
}

#[test]
fn a_foreign_string_is_checked_where_its_form_may_stand() {
    let secrets = Secrets::new("keyboard cat");
    let forms = format!(
        "api:scheme=drf+header-scheme=Token,shop:scheme=express-session+cookie=sid+secret-file={}",
        secrets.path()
    );
    on_both_stores(&[GRPC, ("DOORWARD_FOREIGN", &forms)], |server| {
        let (string, session) = (drf_string(1), "0GbTPYAY8hpEK6qXq8TQQ7qSDmmyLdWj");
        let ids =
            [import(server, "drf", &string, "alice"), import(server, "express-session", session, "bob")];
        let mut client = Http2::connect(server.grpc_listen());
        let (by_header, by_cookie) =
            (format!("Token {string}"), format!("sid={}", percent(&express("keyboard cat", session))));
        // Twice: first looked up, then known.
        for _ in 0..2 {
            for (header, user, id) in [
                (("authorization", &*by_header), "alice", &ids[0]),
                (("cookie", &*by_cookie), "bob", &ids[1]),
            ] {
                let answer = check(&mut client, &Request { headers: vec![header], ..Request::default() });
                assert_eq!(answer.identity()[..3], [user, user, text(id)]);
            }
        }
        for header in [
            ("authorization", format!("Bearer {string}")),
            ("authorization", format!("Token {}", drf_string(2))),
            ("cookie", format!("sid={}", express("another", session))),
        ] {
            let headers = vec![(header.0, &*header.1)];
            check(&mut client, &Request { headers, ..Request::default() }).assert_denied(401);
        }
    });
}

#[test]
fn refused_checks_are_in_the_access_log() {
    let settings = [GRPC, ("DOORWARD_ACCESS_LOG", "refused"), ("DOORWARD_LOG_FORMAT", "json")];
    on_both_stores(&settings, |server| {
        let mut client = Http2::connect(server.grpc_listen());
        let token = bearer(&server.issue(json!({}))["token"]);
        let allowed = Request { headers: vec![("authorization", &*token)], ..Request::default() };
        check(&mut client, &allowed).identity();
        let base = Request { method: "PUT", source: "203.0.113.7", ..Request::default() };
        let headers = vec![("x-request-id", "req-1"), ("authorization", "Bearer x")];
        check(&mut client, &Request { headers, ..base }).assert_denied(401);
        let unknown = Request { extensions: vec![("check", "nosuch")], source: "::1", ..Request::default() };
        check(&mut client, &unknown).assert_denied(404);
        let long = "a".repeat(300 * 1024);
        let too_large = Request { headers: vec![("x-a", &*long)], ..Request::default() };
        check(&mut client, &too_large).assert_denied(431);
        let expected = [
            json!({"result": "invalid-token", "status": 401, "method": "PUT", "path": "/a", "address": "203.0.113.7",
                "request_id": "req-1"}),
            json!({"result": "unknown-check", "status": 404, "method": "GET", "path": "/a", "address": "::1"}),
            json!({"result": "too-large", "status": 431}),
        ];
        assert_eq!(all_lines(server, "access", 3), expected);
    });
}

#[test]
fn failed_checks_are_in_the_access_log() {
    let refused = ("DOORWARD_ACCESS_LOG", "refused");
    let server =
        Server::start(&[GRPC, refused, ("DOORWARD_LOG_FORMAT", "json"), ("DOORWARD_REQUEST_TIMEOUT", "3s")]);
    let mut client = Http2::connect(server.grpc_listen());
    call(&mut client, CHECK, Bytes::from_static(b"\0\0\0\0\x02\x0a\x05"));
    call(&mut client, CHECK, Bytes::from_static(b"\x01\0\0\0\0"));
    let headers = [("content-type", "application/grpc")];
    let (pending, _stream) = client.half_send(CHECK, &headers, Bytes::from_static(b"\0")).unwrap();
    client.receive(pending).unwrap();
    // No check failed here.
    call(&mut client, "/grpc.health.v1.Health/Check", Bytes::from_static(b"\0\0\0\0\x02\x0a\x05"));
    call(&mut client, "/nosuch.Service/Check", Bytes::from_static(b"\0\0\0\0\0"));
    let expected = [("malformed", 400), ("unsupported", 501), ("timeout", 408)];
    let expected = expected.map(|(result, status)| json!({"result": result, "status": status}));
    assert_eq!(all_lines(&server, "access", 3), expected);
}

#[test]
fn a_context_extension_names_the_route_check() {
    let server =
        Server::start(&[GRPC, ("DOORWARD_CHECKS", "staff:backend=ldap,open:slug=web+anonymous=true")]);
    let staff = bearer(&server.issue(json!({"backend": "ldap"}))["token"]);
    let other = bearer(&server.issue(json!({"auth_slug": "web"}))["token"]);
    let mut client = Http2::connect(server.grpc_listen());
    let mut ask = |name: &str, authorization: &str| {
        let extensions = vec![("other", "staff"), ("check", name)];
        let headers = vec![("authorization", authorization)];
        check(&mut client, &Request { headers, extensions, ..Request::default() })
    };
    assert_eq!(ask("staff", &staff).identity()[4], "ldap");
    ask("staff", &other).assert_denied(403);
    ask("staff", "Bearer x").assert_denied(401);
    assert_eq!(ask("open", &other).identity()[3], "web");
    ask("open", &staff).assert_denied(403);
    assert_eq!(ask("open", "Bearer x").identity(), ["-", "-", "-", "-", "-", "-", "0"]);
    for unknown in ["", "Staff", "staff/x"] {
        ask(unknown, &staff).assert_denied(404);
    }
}

#[test]
fn the_csrf_check_uses_the_method_of_the_checked_request() {
    let server = Server::start(&[
        GRPC,
        ("DOORWARD_COOKIE_CSRF_CHECK", "true"),
        ("DOORWARD_TRUSTED_PROXIES", "10.0.0.0/8,unix"),
    ]);
    let cookie = cookie(&server.issue(json!({}))["token"]);
    let mut client = Http2::connect(server.grpc_listen());
    let mut ask = |method: &str, source: &str, headers: &[(&str, &str)]| {
        let headers = [&[("cookie", &*cookie)], headers].concat();
        check(&mut client, &Request { method, headers, source, ..Request::default() })
    };
    let foreign = ("origin", "https://evil.example");
    ask("POST", "203.0.113.7", &[foreign]).assert_denied(403);
    ask("GET", "203.0.113.7", &[foreign]).identity();
    ask("POST", "203.0.113.7", &[("origin", "https://shop.example")]).identity();
    // A client of Envoy may send any header; only a trusted proxy before Envoy is believed.
    ask("GET", "203.0.113.7", &[foreign, ("x-forwarded-method", "POST")]).identity();
    ask("GET", "", &[foreign, ("x-forwarded-method", "POST")]).identity();
    ask("GET", "10.1.2.3", &[foreign, ("x-forwarded-method", "POST")]).assert_denied(403);
}

#[test]
fn an_unreachable_store_denies_with_503() {
    let mut redis = RedisServer::start();
    let server = Server::on(&redis, &[GRPC, ("DOORWARD_CACHE_ENTRIES", "0")]);
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let mut client = Http2::connect(server.grpc_listen());
    let request = Request { headers: vec![("authorization", &authorization)], ..Request::default() };
    assert_eq!(check(&mut client, &request).identity()[0], "alice");
    redis.kill();
    check(&mut client, &request).assert_denied(503);
}

#[test]
fn an_oversized_check_is_denied() {
    let server = Server::start(&[GRPC]);
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let mut client = Http2::connect(server.grpc_listen());
    for (size, passes) in [(60_000, true), (300_000, false)] {
        let long = "a".repeat(size);
        let headers = vec![("authorization", &*authorization), ("x-long", &long)];
        let answer = check(&mut client, &Request { headers, ..Request::default() });
        if passes {
            answer.identity();
        } else {
            answer.assert_denied(431);
        }
    }
}

#[test]
fn invalid_calls_get_a_grpc_status() {
    let server = Server::start(&[GRPC]);
    let mut client = Http2::connect(server.grpc_listen());
    let mut status = |method: &str, body: &[u8]| {
        let (body, status) = call(&mut client, method, Bytes::copy_from_slice(body));
        assert!(body.is_empty());
        status
    };
    const INVALID_ARGUMENT: u32 = 3;
    const UNIMPLEMENTED: u32 = 12;
    for body in [
        &b""[..],
        b"\0\0\0\0",
        b"\0\0\0\0\x01",
        b"\0\0\0\0\0\0",
        b"\0\0\0\0\x02\x0a\x05",
        b"\0\xff\xff\xff\xff",
    ] {
        assert_eq!(status(CHECK, body), INVALID_ARGUMENT, "{}", body.escape_ascii());
    }
    assert_eq!(status(CHECK, b"\x01\0\0\0\0"), UNIMPLEMENTED);
    assert_eq!(status("/envoy.service.auth.v2.Authorization/Check", b"\0\0\0\0\0"), UNIMPLEMENTED);
    assert_eq!(status("/grpc.health.v1.Health/Watch", b"\0\0\0\0\0"), UNIMPLEMENTED);
    assert_eq!(status("/auth", b"\0\0\0\0\0"), UNIMPLEMENTED);
    // Requests that are not gRPC calls.
    for (method, content_type) in
        [("GET", "application/grpc"), ("POST", "application/json"), ("POST", "application/grpcx")]
    {
        assert_eq!(client.request(method, CHECK, &[("content-type", content_type)]).status, 415);
    }
    assert!(server.grpc_listen() != server.listen());
    let mut http1 = crate::common::http::Client::new(server.grpc_listen());
    assert!(http1.try_send("GET /auth HTTP/1.1\r\nHost: a\r\n\r\n").is_err(), "HTTP/2 only");
}

#[test]
fn the_health_service_reports_readiness() {
    let mut redis = RedisServer::start();
    let server = Server::on(&redis, &[GRPC]);
    let mut client = Http2::connect(server.grpc_listen());
    let mut health = |service: &str| {
        let message = if service.is_empty() { Vec::new() } else { field(1, service) };
        let (body, status) = call(&mut client, HEALTH, framed(&message));
        (status, body.get(5..).map(|message| Fields::of(message).number(1)))
    };
    const SERVING: u64 = 1;
    const NOT_SERVING: u64 = 2;
    const NOT_FOUND: u32 = 5;
    for service in ["", "envoy.service.auth.v3.Authorization"] {
        assert_eq!(health(service), (0, Some(SERVING)));
    }
    assert_eq!(health("other"), (NOT_FOUND, None));
    redis.kill();
    crate::common::process::wait_for("the outage shows", || {
        (health("") == (0, Some(NOT_SERVING))).then_some(())
    });
}

#[test]
fn grpc_is_off_by_default() {
    let server = Server::start(&[]);
    assert_eq!(server.grpc_listen(), "");
    let directory = tempfile::tempdir().unwrap();
    let unix = format!("unix:{}", directory.path().join("grpc.sock").display());
    let server = Server::start(&[("DOORWARD_GRPC_LISTEN", &unix)]);
    assert_eq!(server.grpc_listen(), unix);
    check(&mut Http2::connect(&unix), &Request::default()).assert_denied(401);
}

/// The decision is as of `/auth`, and Envoy has joined the lines of a header.
#[test]
fn a_check_reads_the_places_that_the_settings_name() {
    let settings = [
        GRPC,
        ("DOORWARD_HEADER_NAME", "X-Token"),
        ("DOORWARD_HEADER_SCHEMES", "Token,none"),
        ("DOORWARD_FURTHER_COOKIES", "sid:decoding=base64"),
    ];
    let server = Server::start(&settings);
    let issued = server.issue(json!({}));
    let token = text(&issued["token"]);
    let mut client = Http2::connect(server.grpc_listen());
    let (with_scheme, sid) = (format!("Token {token}"), format!("a=b; sid={}", base64(token)));
    for headers in [
        vec![("x-token", token)],
        vec![("x-token", &*with_scheme), ("authorization", "Bearer x")],
        vec![("cookie", &*sid)],
        vec![("x-token", "Basic YTpi"), ("cookie", &*sid)],
    ] {
        let answer = check(&mut client, &Request { headers, ..Request::default() });
        assert_eq!(answer.identity()[0], "alice");
    }
    let (twice, of_both) = (format!("{token},{token}"), format!("{with_scheme},{token}"));
    for headers in [
        vec![("x-token", &*twice), ("cookie", &*sid)],
        vec![("x-token", &*of_both), ("cookie", &*sid)],
        vec![("cookie", "sid=!")],
        vec![("authorization", &*bearer(&issued["token"]))],
    ] {
        check(&mut client, &Request { headers, ..Request::default() }).assert_denied(401);
    }
}
