//! The cost of changes of tokens: an issue with more and more nodes on one Redis, and revoking and rotating by an issue.

use std::path::Path;
use std::thread::sleep;

use crate::Result;
use crate::redis_server::RedisServer;
use crate::subject::{Doorward, UNTIL_TRACKING};

/// The connections to the admin plane, one request at a time on each.
const CONNECTIONS: usize = 32;
/// Requests before a measurement, for connections and threads.
const WARM_UP: usize = 1_000;
/// Requests of a measurement.
const CHANGES: usize = 8_000;
/// How many nodes are on the Redis in turn.
const NODES: [usize; 4] = [1, 2, 4, 8];
/// The nodes in the comparison of the changes.
const COMPARED: usize = 2;

/// CPU microseconds for one change.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Of the node that makes it.
    pub node_us: f64,
    /// Of Redis.
    pub redis_us: f64,
    /// Of each other node, on average; 0 without one.
    pub other_us: f64,
}

/// The measured costs.
pub struct Changes {
    /// Nodes on the Redis, and an issue on one of them.
    pub issues: Vec<(usize, Cost)>,
    /// Revoking one token, with two nodes.
    pub revoke: Cost,
    /// Rotating one token, with two nodes.
    pub rotate: Cost,
}

impl Changes {
    /// Returns the cost of an issue with as many nodes as the other changes have.
    pub fn compared_issue(&self) -> Option<Cost> {
        self.issues.iter().find(|(nodes, _)| *nodes == COMPARED).map(|(_, cost)| *cost)
    }
}

/// The servers of a measurement; the first node makes the changes.
struct Site {
    redis: RedisServer,
    nodes: Vec<Doorward>,
}

impl Site {
    fn start(server: &Path, nodes: usize) -> Result<Self> {
        let redis = RedisServer::start()?;
        let start = |_| Doorward::start(server, &[("DOORWARD_REDIS_URL", redis.url())]);
        let nodes = (0..nodes).map(start).collect::<Result<Vec<_>>>()?;
        sleep(UNTIL_TRACKING);
        nodes[0].issue_over(CONNECTIONS, WARM_UP)?;
        Ok(Self { redis, nodes })
    }

    /// Returns the CPU time of the first node, of Redis and of all other nodes, in microseconds.
    fn cpu_us(&self) -> Result<[f64; 3]> {
        let of = |node: &Doorward| node.process.cpu_ns();
        let others = self.nodes[1..].iter().map(of).sum::<Result<u64>>()?;
        Ok([of(&self.nodes[0])?, self.redis.process.cpu_ns()?, others].map(|ns| ns as f64 / 1e3))
    }

    /// Measures `changes` changes.
    fn cost(&self, changes: usize, make: impl FnOnce(&Doorward) -> Result<()>) -> Result<Cost> {
        let before = self.cpu_us()?;
        make(&self.nodes[0])?;
        let after = self.cpu_us()?;
        let [node_us, redis_us, others_us] = [0, 1, 2].map(|at| (after[at] - before[at]) / changes as f64);
        let other_us = others_us / (self.nodes.len() - 1).max(1) as f64;
        Ok(Cost { node_us, redis_us, other_us })
    }
}

/// Measures an issue with each number of nodes, and the other changes with two.
pub fn measure(server: &Path) -> Result<Changes> {
    let mut issues = Vec::new();
    for nodes in NODES {
        let site = Site::start(server, nodes)?;
        issues.push((nodes, site.cost(CHANGES, |node| node.issue_over(CONNECTIONS, CHANGES).map(drop))?));
    }
    let site = Site::start(server, COMPARED)?;
    let tokens = site.nodes[0].issue_over(CONNECTIONS, 2 * CHANGES)?;
    let (revoked, rotated) = tokens.split_at(CHANGES);
    let revoke = site.cost(CHANGES, |node| node.revoke_over(CONNECTIONS, revoked))?;
    let rotate = site.cost(CHANGES, |node| node.rotate_over(CONNECTIONS, rotated))?;
    Ok(Changes { issues, revoke, rotate })
}
