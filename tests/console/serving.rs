//! The files of the console over HTTP.

use serde_json::json;

use crate::common::http::Response;
use crate::common::server::{Server, key};

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Response {
    server.admin().get(path, headers)
}

#[test]
fn the_page_and_its_files_are_served_without_a_key() {
    let server = Server::start(&[]);
    for (path, media_type) in [
        ("/console/", "text/html; charset=utf-8"),
        ("/console/app.js", "text/javascript; charset=utf-8"),
        ("/console/vendor/uplot.css", "text/css; charset=utf-8"),
        ("/console/icon.svg", "image/svg+xml"),
    ] {
        let response = get(&server, path, &[]);
        assert_eq!((response.status, response.header("content-type")), (200, Some(media_type)), "{path}");
        assert!(!response.text().is_empty());
        assert_eq!(response.header_values("cache-control"), ["no-cache"], "{path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(response.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let server = Server::start(&[]);
    let first = get(&server, "/console/app.js", &[]);
    let etag = first.header("etag").unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.len() == 34, "{etag}");
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".into()] {
        let again = get(&server, "/console/app.js", &[("If-None-Match", &known)]);
        assert_eq!((again.status, again.text().as_str()), (304, ""), "{known}");
        assert_eq!(again.header("etag"), Some(etag.as_str()));
        assert!(again.header("content-security-policy").is_some());
    }
    assert_eq!(get(&server, "/console/app.js", &[("If-None-Match", "\"other\"")]).status, 200);
    let head = server.admin().request("HEAD", "/console/app.js", &[], None);
    let length = first.text().len().to_string();
    assert_eq!((head.status, head.header("content-length")), (200, Some(length.as_str())));
    assert_eq!(head.text(), "");
}

#[test]
fn other_paths_and_methods_are_refused() {
    let server = Server::start(&[]);
    let redirect = get(&server, "/console", &[]);
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("console/")));
    for path in [
        "/console/none.js",
        "/console/../v1/key",
        "/console/vendor/",
        "/console/vendor/README.md",
        "/consoles",
    ] {
        assert_eq!(get(&server, path, &[]).status, 404, "{path}");
    }
    for path in ["/console", "/console/", "/console/app.js"] {
        let response = server.admin().request("POST", path, &[key()], None);
        assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    assert_eq!(server.validation().get("/console/", &[]).status, 404, "only on the admin plane");
}

#[test]
fn requests_are_counted_under_one_path() {
    let server = Server::start(&[]);
    assert_eq!(get(&server, "/console/app.js", &[]).status, 200);
    assert_eq!(get(&server, "/console/none.js", &[]).status, 404);
    let metrics = server.call("GET", "/metrics", None).text();
    for status in [200, 404] {
        let line = format!("{{route=\"/console/\",method=\"GET\",status=\"{status}\"}} 1");
        assert!(metrics.contains(&line), "{line}");
    }
}

#[test]
fn the_setting_turns_the_console_off() {
    let server = Server::start(&[("DOORWARD_CONSOLE", "false")]);
    for path in ["/console", "/console/", "/console/app.js"] {
        let response = get(&server, path, &[]);
        assert_eq!(
            (response.status, &response.json()["type"]),
            (404, &json!("urn:doorward:problem:no-such-path"))
        );
    }
}

/// The console asks what its key may do.
#[test]
fn a_key_is_shown_to_its_holder() {
    let text = "a-key-for-tokens-and-takeovers-0123456789";
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let keys = format!("support:takeovers+tokens:{hash}:expires=2100-01-01");
    let server = Server::start(&[("DOORWARD_API_KEYS", &keys)]);
    let authorization = format!("Bearer {text}");
    let shown = server.admin().get("/v1/key", &[("Authorization", &authorization)]);
    assert_eq!(shown.status, 200);
    let shown = shown.json();
    assert_eq!(shown["name"], "support");
    assert_eq!(shown["scopes"], json!(["tokens", "takeovers"]));
    assert_eq!(shown["expires_at"], "2100-01-01T00:00:00.000Z");
    assert!(shown["last_used_at"].is_string());
    assert_eq!(server.admin().get("/v1/key", &[]).status, 401);
    assert_eq!(server.call("GET", "/v1/key?x=1", None).status, 422);
}
