//! Stores on servers of their own, and raw commands.

use std::sync::Arc;
use std::time::Duration;

use doorward::internals::store::redis::RedisStore;
use doorward::internals::store::{Store, StoreLimits};
use doorward::system::Clock;

use super::{LIMITS, NOW_MS, PATIENCE, Servers, TestStore, open_redis, raw_connection};
use crate::common::cluster::RedisCluster;
use crate::common::redis::RedisServer;

impl TestStore {
    /// Opens a store on a server of its own, which its raw commands reach.
    pub async fn owning(server: RedisServer) -> Self {
        let on = Self::alone_on(&server).await;
        Self { servers: Servers::One(Arc::new(server)), ..on }
    }

    /// Opens a store on a cluster of its own, which its raw commands reach.
    pub async fn owning_cluster(cluster: RedisCluster) -> Self {
        let on = open_redis(&cluster.url(), "dw:", LIMITS, PATIENCE, Clock::manual(NOW_MS)).await;
        Self { servers: Servers::Cluster(Arc::new(cluster)), ..on }
    }

    pub fn cluster(&self) -> &RedisCluster {
        match &self.servers {
            Servers::Cluster(cluster) => cluster,
            _ => panic!("not a store on a cluster"),
        }
    }

    /// As [`TestStore::on_server`], at the URL of the server or of a relay to it.
    pub async fn at_url(url: &str, limits: StoreLimits, timeout: Duration) -> Self {
        open_redis(url, "dw:", limits, timeout, Clock::manual(NOW_MS)).await
    }

    /// Returns the store itself, which is on Redis.
    pub fn redis(&self) -> &RedisStore {
        match &self.store {
            Store::Redis(store) => store,
            Store::Memory(_) => panic!("not a store on Redis"),
        }
    }

    /// Runs a command as a user with all permissions, on the master that has its key. Panics if it fails.
    pub fn raw<T: redis::FromRedisValue>(&self, args: &[&[u8]]) -> T {
        let mut command = redis::Cmd::new();
        command.arg(args);
        let answers = self.masters().map(|master| command.query(&mut raw_connection(master)));
        let is_moved = |answer: &redis::RedisResult<T>| {
            answer.as_ref().is_err_and(|error| error.code() == Some("MOVED"))
        };
        answers.into_iter().find(|answer| !is_moved(answer)).expect("a master has the key").unwrap()
    }
}
