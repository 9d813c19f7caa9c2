//! Real servers for the tests: Doorward, servers that misbehave, and an application.

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use doorward_client::{Admin, Batcher, Token, TokenFields, Validator};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower_service::Service as _;

pub const KEY: &str = "an-api-key-of-the-tests-with-all-scopes";
pub const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
/// A deadline that no test reaches by chance.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Doorward on the embedded store; dropping it stops it.
pub struct Server {
    settings: Vec<(String, String)>,
    process: Child,
    pub url: String,
    pub admin_url: String,
    _folder: TempDir,
}

/// The server's binary: `DOORWARD_BINARY`, or the one that cargo built beside this test.
fn binary() -> PathBuf {
    let built = || env::current_exe().unwrap().parent().unwrap().with_file_name("doorward");
    let path = env::var_os("DOORWARD_BINARY").map_or_else(built, PathBuf::from);
    assert!(path.exists(), "{} is missing: run `cargo build`", path.display());
    path
}

impl Server {
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_at(
            ["127.0.0.1:0", "127.0.0.1:0"].map(str::to_owned),
            tempfile::tempdir().unwrap(),
            settings,
        )
    }

    /// Starts a server that can be started again at the same addresses.
    pub fn on_unix_sockets(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let addresses = ["auth", "admin"].map(|name| format!("unix:{}/{name}.sock", folder.path().display()));
        Self::start_at(addresses, folder, settings)
    }

    fn start_at([listen, admin]: [String; 2], folder: TempDir, settings: &[(&str, &str)]) -> Self {
        let mut all = vec![("LISTEN".to_owned(), listen), ("ADMIN_LISTEN".to_owned(), admin)];
        // A busy machine is no outage.
        all.push(("REDIS_TIMEOUT".to_owned(), "10s".to_owned()));
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (process, [url, admin_url]) = spawn(&all);
        Self { settings: all, process, url, admin_url, _folder: folder }
    }

    /// Starts a server that was killed.
    pub fn start_again(&mut self) {
        (self.process, [self.url, self.admin_url]) = spawn(&self.settings);
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn validator(&self) -> Validator {
        Validator::new(&self.url).unwrap().with_timeout(PATIENCE)
    }

    pub fn admin(&self) -> Admin {
        Admin::new(&self.admin_url, KEY).unwrap().with_timeout(PATIENCE)
    }

    pub fn batcher(&self) -> Batcher {
        Batcher::new(self.admin()).with_timeout(PATIENCE)
    }

    pub async fn issue(&self) -> Token {
        self.issue_with(&TokenFields::default()).await
    }

    pub async fn issue_with(&self, fields: &TokenFields) -> Token {
        self.admin().issue("alice", IP, fields).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a process and returns the addresses of its ready line.
fn spawn(settings: &[(String, String)]) -> (Child, [String; 2]) {
    let mut command = Command::new(binary());
    let variables = settings.iter().map(|(name, value)| (format!("DOORWARD_{name}"), value));
    command.env_clear().envs(variables).env("DOORWARD_ADMIN_KEY", KEY);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ready = lines.find(|line| line.starts_with("ready listen=")).expect("doorward did not start");
    thread::spawn(move || lines.for_each(drop));
    let address = |name: &str| {
        let value = ready.split(' ').find_map(|word| word.strip_prefix(name)).unwrap();
        if value.starts_with("unix:") { value.to_owned() } else { format!("http://{value}") }
    };
    (process, [address("listen="), address("admin-listen=")])
}

/// A Redis on a unix socket that keeps its data when it is killed.
pub struct Redis {
    process: Child,
    folder: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { process: spawn_redis(&folder), folder }
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}/redis.sock", self.folder.path().display())
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = spawn_redis(&self.folder);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn_redis(folder: &TempDir) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--unixsocket", "redis.sock", "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    command
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("scripts/setup installs redis-server")
}

/// Asks until there is an answer, for a minute.
pub async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("there never was an answer")
}

/// Returns the secret of a token that was just issued.
pub fn secret(token: &Token) -> &str {
    token.token.as_ref().unwrap().expose()
}

pub fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let parse = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(parse) {
        map.append(name, value);
    }
    map
}

/// Sends a request to an application and returns its answer with the body.
pub async fn call(app: &Router, mut request: Request<Body>) -> (Response<Body>, String) {
    let peer = axum::extract::ConnectInfo(std::net::SocketAddr::new(IP, 4711));
    request.extensions_mut().insert(peer);
    let (head, body) = app.clone().call(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, Body::empty()), String::from_utf8(body.into()).unwrap())
}

/// Sends a GET and returns the answer.
pub async fn get(app: &Router, path: &str, sent: &[(&str, &str)]) -> (Response<Body>, String) {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    *request.headers_mut() = headers(sent);
    call(app, request).await
}

/// What a [`FakeServer`] does after a request.
pub enum Reply {
    Answer(String),
    /// Closes the connection.
    Close,
    /// Never answers.
    Silence,
}

/// Returns an answer of the validation plane that names alice.
pub fn alice() -> Reply {
    answer("200 OK\r\nx-auth-user: alice\r\nx-auth-token-id: abc", "")
}

pub fn answer(head: &str, body: &str) -> Reply {
    Reply::Answer(format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

/// A server that answers as a test says: `script(n, request)` is reply n of a connection.
pub struct FakeServer {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    connections: Vec<TcpStream>,
}

impl FakeServer {
    pub fn start(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let (script, shared) = (Arc::new(script), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                shared.lock().unwrap().connections.push(stream.try_clone().unwrap());
                let (script, shared) = (script.clone(), shared.clone());
                thread::spawn(move || serve(stream, &*script, &shared));
            }
        });
        Self { url, seen }
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections.len()
    }

    /// Closes the connections, as a restart does.
    pub fn close_connections(&self) {
        for connection in &self.seen.lock().unwrap().connections {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn serve(mut stream: TcpStream, script: &dyn Fn(usize, &str) -> Reply, seen: &Mutex<Seen>) {
    for number in 0.. {
        let Some(request) = read_request(&mut stream) else { return };
        seen.lock().unwrap().requests.push(request.clone());
        match script(number, &request) {
            Reply::Answer(text) if stream.write_all(text.as_bytes()).is_ok() => {}
            Reply::Silence => {}
            _ => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

/// Reads a request with its body; returns `None` at the end.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        let mut buffer = [0; 65536];
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        text += std::str::from_utf8(&buffer[..count]).unwrap();
    }
}
