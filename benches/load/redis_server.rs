//! A private Redis with config/redis.conf, and the commands that it ran.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::Result;
use crate::process::{Process, TemporaryDirectory};

/// The measured configuration.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/redis.conf");

/// Returns the number of look-ups among these calls. The script that writes a last access reads the token with the same
/// command, and writes with one `ZADD` (two with a renewal, which no token here reaches).
pub fn look_ups(calls: &BTreeMap<String, u64>) -> u64 {
    let count = |name: &str| calls.get(name).copied().unwrap_or(0);
    count("hmget").saturating_sub(count("zadd"))
}

/// A running Redis server, empty at the start.
pub struct RedisServer {
    /// Its process.
    pub process: Process,
    port: u16,
    connection: Mutex<redis::Connection>,
    // Dropped after the process that writes to it.
    _directory: TemporaryDirectory,
}

impl RedisServer {
    /// Starts `redis-server` on a free port, with its own defaults if there is no `config/redis.conf`.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts it without the append-only file and without a limit of its memory. A million tokens take a gigabyte of the
    /// file, and a rewrite would disturb the next measurement; ten million exceed the `maxmemory` of config/redis.conf.
    pub fn start_unlimited() -> Result<Self> {
        Self::start_with(&["--appendonly", "no", "--maxmemory", "0"])
    }

    fn start_with(settings: &[&str]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let directory = TemporaryDirectory::create(&format!("doorward-load-redis-{port}"))?;
        let mut command = Command::new("redis-server");
        if Path::new(CONFIG).exists() {
            command.arg(CONFIG);
        }
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
        command.args(["--logfile", "", "--loglevel", "notice", "--dir"]).arg(&directory.0);
        let mut process = Process::start(command.args(settings))?;
        process.wait_for_line(|line| line.contains("Ready to accept connections"))?;
        let connection = redis::Client::open(("127.0.0.1", port))?.get_connection()?;
        Ok(Self { process, port, connection: Mutex::new(connection), _directory: directory })
    }

    /// Returns its address as Doorward's `redis-url`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Returns its version.
    pub fn version(&self) -> Result<String> {
        let server = self.info("server")?;
        let version = server.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.ok_or("no redis_version in INFO server")?.trim().to_owned())
    }

    /// Returns how often each command was called so far, including from scripts, without our own `INFO`.
    pub fn calls(&self) -> Result<BTreeMap<String, u64>> {
        let mut calls = BTreeMap::new();
        for line in self.info("commandstats")?.lines() {
            // cmdstat_hmget:calls=12,usec=34,…
            let Some((command, counts)) = line.strip_prefix("cmdstat_").and_then(|l| l.split_once(":calls="))
            else {
                continue;
            };
            if command != "info" {
                let count = counts.split(',').next().unwrap_or_default();
                calls.insert(command.to_owned(), count.parse()?);
            }
        }
        Ok(calls)
    }

    fn info(&self, section: &str) -> Result<String> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(redis::cmd("INFO").arg(section).query(&mut *connection)?)
    }
}
