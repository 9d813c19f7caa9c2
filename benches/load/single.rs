//! What the goal table has beside pairs of runs: memory, validation in process, the way of an ending to another node.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use doorward::clock::Clock;
use doorward::entropy::Entropy;
use doorward::{Access, Node, Transport};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Result;
use crate::client::Connection;
use crate::generator::{Load, Request, write_get};
use crate::redis_server::{RedisServer, look_ups};
use crate::scenarios::ROOM_FOR_ALL;
use crate::stats::median;
use crate::subject::Doorward;

const MILLION: usize = 1_000_000;
const TOKENS: usize = 10_000;
const IN_PROCESS_VALIDATIONS: u64 = 1_000_000;
const ENDINGS: usize = 200;
/// A node hears of changes, and so keeps what it reads, this long after its start at the latest.
const UNTIL_TRACKING: Duration = Duration::from_millis(500);

/// Bytes of a server's memory that a cached token takes, at a million of them: what its resident memory grows by while
/// it validates each once. Another node issues them, so that nothing else grows.
pub fn cached_token_bytes(server: &std::path::Path) -> Result<f64> {
    let redis = RedisServer::start()?;
    let url = ("DOORWARD_REDIS_URL", redis.url());
    let tokens = Doorward::start(server, std::slice::from_ref(&url))?.issue_tokens(MILLION)?;
    let node = Doorward::start(server, &[url, ("DOORWARD_CACHE_ENTRIES", ROOM_FOR_ALL.to_string())])?;
    std::thread::sleep(UNTIL_TRACKING);
    node.validate_each(&tokens[..1])?;
    let before = node.process.resident_bytes()?;
    node.validate_each(&tokens[1..])?;
    let grown = node.process.resident_bytes()?.saturating_sub(before);
    Ok(grown as f64 / MILLION as f64)
}

/// Validation of known tokens in this process, one thread: its CPU microseconds, and look-ups in Redis for each.
pub fn in_process(server: &std::path::Path) -> Result<(f64, f64)> {
    let redis = RedisServer::start()?;
    let tokens = Doorward::start(server, &[("DOORWARD_REDIS_URL", redis.url())])?.issue_tokens(TOKENS)?;
    let config = doorward::config::load_node([("DOORWARD_REDIS_URL".into(), redis.url().into())])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let node = runtime.block_on(Node::start(&config, Clock::system(), Entropy::system()))?;
    let own = crate::current_thread_runtime()?;
    let figures = own.block_on(async {
        let validator = node.validator().await;
        tokio::time::sleep(UNTIL_TRACKING).await;
        let validate = async |token: &str| {
            let valid = validator.validate(token.as_bytes(), Transport::Header, Access::Recorded).await?;
            Result::Ok(black_box(valid).is_some())
        };
        for token in &tokens {
            validate(token).await?;
        }
        let mut rng = StdRng::seed_from_u64(1);
        let so_far = || Result::Ok(look_ups(&redis.calls()?));
        let (from_ns, from_look_ups) = (own_cpu_ns()?, so_far()?);
        for _ in 0..IN_PROCESS_VALIDATIONS {
            if !validate(&tokens[rng.random_range(0..tokens.len())]).await? {
                return Err("a token was refused in process".into());
            }
        }
        let cpu_us = (own_cpu_ns()? - from_ns) as f64 / 1e3 / IN_PROCESS_VALIDATIONS as f64;
        Ok((cpu_us, (so_far()? - from_look_ups) as f64 / IN_PROCESS_VALIDATIONS as f64))
    });
    runtime.block_on(node.stop());
    figures
}

/// This thread's (proc(5), `schedstat`).
fn own_cpu_ns() -> Result<u64> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(schedstat.split_whitespace().next().ok_or("an empty schedstat")?.parse()?)
}

/// Milliseconds from the acknowledgement of an ending on one node to the first refusal by another that knows the token
/// and is under load: median, and the worst but one of a hundred.
pub fn revocation_ms(server: &std::path::Path) -> Result<(f64, f64)> {
    let redis = RedisServer::start()?;
    let url = ("DOORWARD_REDIS_URL", redis.url());
    let (one, other) =
        (Doorward::start(server, std::slice::from_ref(&url))?, Doorward::start(server, &[url])?);
    let (tokens, ended) = (one.issue_tokens(TOKENS)?, one.issue_tokens(ENDINGS)?);
    std::thread::sleep(UNTIL_TRACKING);
    other.validate_each(&tokens)?;
    let tokens: Arc<[String]> = tokens.into();
    let load = Load {
        address: other.address,
        request: Request::Get { path: "/auth", tokens },
        expected_status: 200,
        depth: 1,
    };
    let applied = load.apply();
    let clock = Clock::system();
    let mut lags_ms = crate::current_thread_runtime()?.block_on(async {
        let mut admin = Connection::open(one.admin_address).await?;
        let mut gate = Connection::open(other.address).await?;
        let mut lags_ms = Vec::with_capacity(ENDINGS);
        for token in &ended {
            let mut request = Vec::new();
            write_get("/auth", token, &mut request);
            if gate.exchange(&request).await? != 200 {
                return Err("a token was refused before its ending".into());
            }
            one.end_token(&mut admin, token).await?;
            let from_ms = clock.boottime_ms();
            while gate.exchange(&request).await? == 200 {}
            lags_ms.push((clock.boottime_ms() - from_ms) as f64);
        }
        Result::Ok(lags_ms)
    })?;
    applied.end()?;
    lags_ms.sort_by(f64::total_cmp);
    let p99 = lags_ms[ENDINGS * 99 / 100 - 1];
    Ok((median(&lags_ms).unwrap_or(f64::NAN), p99))
}
