//! A real Redis or Valkey with config/redis.conf, private to its test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use redis::RedisResult;
use tempfile::TempDir;

use super::fake_time::FakeTime;
use super::ports::Port;
use super::process::{DEADLINE_MS, Process};
use super::redis_call::call;

const SHIPPED_CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/redis.conf");
const CONFIG: &str = "redis.conf";
const SHIPPED_USERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/redis-users.acl");
const USERS: &str = "redis-users.acl";
/// Name and password of the user in config/redis-users.acl, as which every node of the tests logs in.
pub const USER: (&str, &str) = ("doorward", "change-this-password");

const REDIS: &str = "redis-server";
const VALKEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/valkey-server");
const VALKEY_8: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/valkey-8-server");

/// A running redis-server with its own port, unix socket and temporary folder. Killed on drop.
pub struct RedisServer {
    program: &'static str,
    port: Port,
    /// Further ports that its arguments use.
    more_ports: Vec<Port>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    dir: TempDir,
    process: Process,
}

impl RedisServer {
    /// Starts a server without persistence.
    pub fn start() -> Self {
        Self::with_args(&["--appendonly", "no"])
    }

    /// Starts a server with the append-only file, so that [`RedisServer::restart`] finds all data again. Not with
    /// `everysec`: while the disk is busy, Redis then delays writes for up to two seconds (aof.c,
    /// `flushAppendOnlyFile`), and a killed server would lose acknowledged writes.
    pub fn start_durable() -> Self {
        Self::with_args(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts a Valkey without persistence.
    pub fn start_valkey() -> Self {
        Self::run(VALKEY, &["--appendonly", "no"], Vec::new())
    }

    /// As [`RedisServer::with_args`], but a Valkey.
    pub fn valkey_with_args(args: &[&str]) -> Self {
        Self::run(VALKEY, args, Vec::new())
    }

    /// Starts a Valkey 8 without persistence.
    pub fn start_valkey_8() -> Self {
        Self::run(VALKEY_8, &["--appendonly", "no"], Vec::new())
    }

    /// Starts a server with further arguments, which override config/redis.conf.
    pub fn with_args(args: &[&str]) -> Self {
        Self::run(REDIS, args, Vec::new())
    }

    /// As [`RedisServer::with_args`], with this wall clock. A Valkey, because libfaketime hangs in the allocator of
    /// Debian's Redis, which asks for the time.
    pub fn with_clock(args: &[&str], clock: &FakeTime) -> Self {
        Self::run(VALKEY, args, clock.env())
    }

    fn run(program: &'static str, args: &[&str], env: Vec<(String, String)>) -> Self {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let dir = tempfile::tempdir().unwrap();
        // A copy, because CONFIG REWRITE, which Sentinels use, would write to the shipped file.
        std::fs::copy(SHIPPED_CONFIG, dir.path().join(CONFIG)).unwrap();
        std::fs::copy(SHIPPED_USERS, dir.path().join(USERS)).unwrap();
        let port = Port::reserve();
        let mut process = spawn(program, port.number(), dir.path(), &args, &env);
        await_up(&mut process, port.number());
        Self { program, port, more_ports: Vec::new(), args, env, dir, process }
    }

    /// Keeps a port that its arguments use reserved while the server exists.
    pub fn holding(mut self, port: Port) -> Self {
        self.more_ports.push(port);
        self
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// `redis://USER@127.0.0.1:PORT`, for a node.
    pub fn url(&self) -> String {
        url_at(self.port())
    }

    /// `redis://127.0.0.1:PORT`, as a user with all permissions, for the tests themselves.
    pub fn admin_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// `redis+unix:///PATH?USER`, for a node.
    pub fn unix_url(&self) -> String {
        let (name, password) = USER;
        format!("redis+unix://{}?username={name}&password={password}", self.socket().display())
    }

    /// Changes the node's user by rules of `ACL SETUSER`.
    pub fn set_user(&self, rules: &[&str]) {
        self.cli(&[&["ACL", "SETUSER", USER.0], rules].concat());
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// Returns Redis's log since its last start.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills the server (SIGKILL), to simulate a crash.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills the server if it runs, and starts it with the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.program, self.port(), self.dir.path(), &self.args, &self.env);
        await_up(&mut self.process, self.port.number());
    }

    /// Freezes the process (SIGSTOP) and waits until it has stopped: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Undoes [`RedisServer::freeze`].
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// Sends a command as the default user and returns its answer as text (see [`call`]). Panics if Redis answers with an
    /// error or not at all.
    pub fn cli(&self, args: &[&str]) -> String {
        self.try_cli(args).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    /// As [`RedisServer::cli`], but returns a failure as an error.
    pub fn try_cli(&self, args: &[&str]) -> RedisResult<String> {
        call(&mut self.connect()?, args)
    }

    /// Connects to the unix socket, for [`call`].
    pub fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.socket())
    }

    /// Returns one field of a section of INFO, for example `info("stats", "total_connections_received")`.
    pub fn info(&self, section: &str, field: &str) -> String {
        figure(&self.cli(&["INFO", section]), field)
    }

    /// As [`RedisServer::info`], but returns `None` if the connection was closed. Sentinels close all clients of a
    /// server whose role they change (`CLIENT KILL TYPE normal`, in one transaction with `REPLICAOF`).
    pub fn info_unless_cut_off(&self, section: &str, field: &str) -> Option<String> {
        match self.try_cli(&["INFO", section]) {
            Ok(text) => Some(figure(&text, field)),
            Err(error) if error.is_connection_dropped() => None,
            Err(error) => panic!("INFO {section}: {error}"),
        }
    }

    /// Waits until a replica has every acknowledged write of this master.
    pub fn await_replicated(&self) {
        let mut connection = self.connect().unwrap();
        // WAIT waits for the last write of its own connection, and for all before it. A message is replicated like a write.
        call(&mut connection, &["PUBLISH", "replicated", ""]).unwrap();
        let acknowledged = call(&mut connection, &["WAIT", "1", &DEADLINE_MS.to_string()]).unwrap();
        assert!(acknowledged.parse::<u64>().is_ok_and(|replicas| replicas > 0), "{acknowledged}");
    }

    /// Returns how many commands Redis has processed, including those inside scripts. This call itself counts from the
    /// next call on; [`RedisServer::commands_during`] subtracts it.
    pub fn commands_processed(&self) -> u64 {
        self.info("stats", "total_commands_processed").parse().unwrap()
    }

    /// Returns how many commands of all clients Redis processed while `work` ran.
    pub fn commands_during(&self, work: impl FnOnce()) -> u64 {
        let before = self.commands_processed();
        let asking = self.commands_processed() - before;
        work();
        self.commands_processed() - before - 2 * asking
    }

    /// Returns all keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        let text = self.cli(&["KEYS", "*"]);
        let mut keys: Vec<String> = text.lines().map(str::to_owned).filter(|key| !key.is_empty()).collect();
        keys.sort();
        keys
    }
}

/// Returns [`RedisServer::url`] for another server on this port.
pub fn url_at(port: u16) -> String {
    let (name, password) = USER;
    format!("redis://{name}:{password}@127.0.0.1:{port}")
}

fn spawn(program: &str, port: u16, dir: &Path, args: &[String], env: &[(String, String)]) -> Process {
    let mut command = Command::new(program);
    command
        // Scripts compare strings by the server's locale.
        .env("LC_ALL", "C")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .arg(dir.join(CONFIG))
        .args(["--bind", "127.0.0.1", "--daemonize", "no", "--port", &port.to_string()])
        .arg("--dir")
        .arg(dir)
        .arg("--aclfile")
        .arg(dir.join(USERS))
        .arg("--unixsocket")
        .arg(dir.join("redis.sock"))
        .args(args);
    Process::spawn(program, &mut command)
}

/// Waits until the server logs that it is ready. Another program might answer on the port.
fn await_up(process: &mut Process, port: u16) {
    process.wait_until("up", |process| {
        process.stdout().contains("Ready to accept connections") && answers_ping(port)
    });
}

fn answers_ping(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut answer = [0; 7];
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut answer).is_ok() && &answer == b"+PONG\r\n"
}

fn figure(info: &str, field: &str) -> String {
    let found = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {field} in INFO")).trim().to_owned()
}
