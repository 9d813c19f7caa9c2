//! Real OAuth clients against `/introspect` and `/revoke`. scripts/setup installs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::program::{in_repository, run_well};
use crate::common::server::{ADMIN_KEY, Server, assert_invalid_token, identity};

/// Runs a client program on freshly issued tokens and returns the lines of JSON that it prints.
fn run(program: &Path, script: &str, tokens: usize) -> (Vec<Value>, Vec<Value>) {
    let server = Server::start(&[]);
    let issued: Vec<_> = (0..tokens).map(|_| server.issue(json!({}))).collect();
    for token in &issued {
        identity(&server.auth(&token["token"]));
    }
    let wires: Vec<_> = issued.iter().map(|token| token["token"].as_str().unwrap()).collect();
    let (stdout, _) = run_well(
        Command::new(program)
            .arg(in_repository("tests/oauth_clients").join(script))
            .env("URL", format!("http://{}", server.admin_listen()))
            .env("KEY", ADMIN_KEY)
            .env("TOKENS", wires.join(" ")),
    );
    issued.iter().for_each(|token| assert_invalid_token(&server.auth(&token["token"])));
    let printed = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (issued, printed)
}

/// The token is first active, then revoked.
fn assert_revoked(issued: &Value, printed: &[Value]) {
    let [before, after] = printed else { panic!("{printed:?}") };
    assert_eq!(
        (&before["active"], &before["sub"], &before["jti"]),
        (&json!(true), &json!("alice"), &issued["id"])
    );
    assert_eq!(after, &json!({"active": false}));
}

#[test]
fn the_javascript_oauth_clients_work() {
    let (issued, printed) = run(Path::new("node"), "javascript.mjs", 3);
    assert_eq!(printed.len(), 7, "{printed:?}");
    assert_revoked(&issued[0], &printed[..2]);
    assert_revoked(&issued[1], &printed[2..4]);
    assert_eq!(printed[4], json!({"status": 401, "challenges": ["basic"]}), "a wrong secret");
    assert_revoked(&issued[2], &printed[5..]);
}

#[test]
fn the_python_oauth_client_works() {
    let python: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin/python");
    let (issued, printed) = run(&python, "authlib_client.py", 2);
    assert_eq!(printed.len(), 4, "{printed:?}");
    assert_revoked(&issued[0], &printed[..2]);
    assert_revoked(&issued[1], &printed[2..]);
}
