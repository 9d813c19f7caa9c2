//! A million tokens: the memory of a cached token, and whether a node stays fast as its cache grows.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::baseline::Baseline;
use crate::generator::{Load, Request};
use crate::measure::{Pairs, Side};
use crate::redis_server::RedisServer;
use crate::scenarios::probe;
use crate::subject::{Doorward, UNTIL_TRACKING};

/// The node's cache capacity by the number of tokens: more than one, so that uneven shards evict nothing.
const ROOM_PER_TOKEN: usize = 2;
const FIRST_STAGE: usize = 1_000;
/// The pooled connections of the issuing node: enough to keep Redis busy.
const REDIS_CONNECTIONS: u32 = 32;
/// The pause after which the accesses of the first validations are written and do not disturb the measurement.
const UNTIL_WRITTEN: Duration = Duration::from_secs(2);

/// The measurements with this many cached tokens.
pub struct Stage {
    /// The number of cached tokens, which are validated at random.
    pub tokens: usize,
    /// The comparison with bare hyper under the same requests.
    pub pairs: Pairs,
}

/// All measurements.
pub struct Growth {
    /// The average resident memory per cached token in bytes.
    pub token_bytes: f64,
    /// The stages, from few tokens to all.
    pub stages: Vec<Stage>,
}

/// Caches a thousand tokens in a node, then ten times as many, and so on up to `largest`. Another node has issued them,
/// so that nothing else grows. Each stage validates each token once, and then measures `pairs` of runs.
pub fn measure(server: &Path, largest: usize, pairs: u32, duration: Duration) -> Result<Growth> {
    let redis = RedisServer::start_unlimited()?;
    let room = ROOM_PER_TOKEN * largest;
    let url = ("DOORWARD_REDIS_URL", redis.url());
    let tokens = issue(server, url.clone(), largest)?;
    let node = Doorward::start(server, &[url, ("DOORWARD_CACHE_ENTRIES", room.to_string())])?;
    sleep(UNTIL_TRACKING);
    node.validate_each(&tokens[..1])?;
    let (mut known, mut grown_bytes, mut baseline, mut stages) = (1, 0, None, Vec::new());
    for count in stages_to(largest) {
        let before_bytes = node.process.resident_bytes()?;
        node.validate_each(&tokens[known..count])?;
        grown_bytes += node.process.resident_bytes()?.saturating_sub(before_bytes);
        known = count;
        sleep(UNTIL_WRITTEN);

        let request = Request::Get { path: "/auth", tokens: tokens[..count].into() };
        let load = Load { address: node.address, request, expected_status: 200, depth: 1, pace: None };
        if baseline.is_none() {
            baseline = Some(Baseline::start(&probe(&load)?)?);
        }
        let baseline = baseline.as_ref().ok_or("no baseline")?;
        let reference = Load { address: baseline.address, ..load.clone() };
        let reference = Side { load: reference, process: &baseline.process, redis: None };
        let subject = Side { load, process: &node.process, redis: Some(&redis) };
        let measured = Pairs::measure(&reference, &[subject], pairs, duration)?.pop();
        stages.push(Stage { tokens: count, pairs: measured.ok_or("nothing was measured")? });
        eprintln!("  {count} tokens measured");
    }
    Ok(Growth { token_bytes: grown_bytes as f64 / (known - 1) as f64, stages })
}

/// Issued without events, which nothing here reads.
fn issue(server: &Path, url: (&'static str, String), count: usize) -> Result<Vec<String>> {
    let connections = ("DOORWARD_REDIS_CONNECTIONS", REDIS_CONNECTIONS.to_string());
    let settings = [url, connections, ("DOORWARD_EVENTS_PER_USER", "0".to_owned())];
    let tokens = Doorward::start(server, &settings)?.issue_tokens(count)?;
    eprintln!("  {count} tokens issued");
    Ok(tokens)
}

/// Returns the stages: a thousand, ten thousand … and the largest.
fn stages_to(largest: usize) -> impl Iterator<Item = usize> {
    let smaller = std::iter::successors(Some(FIRST_STAGE), |count| Some(count * 10));
    smaller.take_while(move |count| *count < largest).chain([largest])
}
