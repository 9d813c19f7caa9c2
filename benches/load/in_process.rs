//! The cost of a validation in process, without HTTP.

use std::hint::black_box;
use std::path::Path;

use doorward::{Access, Node, Transport};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Result;
use crate::redis_server::{RedisServer, look_ups};
use crate::subject::{Doorward, UNTIL_TRACKING};

const TOKENS: usize = 10_000;
const VALIDATIONS: u64 = 1_000_000;

/// Validates cached tokens in this process on one thread; returns CPU microseconds and Redis look-ups per validation.
pub fn measure(server: &Path) -> Result<(f64, f64)> {
    let redis = RedisServer::start()?;
    let tokens = Doorward::start(server, &[("DOORWARD_REDIS_URL", redis.url())])?.issue_tokens(TOKENS)?;
    let config = doorward::internals::config::load_node([("DOORWARD_REDIS_URL".into(), redis.url().into())])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let node = runtime.block_on(Node::start(&config))?;
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
        for _ in 0..VALIDATIONS {
            if !validate(&tokens[rng.random_range(0..tokens.len())]).await? {
                return Err("a token was refused in process".into());
            }
        }
        let cpu_us = (own_cpu_ns()? - from_ns) as f64 / 1e3 / VALIDATIONS as f64;
        Ok((cpu_us, (so_far()? - from_look_ups) as f64 / VALIDATIONS as f64))
    });
    runtime.block_on(node.stop());
    figures
}

/// Returns this thread's CPU time (proc(5), `schedstat`).
fn own_cpu_ns() -> Result<u64> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(schedstat.split_whitespace().next().ok_or("an empty schedstat")?.parse()?)
}
