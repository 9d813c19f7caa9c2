//! The first `/auth` of a token that only Redis knows: how much later its answer comes than a cached one's, by the round trip
//! of a `PING`. One client, on blocking sockets; each token takes its three turns one after the other.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use doorward::system::Clock;

use crate::Result;
use crate::generator::write_get;
use crate::redis_server::RedisServer;
use crate::subject::{Doorward, UNTIL_TRACKING};

/// Nodes on the Redis: each hears of every change there.
const NODES: usize = 8;
const TOKENS: usize = 400;
/// A pause before each request, in which everything becomes idle.
const PAUSE: Duration = Duration::from_millis(2);

/// The times of a token, in microseconds.
pub struct FirstAuth {
    /// A `PING` of the client's own connection to Redis.
    pub ping_us: f64,
    /// The first `/auth`.
    pub first_us: f64,
    /// The second, which is cached.
    pub cached_us: f64,
}

impl FirstAuth {
    /// Returns what the first `/auth` takes beyond a cached one, by the `PING`.
    pub fn by_ping(&self) -> f64 {
        (self.first_us - self.cached_us) / self.ping_us
    }
}

/// Issues tokens on one node, and validates each of them twice on another.
pub fn measure(server: &Path) -> Result<Vec<FirstAuth>> {
    let redis = RedisServer::start()?;
    let start = || Doorward::start(server, &[("DOORWARD_REDIS_URL", redis.url())]);
    let nodes: Vec<_> = (0..NODES).map(|_| start()).collect::<Result<_>>()?;
    let tokens = nodes[0].issue_tokens(TOKENS)?;
    sleep(2 * UNTIL_TRACKING);
    let mut auth = Client::connect(nodes[1].address)?;
    let mut ping = Client::connect(redis.address())?;
    let mut measured = Vec::new();
    for token in &tokens {
        let mut request = Vec::new();
        write_get("/auth", token, &mut request);
        let ping_us = ping.exchange(b"PING\r\n", b"+PONG")?;
        let first_us = auth.exchange(&request, b"HTTP/1.1 200")?;
        let cached_us = auth.exchange(&request, b"HTTP/1.1 200")?;
        measured.push(FirstAuth { ping_us, first_us, cached_us });
    }
    // The first one warms the client's code up.
    Ok(measured.split_off(1))
}

struct Client {
    stream: TcpStream,
    clock: Clock,
}

impl Client {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, clock: Clock::system() })
    }

    /// Sends a request after a pause, and returns how long its answer takes, in microseconds. It is one short segment.
    fn exchange(&mut self, request: &[u8], answer: &[u8]) -> Result<f64> {
        sleep(PAUSE);
        let mut received = [0; 4096];
        let from_ns = self.clock.boottime_ns();
        self.stream.write_all(request)?;
        let length = self.stream.read(&mut received)?;
        let elapsed_us = (self.clock.boottime_ns() - from_ns) as f64 / 1e3;
        if !received[..length].starts_with(answer) {
            return Err(format!("unexpected answer: {}", received[..length].escape_ascii()).into());
        }
        Ok(elapsed_us)
    }
}
