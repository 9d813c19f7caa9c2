//! `metrics-listen`, `GET /v1/stats`, and the exactness of the counters, on the embedded store.

use std::thread;

use serde_json::{Value, json};

use crate::common::http::Client;
use crate::common::process::wait_for;
use crate::common::server::{ADMIN_KEY, Server, bearer, run, text, token_path};

#[test]
fn metrics_listen_serves_the_metrics_and_nothing_else_without_a_key() {
    let server = Server::start(&[("DOORWARD_METRICS_LISTEN", "127.0.0.1:0")]);
    let mut client = Client::new(server.metrics_listen());
    let plain = client.get("/metrics?a=b", &[]);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(plain.text().contains("# TYPE doorward_validations_total counter\n"), "{}", plain.text());
    let open_metrics = client.get("/metrics", &[("Accept", "application/openmetrics-text; version=1.0.0")]);
    assert!(open_metrics.text().ends_with("# EOF\n"));
    assert_eq!(
        open_metrics.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    for (method, path, status) in [
        ("HEAD", "/metrics", 200),
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
        ("POST", "/metrics", 405),
        ("GET", "/v1/stats", 404),
        ("GET", "/v1/status", 404),
        ("GET", "/auth", 404),
    ] {
        assert_eq!(client.request(method, path, &[], None).status, status, "{method} {path}");
    }
    assert_eq!(server.admin().get("/metrics", &[]).status, 401, "the admin plane still demands a key");
}

#[test]
fn metrics_listen_may_be_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", directory.path().join("metrics").display());
    let server = Server::start(&[("DOORWARD_METRICS_LISTEN", &address)]);
    assert_eq!(server.metrics_listen(), address);
    let stream = std::os::unix::net::UnixStream::connect(directory.path().join("metrics")).unwrap();
    assert!(Client::over(stream).get("/metrics", &[]).text().contains("doorward_ready 1\n"));
}

#[test]
fn a_taken_metrics_address_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let settings = [
        ("DOORWARD_LISTEN", "127.0.0.1:0"),
        ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0"),
        ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
        ("DOORWARD_METRICS_LISTEN", &*address),
    ];
    let mut process = run(&[], &settings);
    assert_eq!(process.wait().code(), Some(1));
    let message = process.stderr();
    assert!(message.contains("metrics-listen") && message.contains(&address), "{message}");
}

fn stats(server: &Server) -> Value {
    let response = server.call("GET", "/v1/stats", None);
    assert_eq!(response.status, 200);
    response.json()
}

#[test]
fn stats_count_what_the_node_did() {
    let server = Server::start(&[("DOORWARD_MAX_TOKENS_PER_USER", "1")]);
    let first = server.issue(json!({}));
    let second = server.issue(json!({}));
    assert_eq!(server.auth(&second["token"]).status, 200);
    assert_eq!(server.auth(&first["token"]).status, 401);
    let rotated = server.call("POST", &format!("{}/rotate", token_path(&second["id"])), None).json();
    let logout = server.validation().request(
        "POST",
        "/logout",
        &[("Authorization", &bearer(&rotated["token"]))],
        None,
    );
    assert_eq!(logout.status, 200);
    let refused = json!({"uuid": "phone", "login_token": "dwd_forged", "ip": "192.0.2.1"});
    assert_eq!(server.call("POST", "/v1/devices/login", Some(&refused)).status, 401);
    let stats = stats(&server);
    assert_eq!(text(&stats["version"]), env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&stats["ready"], &stats["store"], &stats["cache"]),
        (&json!(true), &json!("memory"), &json!(null))
    );
    assert_eq!((&stats["tokens"]["issued"], &stats["tokens"]["rotated"]), (&json!(2), &json!(1)));
    let revoked = &stats["tokens"]["revoked"];
    assert_eq!((&revoked["limit"], &revoked["logout"], &revoked["ended"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(stats["devices"], json!({"logins": 0, "refused": 1}));
    // The check and the logout.
    assert_eq!((&stats["validations"]["valid"], &stats["validations"]["refused"]), (&json!(2), &json!(1)));
    assert!(
        stats["connections"]["admin"]["max"].as_u64() > Some(0),
        "fewer than max-connections if files are short"
    );
    assert_eq!(stats["masters"], json!([]));
}

/// The threads write to counters of their own; none is lost, and the histogram has each of them.
#[test]
fn every_validation_is_counted_and_timed() {
    const CLIENTS: u64 = 4;
    const REQUESTS: u64 = 250;
    let settings = [("DOORWARD_METRICS_LISTEN", "127.0.0.1:0"), ("DOORWARD_VALIDATION_THREADS", "3")];
    let server = Server::start(&settings);
    let token = server.issue(json!({}))["token"].clone();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = server.validation();
                for _ in 0..REQUESTS {
                    assert_eq!(client.get("/auth", &[("Authorization", &bearer(&token))]).status, 200);
                    assert_eq!(client.get("/auth", &[("Authorization", "Bearer dw_forged")]).status, 401);
                }
            });
        }
    });
    let metric = |name: &str| {
        let metrics = Client::new(server.metrics_listen()).get("/metrics", &[]).text();
        let line =
            metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
    };
    for result in ["valid", "forged"] {
        let labels = format!("{{result=\"{result}\",source=\"cache\"}}");
        // A client may have its answer a moment before it is counted.
        let count = || metric(&format!("doorward_validations_total{labels}"));
        wait_for(result, || (count() == (CLIENTS * REQUESTS).to_string()).then_some(()));
        assert_eq!(metric(&format!("doorward_validation_duration_seconds_count{labels}")), count());
        let sum: f64 = metric(&format!("doorward_validation_duration_seconds_sum{labels}")).parse().unwrap();
        assert!(sum > 0.0);
    }
    // 4 connections of clients, and one for the token.
    let accepted = metric("doorward_connections_accepted_total{listener=\"validation\"}");
    assert_eq!(accepted, CLIENTS.to_string());
}
