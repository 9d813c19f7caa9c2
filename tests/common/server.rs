//! The real binary as a child process, calls of its API, and assertions on its answers.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::http::{Client, Response};
use super::process::{Process, wait_for};
use super::redis::RedisServer;

/// The default API key of every [`Server`].
pub const ADMIN_KEY: &str = "the-admin-key-of-the-tests-0123456789";

/// The identity headers of the validation plane, in the contract's order.
pub const IDENTITY: [&str; 9] = [
    "X-Auth-User",
    "X-Auth-Actor",
    "X-Auth-Token-Id",
    "X-Auth-Slug",
    "X-Auth-Backend",
    "X-Auth-Device",
    "X-Auth-Expires-In",
    "X-Auth-Scopes",
    "X-Auth-Via",
];

/// A running server on its own ports. Killed on drop.
pub struct Server {
    process: Process,
    settings: Vec<(String, String)>,
    listen: String,
    admin_listen: String,
    grpc_listen: String,
    metrics_listen: String,
}

impl Server {
    /// Starts the server with these `DOORWARD_…` variables and waits for its ready line. Defaults: free ports, the
    /// embedded store, [`ADMIN_KEY`], and a patience with Redis that a busy machine does not exhaust. A test that
    /// freezes Redis sets a shorter `DOORWARD_REDIS_TIMEOUT`.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let defaults = [
            ("DOORWARD_LISTEN", "127.0.0.1:0"),
            ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0"),
            ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
            ("DOORWARD_REDIS_TIMEOUT", "10s"),
        ];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self::start_owned(defaults.iter().chain(settings).map(owned).collect())
    }

    /// As [`Server::start`], on this Redis.
    pub fn on(redis: &RedisServer, settings: &[(&str, &str)]) -> Self {
        let url = redis.url();
        Self::start(&[settings, &[("DOORWARD_REDIS_URL", &url)]].concat())
    }

    fn start_owned(settings: Vec<(String, String)>) -> Self {
        let borrowed: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut process = run(&[], &borrowed);
        let (listen, admin_listen) = wait_ready(&mut process);
        let [grpc_listen, metrics_listen] =
            ["grpc-listen=", "metrics-listen="].map(|name| word(&process, name));
        Self { process, settings, listen, admin_listen, grpc_listen, metrics_listen }
    }

    /// Kills the server if it runs, and starts it with the same settings, on new ports unless they were configured.
    /// (The system may have given the old ports to outgoing connections.)
    pub fn restart(&mut self) {
        self.kill9();
        *self = Self::start_owned(self.settings.clone());
    }

    /// Sends SIGKILL, to simulate a crash.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Sends SIGTERM and returns the exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Returns both outputs so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until the outputs contain a text: log lines are written by a thread of their own, some after the ready line.
    pub fn wait_for_log(&self, text: &str) {
        wait_for(text, || self.log().contains(text).then_some(()));
    }

    /// Returns the validation plane's address.
    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// Returns the admin plane's address.
    pub fn admin_listen(&self) -> &str {
        &self.admin_listen
    }

    /// `HOST:PORT` of the metrics without a key, or `unix:/path`; empty if they are not served.
    pub fn metrics_listen(&self) -> &str {
        &self.metrics_listen
    }

    /// Returns the gRPC address, or an empty string without gRPC.
    pub fn grpc_listen(&self) -> &str {
        &self.grpc_listen
    }

    /// Returns a client of the validation plane.
    pub fn validation(&self) -> Client {
        Client::new(&self.listen)
    }

    /// Returns a client of the admin plane; each request adds its own key ([`key`]).
    pub fn admin(&self) -> Client {
        Client::new(&self.admin_listen)
    }

    /// Makes an admin call with [`ADMIN_KEY`].
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        self.admin().request(method, path, &[key()], body)
    }

    /// Issues a token and returns the token object with `token`; `fields` may omit `user` and `ip`.
    pub fn issue(&self, fields: Value) -> Value {
        let mut body = json!({"user": "alice", "ip": "203.0.113.7"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let response = self.call("POST", "/v1/tokens", Some(&body));
        assert_eq!(response.status, 201, "{}\n{}", response.text(), self.log());
        response.json()
    }

    /// Returns the token object; panics if it does not exist.
    pub fn token(&self, id: &Value) -> Value {
        let response = self.call("GET", &token_path(id), None);
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    /// Revokes a token.
    pub fn revoke(&self, id: &Value) {
        assert_eq!(self.call("DELETE", &token_path(id), None).status, 204);
    }

    /// Returns a page of alice's tokens, and the cursor of the next page.
    pub fn list(&self, query: &str) -> (Vec<Value>, Value) {
        let response = self.call("GET", &format!("/v1/users/alice/tokens{query}"), None);
        assert_eq!(response.status, 200, "{}", response.text());
        let page = response.json();
        assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
        (page["tokens"].as_array().unwrap().clone(), page["next_cursor"].clone())
    }

    /// Calls `GET /auth` with a token in the header.
    pub fn auth(&self, token: &Value) -> Response {
        self.validation().get("/auth", &[("Authorization", &bearer(token))])
    }
}

/// Starts the binary with these arguments and no other `DOORWARD_…` variables.
pub fn run(args: &[&str], settings: &[(&str, &str)]) -> Process {
    Process::spawn("doorward", command(binary(), settings).args(args))
}

/// Starts the binary by a shell command, in which it is `"$0"`.
pub fn run_in_shell(line: &str, settings: &[(&str, &str)]) -> Process {
    let mut command = command("sh".into(), settings);
    Process::spawn("doorward", command.args(["-c", line]).arg(binary()))
}

/// Returns a command with these and no other `DOORWARD_…` variables.
pub fn command(program: PathBuf, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DOORWARD_") {
            command.env_remove(name);
        }
    }
    command.envs(settings.iter().copied());
    command
}

pub fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_doorward").into()
}

/// Waits for the ready line; returns the addresses of both planes.
pub fn wait_ready(process: &mut Process) -> (String, String) {
    process.wait_until("ready", |process| process.stdout().contains('\n'));
    let stdout = process.stdout();
    assert!(stdout.starts_with("ready ") || stdout.contains(r#""message":"ready""#), "{}", process.log());
    (word(process, "listen="), word(process, "admin-listen="))
}

/// Returns the value of a name in the ready line, or an empty string. The line is text or JSON.
fn word(process: &Process, name: &str) -> String {
    let stdout = process.stdout();
    let line = stdout.lines().next().unwrap_or_default();
    if let Ok(members) = serde_json::from_str::<Value>(line) {
        return members[name.trim_end_matches('=')].as_str().unwrap_or_default().to_owned();
    }
    line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap_or_default().to_owned()
}

/// Runs a test on the embedded store and on its own Redis, concurrently.
pub fn on_both_stores(settings: &[(&str, &str)], test: impl Fn(&Server) + Sync) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let redis = RedisServer::start();
            test(&Server::on(&redis, settings));
        });
        test(&Server::start(settings));
    });
}

/// Returns the header with [`ADMIN_KEY`].
pub fn key() -> (&'static str, &'static str) {
    ("Authorization", "Bearer the-admin-key-of-the-tests-0123456789")
}

/// `Bearer TOKEN`
pub fn bearer(token: &Value) -> String {
    format!("Bearer {}", text(token))
}

/// `doorward=TOKEN`
pub fn cookie(token: &Value) -> String {
    format!("doorward={}", text(token))
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

pub fn token_path(id: &Value) -> String {
    format!("/v1/tokens/{}", text(id))
}

/// Returns the first seven identity headers of an allowed request. Asserts that every header is there once with a value,
/// and that the body is empty.
pub fn identity(response: &Response) -> [&str; 7] {
    assert_eq!(response.status, 200, "{response:?}");
    assert_empty(response);
    assert!(response.header("www-authenticate").is_none(), "{response:?}");
    let [first @ .., _, _] = IDENTITY.map(|name| {
        let value = response.header(name).unwrap_or_else(|| panic!("no {name}: {response:?}"));
        let is_legal = |byte: u8| byte.is_ascii_graphic() || (byte == b' ' && name == "X-Auth-Scopes");
        assert!(!value.is_empty() && value.bytes().all(is_legal), "{name}: {value:?}");
        value
    });
    first
}

/// Asserts that the answer has an explicitly empty body and must not be cached.
pub fn assert_empty(response: &Response) {
    assert_eq!(response.body, b"", "{response:?}");
    assert_eq!(response.header("content-length"), Some("0"), "{response:?}");
    assert_eq!(response.header("cache-control"), Some("no-store"), "{response:?}");
}

/// Asserts a refusal because of a missing token.
pub fn assert_no_token(response: &Response) {
    assert_denied(response, 401);
    assert_eq!(response.header("www-authenticate"), Some(r#"Bearer realm="doorward""#));
}

/// Asserts a refusal because of an invalid token.
pub fn assert_invalid_token(response: &Response) {
    assert_denied(response, 401);
    let challenge = r#"Bearer realm="doorward", error="invalid_token""#;
    assert_eq!(response.header("www-authenticate"), Some(challenge));
}

/// Asserts a refusal because the store is unavailable.
pub fn assert_unavailable(response: &Response) {
    assert_denied(response, 503);
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(response.header("www-authenticate").is_none());
}

fn assert_denied(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{response:?}");
    assert_empty(response);
    let tells = |(name, _): &(String, String)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-auth-") || name == "set-cookie"
    };
    assert!(!response.headers.iter().any(tells), "{response:?}");
}

/// Asserts a problem document with this status; returns the pointers of its errors.
pub fn pointers(response: &Response, status: u16) -> Vec<String> {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let problem = response.json();
    assert_eq!(problem["status"], status);
    assert!(text(&problem["type"]).starts_with("urn:doorward:problem:"), "{problem}");
    assert!(!text(&problem["title"]).is_empty() && !text(&problem["detail"]).is_empty(), "{problem}");
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    assert!(errors.iter().all(|error| !text(&error["detail"]).is_empty()), "{problem}");
    errors.iter().map(|error| text(&error["pointer"]).to_owned()).collect()
}
