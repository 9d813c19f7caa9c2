//! The load: a fixed set of connections. Each sends after its last answer or at a pace, and every answer is checked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::task::JoinSet;

use super::Result;
use super::client::Connection;

/// The number of open connections over all threads.
pub const CONNECTIONS: usize = 64;
/// The threads that drive the connections.
pub const THREADS: usize = 2;
/// The tokens of one `/v1/validate` call.
pub const TOKENS_PER_BATCH: usize = 100;
/// The users that log in.
const USERS: usize = 10_000_000;
/// A typical user agent; its length affects the size of a record in Redis.
const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/126.0.0.0 Safari/537.36";
/// The longest wait for the last answers of a run; a longer one fails the run.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The requests to send.
#[derive(Clone, Debug)]
pub enum Request {
    /// `GET` with a random token.
    Get {
        /// `/auth`, or the path of a page behind a proxy.
        path: &'static str,
        /// The tokens to pick from.
        tokens: Arc<[String]>,
    },
    /// `GET /auth` without a token.
    AuthWithoutToken,
    /// `POST /v1/validate` with [`TOKENS_PER_BATCH`] random tokens.
    Batch {
        /// The tokens to pick from.
        tokens: Arc<[String]>,
        /// The admin plane's API key.
        admin_key: String,
    },
    /// `POST /v1/tokens` for a random user.
    Login {
        /// The admin plane's API key.
        admin_key: &'static str,
    },
}

impl Request {
    /// Appends one request.
    pub fn write(&self, rng: &mut StdRng, out: &mut Vec<u8>) {
        let pick = |rng: &mut StdRng, tokens: &[String]| rng.random_range(0..tokens.len());
        match self {
            Self::Get { path, tokens } => write_get(path, &tokens[pick(rng, tokens)], out),
            Self::AuthWithoutToken => {
                out.extend_from_slice(b"GET /auth HTTP/1.1\r\nHost: doorward.test\r\n\r\n");
            }
            Self::Batch { tokens, admin_key } => {
                let picked: Vec<_> =
                    (0..TOKENS_PER_BATCH).map(|_| tokens[pick(rng, tokens)].as_str()).collect();
                let body = format!(r#"{{"tokens":["{}"]}}"#, picked.join(r#"",""#));
                out.extend_from_slice(&json_post("/v1/validate", admin_key, &body));
            }
            Self::Login { admin_key } => out.extend_from_slice(&login(rng.random_range(0..USERS), admin_key)),
        }
    }

    /// Returns the number of validations in one request.
    pub fn validations(&self) -> u64 {
        if matches!(self, Self::Batch { .. }) { TOKENS_PER_BATCH as u64 } else { 1 }
    }
}

/// Appends a `GET` with this token.
pub fn write_get(path: &str, token: &str, out: &mut Vec<u8>) {
    for part in
        ["GET ", path, " HTTP/1.1\r\nHost: doorward.test\r\nAuthorization: Bearer ", token, "\r\n\r\n"]
    {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Returns the login of the user with this number.
pub fn login(user: usize, admin_key: &str) -> Vec<u8> {
    let body = json!({
        "user": format!("user-{user}"), "ip": "192.0.2.1", "user_agent": USER_AGENT,
        "auth_slug": "web", "backend": "django.contrib.auth.backends.ModelBackend",
    });
    json_post("/v1/tokens", admin_key, &body.to_string())
}

/// Appends a `POST` to the admin plane.
fn json_post(path: &str, admin_key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: doorward.test\r\nAuthorization: Bearer {admin_key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A load on one server.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server's address.
    pub address: SocketAddr,
    /// The requests.
    pub request: Request,
    /// The expected status; any other fails the run.
    pub expected_status: u16,
    /// Requests sent on a connection before their answers are read (HTTP/1.1 pipelining); 1 means no pipelining.
    pub depth: usize,
    /// The pace; `None` sends as fast as answers come.
    pub pace: Option<Pace>,
}

/// A constant rate of send times, distributed to the connections in turn.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Sends per second over all connections; pipelined requests count as one send.
    pub per_second: u32,
}

impl Pace {
    /// Returns when a connection sends first, from the start of the load, and its interval.
    pub fn of_connection(self, connection: usize) -> (Duration, Duration) {
        let between = Duration::from_secs(1) / self.per_second;
        (between * connection as u32, between * CONNECTIONS as u32)
    }
}

/// A running load.
pub struct Applied {
    stop: Arc<AtomicBool>,
    validations: Vec<Arc<AtomicU64>>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    /// Starts the load. Every run picks the same tokens.
    pub fn apply(&self) -> Applied {
        let stop = Arc::new(AtomicBool::new(false));
        let validations: Vec<_> = (0..THREADS).map(|_| Arc::new(AtomicU64::new(0))).collect();
        let threads = validations.iter().enumerate().map(|(thread, counter)| {
            let (load, stop, counter) = (self.clone(), stop.clone(), counter.clone());
            std::thread::spawn(move || load.drive(thread as u64, &stop, &counter))
        });
        let threads = threads.collect();
        Applied { stop, validations, threads }
    }

    fn drive(self, thread: u64, stop: &Arc<AtomicBool>, counter: &Arc<AtomicU64>) -> Result<()> {
        let load = Arc::new(self);
        let runtime = super::current_thread_runtime()?;
        let run = async {
            let mut tasks = JoinSet::new();
            for connection in 0..CONNECTIONS / THREADS {
                let rng = StdRng::seed_from_u64(thread << 32 | connection as u64);
                let times = load.pace.map(|pace| pace.of_connection(connection * THREADS + thread as usize));
                tasks.spawn(load.clone().drive_connection(rng, times, stop.clone(), counter.clone()));
            }
            while let Some(ended) = tasks.join_next().await {
                ended??;
            }
            Ok(())
        };
        let give_up = async {
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        runtime.block_on(async {
            tokio::select! {
                ended = run => ended,
                () = give_up => Err("requests without an answer at the end of a run".into()),
            }
        })
    }

    async fn drive_connection(
        self: Arc<Self>,
        mut rng: StdRng,
        times: Option<(Duration, Duration)>,
        stop: Arc<AtomicBool>,
        counter: Arc<AtomicU64>,
    ) -> Result<()> {
        let mut connection = Connection::open(self.address).await?;
        let (mut requests, mut starts) = (Vec::new(), VecDeque::new());
        // A late connection catches up.
        let mut times = match times {
            Some((first, period)) => {
                tokio::time::sleep(first).await;
                Some(tokio::time::interval(period))
            }
            None => None,
        };
        while !stop.load(Ordering::Relaxed) {
            if let Some(times) = &mut times {
                times.tick().await;
            }
            requests.clear();
            for _ in 0..self.depth {
                starts.push_back(requests.len());
                self.request.write(&mut rng, &mut requests);
            }
            connection.send(&requests).await?;
            while let Some(&unanswered) = starts.front() {
                let Some(status) = connection.receive().await? else {
                    // All requests are idempotent, so they may be sent again (RFC 9112, section 9.3.2).
                    connection.send(&requests[unanswered..]).await?;
                    continue;
                };
                if status != self.expected_status {
                    return Err(format!("answered {status} instead of {}", self.expected_status).into());
                }
                starts.pop_front();
                counter.fetch_add(self.request.validations(), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl Applied {
    /// Returns the number of validations answered so far.
    pub fn validations(&self) -> u64 {
        self.validations.iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    /// Stops the load; returns its first failure as the error.
    pub fn end(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| "a thread of the load generator panicked")??;
        }
        Ok(())
    }
}

impl Drop for Applied {
    /// A measurement that fails halfway leaves no load behind.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
