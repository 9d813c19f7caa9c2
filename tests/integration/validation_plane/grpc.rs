//! Envoy's external authorization over gRPC, called as Envoy does. The messages are written and read here by the field
//! numbers of Envoy's own definitions, and not by the server's.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::json;

use crate::common::http2::Http2;
use crate::common::redis::RedisServer;
use crate::common::server::{IDENTITY, Server, bearer, cookie, on_each_store, text};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
const HEALTH: &str = "/grpc.health.v1.Health/Check";
const GRPC: (&str, &str) = ("DOORWARD_GRPC_LISTEN", "127.0.0.1:0");

/// A field of a message that is bytes, a text or a message.
fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut length = content.len();
    let mut bytes = match number {
        0..16 => vec![number << 3 | 2],
        _ => unreachable!("one byte is enough for those used"),
    };
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

fn pair(key: &str, value: &[u8]) -> Vec<u8> {
    [field(1, key), field(2, value)].concat()
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a varint");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// The fields of a message: number, and content or value.
#[derive(Debug)]
struct Fields(Vec<(u64, Vec<u8>, u64)>);

impl Fields {
    fn of(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            match tag & 7 {
                0 => fields.push((tag >> 3, Vec::new(), varint(&mut bytes))),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    let (content, rest) = bytes.split_at(length);
                    fields.push((tag >> 3, content.to_vec(), 0));
                    bytes = rest;
                }
                other => panic!("wire type {other}"),
            }
        }
        Self(fields)
    }

    fn all(&self, number: u64) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |field| field.0 == number).map(|field| &*field.1)
    }

    fn message(&self, number: u64) -> Option<Fields> {
        self.all(number).next().map(Fields::of)
    }

    fn number(&self, number: u64) -> u64 {
        self.0.iter().find(|field| field.0 == number).map_or(0, |field| field.2)
    }

    fn text(&self, number: u64) -> String {
        String::from_utf8(self.all(number).next().unwrap_or_default().to_vec()).unwrap()
    }

    /// `HeaderValueOption`s: each must overwrite what the client sent.
    fn headers(&self) -> Vec<(String, String)> {
        let option = |option: &[u8]| {
            let option = Fields::of(option);
            assert_eq!(option.number(3), 2, "OVERWRITE_IF_EXISTS_OR_ADD");
            let header = option.message(1).unwrap();
            (header.text(1), header.text(2))
        };
        self.all(2).map(option).collect()
    }
}

/// What a check came to.
#[derive(Debug)]
enum Answer {
    Ok { headers: Vec<(String, String)>, to_remove: Vec<String> },
    Denied { status: u64, headers: Vec<(String, String)> },
}

impl Answer {
    fn identity(&self) -> [&str; 7] {
        let Self::Ok { headers, .. } = self else { panic!("{self:?}") };
        assert_eq!(headers.len(), 7, "{headers:?}");
        IDENTITY.map(|name| {
            let mut values = headers.iter().filter(|(other, _)| *other == name.to_ascii_lowercase());
            &*values.next().expect(name).1
        })
    }

    fn assert_denied(&self, expected: u64) {
        let Self::Denied { status, headers } = self else { panic!("{self:?}") };
        assert_eq!(*status, expected);
        let names = headers.iter().map(|(name, _)| &**name);
        let tells: Vec<_> =
            names.filter(|name| name.starts_with("x-auth-") || *name == "content-length").collect();
        assert_eq!(tells, if expected == 403 { &["x-auth-reason"][..] } else { &[] }, "{headers:?}");
        assert!(headers.contains(&("cache-control".into(), "no-store".into())), "{headers:?}");
        let value = |name: &str| headers.iter().find(|header| header.0 == name).map(|header| &*header.1);
        assert_eq!(value("www-authenticate").is_some(), expected == 401, "{headers:?}");
        assert_eq!(value("retry-after"), (expected == 503).then_some("1"));
    }
}

/// The attributes of a request to Envoy.
#[derive(Default)]
struct Request<'a> {
    method: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    extensions: Vec<(&'a str, &'a str)>,
    source: &'a str,
    /// As with `encode_raw_headers`.
    is_raw: bool,
}

impl Request<'_> {
    fn message(&self) -> Vec<u8> {
        let headers = self.headers.iter();
        let headers: Vec<u8> = if self.is_raw {
            let raw = headers.flat_map(|(name, value)| field(1, [field(1, name), field(3, value)].concat()));
            field(13, raw.collect::<Vec<_>>())
        } else {
            headers.flat_map(|(name, value)| field(3, pair(name, value.as_bytes()))).collect()
        };
        let method = if self.method.is_empty() { "GET" } else { self.method };
        let http = [
            field(1, "id"),
            field(2, method),
            headers,
            field(4, "/a?b"),
            field(5, "shop.example"),
            field(10, "HTTP/1.1"),
        ];
        let request = field(4, field(2, http.concat()));
        let address = field(1, [field(2, self.source), vec![0x18, 0x50]].concat());
        let source = field(1, field(1, address));
        let extension = |(name, value): &(&str, &str)| field(10, pair(name, value.as_bytes()));
        let extensions: Vec<u8> = self.extensions.iter().flat_map(extension).collect();
        // Fields that are not read: destination, metadata_context.
        field(1, [source, field(2, ""), request, extensions, field(11, "")].concat())
    }
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// A call: the message of the answer, and its status, from the trailers or from the head.
fn call(client: &mut Http2, method: &str, body: Bytes) -> (Vec<u8>, u32) {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let pending = client.send("POST", method, &headers, Some(body)).unwrap();
    let (response, trailers): (_, HeaderMap) = client.receive(pending).unwrap();
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/grpc")));
    let in_head = response.header("grpc-status").map(str::to_owned);
    let status = trailers.get("grpc-status").map(|value| value.to_str().unwrap().to_owned());
    assert!(in_head.is_some() != status.is_some(), "{response:?} {trailers:?}");
    (response.body, status.or(in_head).unwrap().parse().unwrap())
}

fn check(client: &mut Http2, request: &Request) -> Answer {
    check_message(client, &request.message())
}

fn check_message(client: &mut Http2, message: &[u8]) -> Answer {
    let (body, status) = call(client, CHECK, framed(message));
    assert_eq!(status, 0);
    assert_eq!(framed(&body[5..]), body, "one whole message");
    let response = Fields::of(&body[5..]);
    let code = response.message(1).map_or(0, |status| status.number(1));
    match (response.message(2), response.message(3)) {
        (None, Some(ok)) => {
            assert_eq!(code, 0);
            let to_remove = ok.all(5).map(|name| String::from_utf8(name.to_vec()).unwrap()).collect();
            Answer::Ok { headers: ok.headers(), to_remove }
        }
        (Some(denied), None) => {
            assert_ne!(code, 0, "anything but OK denies");
            Answer::Denied { status: denied.message(1).unwrap().number(1), headers: denied.headers() }
        }
        both => panic!("{both:?}"),
    }
}

#[test]
fn the_outcomes_are_those_of_auth() {
    on_each_store(&[GRPC], |server| {
        let issued = server.issue(json!({"user": "zo\u{eb} 1", "auth_slug": "web", "backend": "ldap"}));
        let ended = server.issue(json!({}));
        server.end(&ended["id"]);
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
        let ended = bearer(&ended["token"]);
        // Envoy puts lines of one name together.
        let twice = format!("{by_header},{by_header}");
        for value in ["Bearer x", &ended, &twice, "bearer \u{ff}"] {
            assert_eq!(denied(&mut client, vec![("authorization", value)]), invalid);
        }
        // A message without a request, as of a filter for TCP.
        check_message(&mut client, &[]).assert_denied(401);
        check_message(&mut client, &field(1, "")).assert_denied(401);
    });
}

#[test]
fn an_extension_names_the_check() {
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
fn another_sites_cookie_is_told_by_the_requests_own_method() {
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
    // A client of Envoy's may send any header; another proxy before it is believed.
    ask("GET", "203.0.113.7", &[foreign, ("x-forwarded-method", "POST")]).identity();
    ask("GET", "", &[foreign, ("x-forwarded-method", "POST")]).identity();
    ask("GET", "10.1.2.3", &[foreign, ("x-forwarded-method", "POST")]).assert_denied(403);
}

#[test]
fn a_store_that_is_away_denies_with_503() {
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
fn what_is_too_large_to_be_judged_is_denied() {
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
fn calls_that_are_none_have_a_status() {
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
    // And what is no call at all.
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
fn the_health_service_tells_readiness() {
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
fn there_is_no_grpc_unless_it_is_set() {
    let server = Server::start(&[]);
    assert_eq!(server.grpc_listen(), "");
    let directory = tempfile::tempdir().unwrap();
    let unix = format!("unix:{}", directory.path().join("grpc.sock").display());
    let server = Server::start(&[("DOORWARD_GRPC_LISTEN", &unix)]);
    assert_eq!(server.grpc_listen(), unix);
    check(&mut Http2::connect(&unix), &Request::default()).assert_denied(401);
}
