//! The code for Go of docs/applications.md behind nginx, with forged headers. The tests of the clients run the code for other
//! languages.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::http::{Client, Response};
use crate::common::process::Process;
use crate::common::program::run_well;
use crate::common::proxies::nginx;
use crate::common::proxies::proxy::{Between, Proxy};
use crate::common::server::{Server, bearer, token_path};

const DOCUMENT: &str = include_str!("../../docs/applications.md");
const MAIN: &str = include_str!("../applications/main.go");
const SECRET: &str = "of the proxy";

/// The application of tests/applications on a unix socket.
struct Application {
    _process: Process,
    dir: TempDir,
}

impl Application {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = build(dir.path());
        let mut command = Command::new(program);
        command.arg(dir.path().join("app.sock")).env("PROXY_SECRET", SECRET);
        let mut process = Process::spawn("application", &mut command);
        let socket = dir.path().join("app.sock");
        process.wait_until("listening", |_| UnixStream::connect(&socket).is_ok());
        Self { _process: process, dir }
    }

    fn addr(&self) -> String {
        format!("unix:{}", self.dir.path().join("app.sock").display())
    }

    /// Asks the application itself, past the proxy.
    fn get(&self, headers: &[(&str, &str)]) -> Response {
        Client::new(&self.addr()).get("/", headers)
    }
}

/// Compiles the code of the document with Debian's Go.
fn build(dir: &Path) -> PathBuf {
    let code = DOCUMENT.split("```go\n").nth(1).unwrap().split("```").next().unwrap();
    fs::write(dir.join("headers.go"), format!("package main\n\n{code}")).unwrap();
    fs::write(dir.join("main.go"), MAIN).unwrap();
    run_well(Command::new("go").args(["build", "-o", "app", "main.go", "headers.go"]).current_dir(dir));
    dir.join("app")
}

fn proxy(server: &Server, app: &Application) -> Proxy {
    let between = Between { doorward: server.listen(), grpc: "", admin: "", app: &app.addr() };
    nginx::start_with_secret(between, SECRET)
}

const FORGED: [(&str, &str); 4] =
    [("X-Auth-User", "bob"), ("X-Auth-Token-Id", "x"), ("X_Auth_User", "bob"), ("X-Auth_User", "bob")];

#[test]
fn the_application_in_go_sees_the_user_that_doorward_names() {
    let server = Server::start(&[("DOORWARD_TRUSTED_PROXIES", "127.0.0.1")]);
    let app = Application::start();
    let proxy = proxy(&server, &app);
    let get = |headers: &[(&str, &str)]| Client::new(&proxy.addr()).get("/orders", headers);
    let token = server.issue(json!({"user": "zo\u{eb} %", "scopes": ["a", "b"]}));
    let by_header = bearer(&token["token"]);
    let shown = get(&[&[("Authorization", &*by_header)][..], &FORGED].concat()).json();
    let expected = json!({
        "User": "zo\u{eb} %", "Actor": "zo\u{eb} %", "TokenID": token["id"], "Scopes": "a b", "Via": "header",
    });
    assert_eq!(shown, expected);
    let takeover = format!("{}/takeover", token_path(&token["id"]));
    assert_eq!(server.call("POST", &takeover, Some(&json!({"user": "bob"}))).status, 201);
    let shown = get(&[("Authorization", &by_header)]).json();
    assert_eq!([&shown["User"], &shown["Actor"]], ["bob", "zo\u{eb} %"]);
    server.revoke(&token["id"]);
    assert_eq!(get(&[("Authorization", &by_header)]).status, 401);
}

#[test]
fn the_application_in_go_refuses_forged_headers() {
    let server = Server::start(&[]);
    let app = Application::start();
    let proxy = proxy(&server, &app);
    let nobody = |response: Response| {
        let shown: Value = response.json();
        assert_eq!([&shown["User"], &shown["TokenID"]], ["", ""], "{shown}");
    };
    let public = |headers: &[(&str, &str)]| Client::new(&proxy.addr()).get("/public/", headers);
    nobody(public(&FORGED));
    nobody(public(&[&FORGED[..], &[("Connection", "X-Auth-User, X-Proxy-Secret")]].concat()));
    nobody(Client::new(&proxy.addr()).get("/welcome/", &FORGED));
    // Past the proxy: without its secret, and with another one.
    let secrets: [&[(&str, &str)]; 4] =
        [&[], &[("X-Proxy-Secret", "")], &[("X-Proxy-Secret", "guessed")], &[("X_Proxy_Secret", SECRET)]];
    for secret in secrets {
        assert_eq!(app.get(&[&FORGED[..], secret].concat()).status, 403, "{secret:?}");
    }
    nobody(app.get(&[&FORGED[2..], &[("X-Proxy-Secret", SECRET)]].concat()));
    nobody(app.get(&[("X-Auth-User", "bob"), ("X-Auth-User", "alice"), ("X-Proxy-Secret", SECRET)]));
}
