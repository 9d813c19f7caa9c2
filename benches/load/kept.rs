//! The memory of kept connections that are idle after one request: Doorward's, and bare hyper's.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::Result;
use crate::baseline::Baseline;
use crate::client::Connection;
use crate::generator::{Load, Request};
use crate::process::Process;
use crate::redis_server::RedisServer;
use crate::scenarios::probe;
use crate::subject::Doorward;

/// The connections. The kernel's memory for them does not count.
const CONNECTIONS: usize = 10_000;
const TOKENS: usize = 1_000;
/// The growth from as many connections as this is left out: threads and allocator take their first memory with them.
const WARM_UP: usize = 500;
/// How long the server is left alone before its memory is read.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes of a kept connection.
pub struct Kept {
    /// Doorward's.
    pub doorward: f64,
    /// Bare hyper's, with the same answer.
    pub hyper: f64,
}

/// Opens the connections, sends one request on each, and reads the resident memory.
pub fn measure(server: &Path) -> Result<Kept> {
    let redis = RedisServer::start()?;
    let limit = (2 * CONNECTIONS).to_string();
    let settings = [("DOORWARD_REDIS_URL", redis.url()), ("DOORWARD_MAX_CONNECTIONS", limit)];
    let node = Doorward::start(server, &settings)?;
    let tokens: Arc<[String]> = node.issue_tokens(TOKENS)?.into();
    node.validate_each(&tokens)?;
    let request = Request::Get { path: "/auth", tokens };
    let load =
        Load { address: node.address, request: request.clone(), expected_status: 200, depth: 1, pace: None };
    let hyper = Baseline::start(&probe(&load)?)?;
    Ok(Kept {
        doorward: bytes_of_each(node.address, &node.process, &request)?,
        hyper: bytes_of_each(hyper.address, &hyper.process, &request)?,
    })
}

fn bytes_of_each(address: SocketAddr, process: &Process, request: &Request) -> Result<f64> {
    let mut rng = StdRng::seed_from_u64(1);
    crate::current_thread_runtime()?.block_on(async {
        let mut kept = Vec::with_capacity(WARM_UP + CONNECTIONS);
        let mut before = 0;
        for number in 0..WARM_UP + CONNECTIONS {
            if number == WARM_UP {
                sleep(PAUSE);
                before = process.resident_bytes()?;
            }
            let mut bytes = Vec::new();
            request.write(&mut rng, &mut bytes);
            let mut connection = Connection::open(address).await?;
            match connection.exchange(&bytes).await? {
                200 => kept.push(connection),
                status => return Err(format!("GET /auth answered {status}").into()),
            }
        }
        sleep(PAUSE);
        Ok((process.resident_bytes()? - before) as f64 / CONNECTIONS as f64)
    })
}
