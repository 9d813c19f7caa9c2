//! Failures of the commands: a clear line, and nothing half done.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::{fs, thread};

use doorward::internals::config::hash_key;
use serde_json::{Value, json};

use super::support::{failure, json, text, url};
use crate::common::server::{ADMIN_KEY, Server};
use crate::process::outcome::outcome;

const OTHER_KEY: &str = "another-key-of-the-tests-0123456789abc";
const SHOW: [&str; 3] = ["token", "show", "AAAAAAAAAAAAAAAA"];

#[test]
fn a_wrong_key_and_a_missing_scope_name_the_source_of_the_key() {
    let keys = format!("devices:devices:{}", hash_key(OTHER_KEY).unwrap());
    let server = Server::start(&[("DOORWARD_API_KEYS", &keys)]);
    let with_key =
        |key: &str| outcome(&SHOW, &[("DOORWARD_ADMIN_URL", &url(&server)), ("DOORWARD_ADMIN_KEY", key)]);
    let wrong = "wrong-key-of-the-tests-0123456789-abc";
    let (code, stdout, stderr) = with_key(wrong);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    let start = "refused: 401 API key invalid: the API key is unknown; the key is from DOORWARD_ADMIN_KEY";
    assert!(stderr.starts_with(start) && !stderr.contains(wrong), "{stderr}");
    let (code, _, stderr) = with_key(OTHER_KEY);
    assert_eq!(code, 1);
    assert!(stderr.starts_with("refused: 403 ") && stderr.contains("lacks the scope tokens"), "{stderr}");
    assert!(!stderr.contains(OTHER_KEY), "{stderr}");
}

#[test]
fn a_refusal_is_one_line_or_its_problem_document() {
    let server = Server::start(&[]);
    let line = failure(&server, &SHOW, 1);
    assert!(line.starts_with("refused: 404 Not found: the record does not exist (request "), "{line}");
    let problem = failure(&server, &[&SHOW[..], &["--json"]].concat(), 1);
    let problem: Value = serde_json::from_str(&problem).unwrap();
    assert_eq!(
        (&problem["status"], &problem["type"]),
        (&json!(404), &json!("urn:doorward:problem:not-found"))
    );
}

#[test]
fn without_a_usable_key_nothing_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (short, missing) = (dir.path().join("short"), dir.path().join("missing"));
    fs::write(&short, "hunter2\n").unwrap();
    let (short, missing) = (short.to_str().unwrap(), missing.to_str().unwrap());
    for (settings, expected) in [
        (vec![], "admin-key (--admin-key-file, DOORWARD_ADMIN_KEY or DOORWARD_ADMIN_KEY_FILE): is missing"),
        (vec![("DOORWARD_ADMIN_KEY", "hunter2")], "admin-key (DOORWARD_ADMIN_KEY): the key is shorter"),
        (vec![("DOORWARD_ADMIN_KEY_FILE", short)], "admin-key (DOORWARD_ADMIN_KEY_FILE): the key is shorter"),
        (vec![("DOORWARD_ADMIN_KEY_FILE", missing)], "admin-key (DOORWARD_ADMIN_KEY_FILE): cannot read"),
        (
            vec![("DOORWARD_ADMIN_KEY_FILE", short), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)],
            "admin-key (DOORWARD_ADMIN_KEY and DOORWARD_ADMIN_KEY_FILE): both are set",
        ),
        (
            vec![("DOORWARD_ADMIN_URL", "http://a:hunter2@b"), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)],
            "admin-url (DOORWARD_ADMIN_URL): the value has a user name in it",
        ),
    ] {
        let (code, stdout, stderr) = outcome(&SHOW, &settings);
        assert_eq!((code, stdout.as_str()), (78, ""), "{stderr}");
        assert!(stderr.starts_with(expected) && !stderr.contains("hunter2"), "{expected}\n{stderr}");
    }
}

/// Settings of the server do not disturb the client, and the client's do not disturb the server.
#[test]
fn server_and_client_may_share_an_environment() {
    let server = Server::start(&[
        ("DOORWARD_ADMIN_URL", "http://127.0.0.1:1"),
        ("DOORWARD_ADMIN_CA_FILE", "/nowhere"),
    ]);
    let (url, args) = (url(&server), ["user", "tokens", "alice", "--json"]);
    let (code, stdout, stderr) = outcome(
        &args,
        &[
            ("DOORWARD_ADMIN_URL", &url),
            ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
            ("DOORWARD_LEASE", "nonsense"),
            ("DOORWARD_REDIS_URL", "redis://a"),
        ],
    );
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "[]\n", ""));
}

#[test]
fn a_key_file_that_others_may_read_is_warned_about() {
    let (server, dir) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let file = dir.path().join("key");
    fs::write(&file, format!("{ADMIN_KEY}\n")).unwrap();
    let (path, url) = (file.to_str().unwrap(), url(&server));
    for (mode, is_warned) in [(0o600, false), (0o640, true), (0o604, true)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let args = ["user", "tokens", "alice", "--admin-url", &url, "--admin-key-file", path];
        let (code, _, stderr) = outcome(&args, &[("DOORWARD_ADMIN_KEY", "beaten by the flag")]);
        assert_eq!(code, 0, "{stderr}");
        assert_eq!(stderr.starts_with("warning: key file readable by others"), is_warned, "{stderr}");
        assert!(!stderr.contains(ADMIN_KEY), "{stderr}");
    }
}

#[test]
fn an_unreachable_node_is_named_with_its_cause() {
    let settings =
        |url: &str| outcome(&SHOW, &[("DOORWARD_ADMIN_URL", url), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)]);
    for (url, cause) in [
        ("http://127.0.0.1:1", "cannot connect: Connection refused"),
        ("unix:/nowhere/admin.sock", "cannot connect: No such file"),
    ] {
        let (code, stdout, stderr) = settings(url);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.starts_with(&format!("unreachable: {url}: {cause}")), "{stderr}");
        assert!(stderr.contains("--admin-url"), "{stderr}");
    }
    let server = Server::start(&[]);
    let below = format!("http://{}/v1", server.admin_listen());
    let (code, _, stderr) = settings(&below);
    assert!(code == 1 && stderr.contains(&format!("the call was sent below {below}")), "{stderr}");
    let url = format!("https://{}", server.admin_listen());
    let (code, _, stderr) = settings(&url);
    assert!(
        code == 1 && stderr.starts_with(&format!("unreachable: {url}: TLS handshake failed")),
        "{stderr}"
    );
}

#[test]
fn a_unix_socket_is_a_url() {
    let dir = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", dir.path().join("admin.sock").display());
    let server = Server::start(&[("DOORWARD_ADMIN_LISTEN", &address)]);
    let token = json(&server, &["token", "issue", "--user=alice", "--ip=::1"]);
    assert!(text(&server, &["user", "tokens", "alice"]).contains(token["id"].as_str().unwrap()));
}

/// Answers one connection with these bytes.
fn answer_once(bytes: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        stream.write_all(bytes.as_bytes()).unwrap();
    });
    url
}

#[test]
fn an_answer_of_another_program_is_recognised() {
    let show = |url: &str| outcome(&SHOW, &[("DOORWARD_ADMIN_URL", url), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)]);
    for (answer, expected) in [
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n<h1>502</h1>",
            "answered 502 with text/html",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n\r\n<html>",
            "answered 200 with text/html",
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404 with no content type"),
        ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{", "answered 200"),
    ] {
        let url = answer_once(answer);
        let (code, stdout, stderr) = show(&url);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.starts_with(&format!("not an admin plane: {url} ")), "{stderr}");
        assert!(stderr.contains(expected), "{expected}\n{stderr}");
    }
    for bytes in ["", "+PONG\r\n"] {
        let url = answer_once(bytes);
        let (code, _, stderr) = show(&url);
        assert!(
            code == 1 && stderr.starts_with(&format!("unreachable: {url}: no valid HTTP answer")),
            "{stderr}"
        );
    }
    let server = Server::start(&[]);
    let url = format!("http://{}", server.listen());
    assert!(show(&url).2.starts_with("not an admin plane: "), "the validation plane");
}
