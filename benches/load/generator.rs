//! The load: a fixed set of connections, each sending when its last answer has come or at a pace, every answer checked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::Result;
use super::client::Connection;

/// Connections held open at once, over all threads.
pub const CONNECTIONS: usize = 64;
/// Threads that drive them.
pub const THREADS: usize = 2;
/// What one `/v1/validate` call asks about.
pub const TOKENS_PER_BATCH: usize = 100;
/// A run whose last answers take longer than this after its end has failed.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// What to send.
#[derive(Clone, Debug)]
pub enum Request {
    /// `GET` with a token picked at random.
    Get {
        /// `/auth`, or that of a page behind a proxy.
        path: &'static str,
        /// What to pick from.
        tokens: Arc<[String]>,
    },
    /// `GET /auth` without a token.
    AuthWithoutToken,
    /// `POST /v1/validate` with [`TOKENS_PER_BATCH`] tokens picked at random.
    Batch {
        /// What to pick from.
        tokens: Arc<[String]>,
        /// The admin plane's API key.
        admin_key: String,
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
        }
    }

    /// Validations asked for by one request.
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

/// A `POST` to the admin plane.
pub fn json_post(path: &str, admin_key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: doorward.test\r\nAuthorization: Bearer {admin_key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One kind of load on one server.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server's address.
    pub address: SocketAddr,
    /// What it is sent.
    pub request: Request,
    /// What it has to answer; anything else fails the run.
    pub expected_status: u16,
    /// Requests sent on a connection before their answers are read (HTTP/1.1 pipelining); 1 is none.
    pub depth: usize,
    /// How often something is sent; as often as answers come where it is `None`.
    pub pace: Option<Pace>,
}

/// Times to send at, the same number in each second, dealt to the connections in turn.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Sendings a second, over all connections; what one sends together counts once.
    pub per_second: u32,
}

impl Pace {
    /// When one of the connections sends first, from the start of the load, and how long after that each time.
    pub fn of_connection(self, connection: usize) -> (Duration, Duration) {
        let between = Duration::from_secs(1) / self.per_second;
        (between * connection as u32, between * CONNECTIONS as u32)
    }
}

/// A load that is being applied.
pub struct Applied {
    stop: Arc<AtomicBool>,
    validations: Vec<Arc<AtomicU64>>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    /// Starts to apply the load. The same tokens are picked in every run.
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
        // One that is late catches up.
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
                    // None of them changes anything: they may be sent again (RFC 9112, section 9.3.2).
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
    /// Validations answered so far.
    pub fn validations(&self) -> u64 {
        self.validations.iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    /// Ends the load; what failed while it was applied is the error.
    pub fn end(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| "a thread of the load generator panicked")??;
        }
        Ok(())
    }
}

impl Drop for Applied {
    /// A measurement that failed halfway leaves no load behind for the next.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
