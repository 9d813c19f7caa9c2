//! Which requests become spans, and what the spans say.

use doorward::system::Clock;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};

use crate::common::collector::{Collector, Span, TRACE, traceparent};
use crate::common::server::{Server, bearer, cookie, key, text};
use crate::common::tls::Authority;

/// The parent of the last request of a test: spans arrive in the order of their ends.
const LAST: &str = "00000000000000ff";

fn server(collector: &Collector, settings: &[(&str, &str)]) -> Server {
    Server::start(&[settings, &[("DOORWARD_OTLP_ENDPOINT", &collector.url())]].concat())
}

/// The spans of a server after this last request; the server sends them in the order of their ends.
fn spans_after(collector: &Collector, server: &Server) -> Vec<Span> {
    server.validation().get("/auth", &[("traceparent", &traceparent(LAST))]);
    let mut spans = collector.spans_until(LAST);
    spans.retain(|span| span.parent != LAST);
    spans
}

#[test]
fn a_sampled_auth_subrequest_becomes_a_span() {
    let collector = Collector::start();
    let server = server(&collector, &[("DOORWARD_TRUSTED_PROXIES", "127.0.0.1")]);
    let before_ms = Clock::system().wall_ms();
    let issued = server.issue(json!({"user": "alice"}));
    let (good, parent) = (bearer(&issued["token"]), traceparent("00f067aa0ba902b7"));
    let mut client = server.validation();
    let mut headers = vec![
        ("authorization", &*good),
        ("traceparent", &parent),
        ("tracestate", "vendor=1"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    assert_eq!(client.get("/auth/secret/path?secret=query", &headers).status, 200);
    headers[0].1 = "Bearer forged";
    assert_eq!(client.get("/auth", &headers).status, 401);
    assert_eq!(client.get("/auth-optional/x", &headers[1..]).status, 200);
    // hyper answers from here on.
    assert_eq!(client.get("/livez", &headers).status, 200);
    headers[0].1 = &good;
    assert_eq!(client.get("/auth/secret/path?secret=query", &headers).status, 200);
    assert_eq!(client.connections(), 1);

    let spans = spans_after(&collector, &server);
    assert_outcomes(&spans, before_ms);
    assert_attributes(&spans[0]);
    assert_eq!(spans[0].attributes, spans[3].attributes, "the fast path and hyper make the same span");
    let request = &collector.requests()[0];
    assert_eq!((&*request.method, &*request.path), ("POST", "/v1/traces"));
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    for secret in [text(&issued["token"]), text(&issued["id"]), "alice", "secret"] {
        let is_shown = |body: &[u8]| body.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!collector.requests().iter().any(|request| is_shown(&request.body)), "{secret}");
    }
}

fn assert_outcomes(spans: &[Span], before_ms: u64) {
    let outcomes = spans.iter().map(|span| {
        (&*span.name, span.attribute("http.response.status_code"), span.attribute("doorward.result"))
    });
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [
            ("GET /auth", "200", "valid"),
            ("GET /auth", "401", "invalid-token"),
            ("GET /auth-optional", "200", "anonymous"),
            ("GET /auth", "200", "valid"),
        ]
    );
    for span in spans {
        assert_eq!((&*span.trace, &*span.parent, &*span.state), (TRACE, "00f067aa0ba902b7", "vendor=1"));
        assert_eq!((span.kind, span.status), (SpanKind::Server, 0));
        assert!(spans.iter().filter(|other| other.id == span.id).count() == 1, "{spans:?}");
        assert!(span.started_ns >= before_ms * 1_000_000 && span.ended_ns >= span.started_ns, "{span:?}");
    }
}

fn assert_attributes(span: &Span) {
    assert_eq!(
        span.all_attributes(),
        [
            ("client.address", "203.0.113.9"),
            ("doorward.result", "valid"),
            ("doorward.source", "cache"),
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("http.route", "/auth"),
            ("url.path", "/auth"),
            ("url.scheme", "http"),
        ]
    );
    assert_eq!(span.resource["service.name"], "doorward");
    assert_eq!(span.resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(span.resource["service.instance.id"].len(), 36);
}

#[test]
fn no_other_request_becomes_a_span() {
    let collector = Collector::start();
    let server = server(&collector, &[]);
    let good = bearer(&server.issue(json!({}))["token"]);
    let sampled = traceparent("00f067aa0ba902b7");
    let unsampled = sampled.replace("-01", "-00");
    let (upper, zeros) = (sampled.to_uppercase(), traceparent("0000000000000000"));
    for first in ["/auth", "/livez"] {
        let mut client = server.validation();
        client.get(first, &[]);
        for lines in [
            &[][..],
            &[unsampled.as_str()],
            &[&upper],
            &[&zeros],
            &["x"],
            &[&sampled, &sampled],
            &[&sampled, &unsampled],
        ] {
            let mut headers = vec![("authorization", good.as_str())];
            headers.extend(lines.iter().map(|line| ("traceparent", *line)));
            assert_eq!(client.get("/auth", &headers).status, 200);
        }
        // Probes and unknown paths make no spans either.
        for path in ["/livez", "/readyz", "/nowhere"] {
            client.get(path, &[("traceparent", &sampled)]);
        }
    }
    assert_eq!(
        server.admin().get("/v1/users/alice/tokens", &[key(), ("traceparent", &unsampled)]).status,
        200
    );
    let spans = spans_after(&collector, &server);
    assert!(spans.is_empty(), "{spans:?}");
}

#[test]
fn route_checks_sessions_and_logouts_have_spans() {
    let collector = Collector::start();
    let server = server(
        &collector,
        &[("DOORWARD_CHECKS", "staff:slug=staff"), ("DOORWARD_COOKIE_CSRF_CHECK", "false")],
    );
    let token = server.issue(json!({}))["token"].clone();
    let (good, parent) = (cookie(&token), traceparent("00f067aa0ba902b7"));
    let headers = [("cookie", &*good), ("traceparent", &parent)];
    let mut client = server.validation();
    assert_eq!(client.get("/check/staff/x", &headers).status, 403);
    assert_eq!(client.get("/session", &headers).status, 200);
    let foreign = [&headers[..], &[("sec-fetch-site", "cross-site")]].concat();
    assert_eq!(client.request("POST", "/logout", &foreign, None).status, 403);
    assert_eq!(client.request("POST", "/logout", &headers, None).status, 200);
    let spans = spans_after(&collector, &server);
    let shown = spans.iter().map(|span| {
        (&*span.name, span.attribute("http.response.status_code"), span.attribute("doorward.result"))
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            ("GET /check/{name}", "403", "check"),
            ("GET /session", "200", ""),
            ("POST /logout", "403", ""),
            ("POST /logout", "200", ""),
        ]
    );
}

#[test]
fn admin_calls_have_spans_without_the_values_in_their_paths() {
    let collector = Collector::start();
    let server = server(&collector, &[]);
    let id = server.issue(json!({}))["id"].clone();
    let parent = traceparent("00f067aa0ba902b7");
    let mut admin = server.admin();
    let mut call = |method: &str, path: &str, body: Option<Value>| {
        let headers = [key(), ("traceparent", parent.as_str()), ("x-request-id", "the-id-of-the-call")];
        admin.request(method, path, &headers, body.as_ref()).status
    };
    assert_eq!(call("POST", "/v1/tokens", Some(json!({"user": "alice", "ip": "203.0.113.7"}))), 201);
    assert_eq!(call("GET", "/v1/users/alice/tokens?limit=1", None), 200);
    assert_eq!(call("DELETE", &format!("/v1/tokens/{}", text(&id)), None), 204);
    assert_eq!(call("GET", "/v1/nobody/alice", None), 404);
    assert_eq!(call("BREW", "/v1/tokens", None), 405);
    let spans = spans_after(&collector, &server);
    assert_eq!(spans[0].attribute("doorward.request_id"), "the-id-of-the-call");
    let shown = spans.iter().map(|span| {
        let [method, path, status] = ["http.request.method", "url.path", "http.response.status_code"];
        (&*span.name, span.attribute(method), span.attribute(path), span.attribute(status))
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            ("POST /v1/tokens", "POST", "/v1/tokens", "201"),
            ("GET /v1/users/{user}/tokens", "GET", "/v1/users/{user}/tokens", "200"),
            ("DELETE /v1/tokens/{id}", "DELETE", "/v1/tokens/{id}", "204"),
            ("GET", "GET", "REDACTED", "404"),
            ("HTTP /v1/tokens", "_OTHER", "/v1/tokens", "405"),
        ]
    );
}

#[test]
fn the_collector_gets_the_configured_headers_and_the_log_does_not() {
    let collector = Collector::start();
    let server = server(
        &collector,
        &[("DOORWARD_OTLP_HEADERS", "x-key=abc%2Cdef, x-team=a b"), ("DOORWARD_LOG_LEVEL", "trace")],
    );
    spans_after(&collector, &server);
    let request = &collector.requests()[0];
    assert_eq!((request.header("x-key"), request.header("x-team")), (Some("abc,def"), Some("a b")));
    assert!(!server.log().contains("abc"), "{}", server.log());
}

#[test]
fn a_collector_behind_tls_is_verified() {
    let (authority, other) = (Authority::new(), Authority::new());
    let collector = Collector::start_tls(&authority.issue("collector"));
    let url = format!("https://{}/base/", collector.addr());
    let start = |authority: &Authority| {
        let ca_file = authority.cert();
        let settings =
            [("DOORWARD_OTLP_ENDPOINT", &*url), ("DOORWARD_OTLP_CA_FILE", ca_file.to_str().unwrap())];
        let server = Server::start(&settings);
        server.validation().get("/auth", &[("traceparent", &traceparent(LAST))]);
        server
    };
    let mut distrusting = start(&other);
    distrusting.process().wait_until("the failure is logged", |process| {
        process.log().contains("trace collector does not take spans")
    });
    assert!(collector.requests().is_empty(), "{}", distrusting.log());
    let _trusting = start(&authority);
    collector.spans_until(LAST);
    let request = &collector.requests()[0];
    assert_eq!(request.path, "/base/v1/traces");
    assert_eq!(request.header("host"), Some(&*collector.addr()));
}
