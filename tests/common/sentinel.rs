//! A master, a replica and three Sentinels, private to their test.

use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use super::ports::Port;
use super::process::{Process, wait_for};
use super::redis::{RedisServer, USER};
use super::redis_call::call;

const SENTINELS: usize = 3;
/// The master's name.
pub const NAME: &str = "sessions";

/// Killed on drop.
pub struct Sentinels {
    /// The first is the initial master, the others follow it.
    pub servers: Vec<RedisServer>,
    pub sentinels: Vec<Sentinel>,
}

/// A running redis-sentinel. Killed on drop.
pub struct Sentinel {
    port: Port,
    pub process: Process,
    _dir: TempDir,
}

impl Sentinels {
    /// Starts all servers; a master that is silent for `down_after_ms` is replaced.
    pub fn start(down_after_ms: u64) -> Self {
        let durable = ["--appendonly", "no", "--repl-diskless-sync-delay", "0"];
        let master = RedisServer::with_args(&durable);
        let port = master.port().to_string();
        let follow = ["--replicaof", "127.0.0.1", &port];
        let replica = RedisServer::with_args(&[&durable[..], &follow].concat());
        wait_for("the replica follows", || {
            (replica.info("replication", "master_link_status") == "up").then_some(())
        });
        let sentinels = (0..SENTINELS).map(|_| Sentinel::start(&port, down_after_ms)).collect();
        let all = Self { servers: vec![master, replica], sentinels };
        for sentinel in &all.sentinels {
            wait_for("the Sentinels know each other and the replica", || {
                let known = sentinel.cli(&["SENTINEL", "MASTER", NAME]);
                let figure = |name: &str| {
                    let mut lines = known.lines().skip_while(|line| *line != name);
                    lines.nth(1).unwrap_or_default().to_owned()
                };
                (figure("num-other-sentinels") == "2" && figure("num-slaves") == "1").then_some(())
            });
        }
        all
    }

    /// `redis+sentinel://USER@…`, for a node.
    pub fn url(&self) -> String {
        let ports = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port.number()));
        let (name, password) = USER;
        format!("redis+sentinel://{name}:{password}@{}/{NAME}", ports.collect::<Vec<_>>().join(","))
    }

    /// Waits until a majority of the Sentinels name this server.
    pub fn await_master(&self, server: &RedisServer) {
        let port = server.port().to_string();
        wait_for("the Sentinels name the new master", || {
            let names_it = |sentinel: &&Sentinel| {
                let answer = sentinel.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
                answer.lines().last() == Some(&port)
            };
            (self.sentinels.iter().filter(names_it).count() > SENTINELS / 2).then_some(())
        });
    }
}

impl Sentinel {
    fn start(master_port: &str, down_after_ms: u64) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), Port::reserve());
        // A Sentinel stores what it learns in its configuration file.
        let config = dir.path().join("sentinel.conf");
        let text = format!(
            "port {}\nbind 127.0.0.1\ndir {}\nsentinel monitor {NAME} 127.0.0.1 {master_port} 2\n\
             sentinel down-after-milliseconds {NAME} {down_after_ms}\nsentinel failover-timeout {NAME} 3000\n",
            port.number(),
            dir.path().display()
        );
        std::fs::write(&config, text).unwrap();
        let process = Process::spawn("redis-sentinel", Command::new("redis-sentinel").arg(&config));
        Self { port, process, _dir: dir }
    }

    /// Sends a command and returns its answer as text (see [`call`]), or an empty string without one.
    pub fn cli(&self, args: &[&str]) -> String {
        let connection = TcpStream::connect(("127.0.0.1", self.port.number()));
        let answer = connection.map_err(Into::into).and_then(|mut connection| call(&mut connection, args));
        answer.unwrap_or_default()
    }
}
