//! The cost of a validation in process, without HTTP, on one thread and on two.

use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};

use doorward::{Access, Node, Transport, Validator};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Result;
use crate::redis_server::{RedisServer, look_ups};
use crate::subject::{Doorward, UNTIL_TRACKING};

const TOKENS: usize = 10_000;
const VALIDATIONS: u64 = 1_000_000;
/// Validations of each thread in a run of a pair.
const VALIDATIONS_OF_PAIR: u64 = 200_000;

/// The results.
pub struct InProcess {
    /// CPU microseconds for one validation on one thread.
    pub cpu_us: f64,
    /// Redis look-ups for one validation.
    pub look_ups: f64,
    /// The throughput of two threads by that of one, for one token; of each pair.
    pub hot_token: Vec<f64>,
    /// The same, for 10,000 tokens picked at random.
    pub many_tokens: Vec<f64>,
}

/// Validates cached tokens in this process.
pub fn measure(server: &Path, pairs: u32) -> Result<InProcess> {
    let redis = RedisServer::start()?;
    let tokens = Doorward::start(server, &[("DOORWARD_REDIS_URL", redis.url())])?.issue_tokens(TOKENS)?;
    let config = doorward::internals::config::load_node([("DOORWARD_REDIS_URL".into(), redis.url().into())])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let node = runtime.block_on(Node::start(&config))?;
    let validator = runtime.block_on(node.validator());
    std::thread::sleep(UNTIL_TRACKING);
    for token in &tokens {
        let valid = validator.validate(token.as_bytes(), Transport::Header, Access::Recorded);
        runtime.block_on(valid)?.ok_or("a token was refused in process")?;
    }
    let so_far = || Result::Ok(look_ups(&redis.calls()?));
    let from_look_ups = so_far()?;
    let cpu_us = validate(&validator, &tokens, 1, VALIDATIONS)? / 1e3;
    let look_ups = (so_far()? - from_look_ups) as f64 / VALIDATIONS as f64;
    let hot_token = compare(&validator, &tokens[..1], pairs)?;
    let many_tokens = compare(&validator, &tokens, pairs)?;
    drop(validator);
    runtime.block_on(node.stop());
    Ok(InProcess { cpu_us, look_ups, hot_token, many_tokens })
}

/// Compares two threads with one, in interleaved pairs. CPU time, not the clock on the wall: a thread that waits for a line
/// of memory uses its core meanwhile, and a machine that does something else, too, does not count against two threads.
fn compare(validator: &Validator, tokens: &[String], pairs: u32) -> Result<Vec<f64>> {
    let pair = |_| {
        let one = threads(validator, tokens, 1)?;
        let two = threads(validator, tokens, 2)?;
        Ok(2.0 * one / two)
    };
    (0..pairs).map(pair).collect()
}

/// Returns the CPU nanoseconds for one validation while so many threads validate at the same time.
fn threads(validator: &Validator, tokens: &[String], count: u64) -> Result<f64> {
    let barrier = Barrier::new(usize::try_from(count)?);
    let costs = std::thread::scope(|scope| {
        let barrier = &barrier;
        let running: Vec<_> = (0..count)
            .map(|seed| {
                scope.spawn(move || {
                    // The thread's front and the core's cache.
                    validate(validator, tokens, seed, VALIDATIONS_OF_PAIR / 10)?;
                    barrier.wait();
                    validate(validator, tokens, seed, VALIDATIONS_OF_PAIR)
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<f64>>| {
            thread.join().map_err(|_| "a thread panicked")?
        };
        running.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    Ok(costs.iter().sum::<f64>() / count as f64)
}

/// Validates tokens at random on this thread. Returns its CPU nanoseconds for one validation.
fn validate(validator: &Validator, tokens: &[String], seed: u64, count: u64) -> Result<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut context = Context::from_waker(Waker::noop());
    let from_ns = own_cpu_ns()?;
    for _ in 0..count {
        let token = &tokens[rng.random_range(0..tokens.len())];
        let valid = validator.validate(token.as_bytes(), Transport::Header, Access::Recorded);
        // A known token is validated without waiting.
        match pin!(valid).poll(&mut context) {
            Poll::Ready(Ok(Some(identity))) => drop(black_box(identity)),
            Poll::Ready(Ok(None)) => return Err("a token was refused in process".into()),
            Poll::Ready(Err(error)) => return Err(error.into()),
            Poll::Pending => return Err("a known token was read from Redis".into()),
        }
    }
    Ok((own_cpu_ns()? - from_ns) as f64 / count as f64)
}

/// Returns this thread's CPU time (proc(5), `schedstat`).
fn own_cpu_ns() -> Result<u64> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(schedstat.split_whitespace().next().ok_or("an empty schedstat")?.parse()?)
}
