//! How soon a node refuses a token that was revoked on another node, while both serve a paced load.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Result;
use crate::client::Connection;
use crate::generator::{Applied, Load, Pace, Request, write_get};
use crate::redis_server::RedisServer;
use crate::subject::{Doorward, UNTIL_TRACKING};

/// The paced load of each of the two nodes.
pub const CHECKS_PER_SECOND: u32 = 10_000;
/// The tokens of the paced load.
const TOKENS: usize = 10_000;
const REVOCATIONS: usize = 1_000;
/// The random pause between two revocations, so that they meet the load, which has steps of a millisecond, at any
/// point.
const BETWEEN_ENDINGS_US: std::ops::Range<u64> = 2_000..6_000;
const WARM_UP: Duration = Duration::from_millis(500);

/// The measured values.
pub struct Revocation {
    /// Milliseconds from the acknowledgement of a revocation on one node to the first refusal received from the other,
    /// which had cached the token. Includes the round trip of that last check.
    pub lags_ms: Vec<f64>,
    /// Checks per second that the less busy node answered.
    pub checks_per_second: f64,
}

/// Revokes a thousand tokens, one after the other.
pub fn measure(server: &Path) -> Result<Revocation> {
    let redis = RedisServer::start()?;
    let url = ("DOORWARD_REDIS_URL", redis.url());
    let one = Doorward::start(server, std::slice::from_ref(&url))?;
    let other = Doorward::start(server, &[url])?;
    let (tokens, revoked) = (one.issue_tokens(TOKENS)?, one.issue_tokens(REVOCATIONS)?);
    std::thread::sleep(UNTIL_TRACKING);
    let tokens: Arc<[String]> = tokens.into();
    let load = |node: &Doorward| -> Result<Applied> {
        node.validate_each(&tokens)?;
        let request = Request::Get { path: "/auth", tokens: tokens.clone() };
        let pace = Some(Pace { per_second: CHECKS_PER_SECOND });
        Ok(Load { address: node.address, request, expected_status: 200, depth: 1, pace }.apply())
    };
    let loads = [load(&one)?, load(&other)?];
    std::thread::sleep(WARM_UP);
    let answered = || loads.each_ref().map(Applied::validations);
    let (from_us, from) = (now_us(), answered());
    let lags_ms = crate::current_thread_runtime()?.block_on(revoke_each(&one, &other, &revoked))?;
    let (to_us, to) = (now_us(), answered());
    for load in loads {
        load.end()?;
    }
    let least = (to[0] - from[0]).min(to[1] - from[1]);
    Ok(Revocation { lags_ms, checks_per_second: least as f64 * 1e6 / (to_us - from_us) as f64 })
}

/// Revokes the tokens on `one`, each after `other` has cached it, and polls `other` until it refuses.
async fn revoke_each(one: &Doorward, other: &Doorward, tokens: &[String]) -> Result<Vec<f64>> {
    let mut admin = Connection::open(one.admin_address).await?;
    let mut gate = Connection::open(other.address).await?;
    let mut rng = StdRng::seed_from_u64(1);
    let mut lags_ms = Vec::with_capacity(tokens.len());
    for token in tokens {
        std::thread::sleep(Duration::from_micros(rng.random_range(BETWEEN_ENDINGS_US)));
        let mut request = Vec::new();
        write_get("/auth", token, &mut request);
        // The second check uses the cache.
        for _ in 0..2 {
            if gate.exchange(&request).await? != 200 {
                return Err("a token was refused before its revocation".into());
            }
        }
        one.end_token(&mut admin, token).await?;
        let ended_us = now_us();
        while gate.exchange(&request).await? == 200 {}
        lags_ms.push((now_us() - ended_us) as f64 / 1e3);
    }
    Ok(lags_ms)
}

/// Returns microseconds of a monotonic clock, because `Clock` counts milliseconds.
fn now_us() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1_000
}
