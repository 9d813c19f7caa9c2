//! The limit on open files, and how many connections it leaves for each listener.

use std::{io, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::values::{RedisDeployment, RedisUrl, StoreUrl};

/// Files besides connections: standard streams, listeners, certificates, and the files of the runtimes.
const RESERVED: usize = 48;
/// Further files of each validation thread's runtime.
const RESERVED_PER_THREAD: usize = 4;
/// Connections to each master besides the pool's and the validation threads': one each for the admin plane's
/// validator, tracking, the event feed, a look at the topology, and urgent operations, and two for scripts, each of which
/// has a second descriptor that watches it.
const OTHER_REDIS_CONNECTIONS: usize = 9;
/// If descriptors are short, the admin plane gets this fraction of them.
const ADMIN_FRACTION: usize = 4;
/// The fewest connections of a listener, unless `max-connections` is smaller.
const MIN_CONNECTIONS: usize = 4;

/// The most connections of the listener of `metrics-listen`: scrapers are few.
const MAX_METRICS_CONNECTIONS: usize = 32;

/// How many connections each listener may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionLimits {
    /// For the listener of the validation plane, and as many for the gRPC listener.
    pub(super) validation: usize,
    pub(super) admin: usize,
    pub(super) metrics: usize,
}

/// How many descriptors the server wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct DescriptorDemand {
    listeners: usize,
    /// The most connections of each listener.
    max_connections: usize,
    /// The descriptors for everything but clients.
    reserved: usize,
}

impl DescriptorDemand {
    pub(super) fn of(config: &Config, threads: usize) -> Self {
        let (masters, sentinels) = match &config.redis_url {
            StoreUrl::Memory => (0, 0),
            StoreUrl::Redis(RedisUrl { deployment: RedisDeployment::Cluster { servers }, .. }) => {
                (servers.len(), 0)
            }
            StoreUrl::Redis(RedisUrl { deployment: RedisDeployment::Sentinel { sentinels, .. }, .. }) => {
                (1, sentinels.len())
            }
            StoreUrl::Redis(_) => (1, 0),
        };
        let metrics = if config.metrics_listen.is_some() { MAX_METRICS_CONNECTIONS + 1 } else { 0 };
        let per_master = config.redis_connections + threads + OTHER_REDIS_CONNECTIONS;
        Self {
            listeners: 2 + usize::from(config.grpc_listen.is_some()),
            max_connections: config.max_connections,
            reserved: RESERVED + threads * RESERVED_PER_THREAD + masters * per_master + sentinels + metrics,
        }
    }

    /// Returns the limit with which every listener has its fewest connections.
    fn fewest(&self) -> usize {
        self.without_connections() + self.listeners * self.max_connections.min(MIN_CONNECTIONS)
    }

    fn total(&self) -> usize {
        self.without_connections() + self.listeners * self.max_connections
    }

    /// Includes one descriptor for each listener: it accepts a connection before it has room for it.
    fn without_connections(&self) -> usize {
        self.reserved + self.listeners
    }

    fn divide(&self, limit: usize) -> ConnectionLimits {
        let max = self.max_connections;
        let metrics = max.min(MAX_METRICS_CONNECTIONS);
        if self.total() <= limit {
            return ConnectionLimits { validation: max, admin: max, metrics };
        }
        let free = limit.saturating_sub(self.without_connections());
        let bounded = |connections: usize| connections.max(MIN_CONNECTIONS).min(max);
        let admin = bounded(free / ADMIN_FRACTION);
        let validation = bounded(free.saturating_sub(admin) / (self.listeners - 1));
        ConnectionLimits { validation, admin, metrics }
    }
}

/// The limit on open files, and how many of them a server with some settings uses.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorBudget {
    /// The limit to which a server could raise its own: the hard limit of this process.
    pub limit: usize,
    /// With these, each listener has `max-connections`.
    pub needed: usize,
    /// With fewer, the server cannot work.
    pub fewest: usize,
}

/// Compares the limit on open files with the settings, without any change to it.
///
/// # Errors
/// If the number of processors is not known.
pub fn descriptor_budget(config: &Config) -> io::Result<DescriptorBudget> {
    let demand = DescriptorDemand::of(config, validation_thread_count(config)?);
    let limit = as_count(getrlimit(Resource::Nofile).maximum);
    Ok(DescriptorBudget { limit, needed: demand.total(), fewest: demand.fewest() })
}

/// Returns the number of validation threads: of the setting, or one for each processor.
///
/// # Errors
/// If the number of processors is not known.
pub(super) fn validation_thread_count(config: &Config) -> io::Result<usize> {
    match config.validation_threads {
        0 => Ok(thread::available_parallelism()?.get()),
        count => Ok(count),
    }
}

/// Raises the limit on open files as far as possible and divides it among the listeners. Logs a warning if it allows less
/// than `max-connections` for each.
pub(super) fn connection_limits(demand: &DescriptorDemand) -> ConnectionLimits {
    let (limit, needed) = (raise_limit(), demand.total());
    let limits = demand.divide(limit);
    if limit < needed {
        tracing::warn!(
            limit,
            needed,
            max_connections = demand.max_connections,
            validation_connections = limits.validation,
            admin_connections = limits.admin,
            "open files limit too small: raise it (ulimit -n, LimitNOFILE) or lower max-connections"
        );
    }
    limits
}

/// Raises the limit on open files and returns it.
fn raise_limit() -> usize {
    let limits = getrlimit(Resource::Nofile);
    if limits.current != limits.maximum {
        let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "open files limit not raised");
        }
    }
    as_count(getrlimit(Resource::Nofile).current)
}

/// `None` is no limit.
fn as_count(limit: Option<u64>) -> usize {
    limit.map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_reserved_for_redis_and_the_admin_plane() {
        let redis = RedisUrl::parse("redis://a").unwrap();
        let mut config = Config { redis_url: StoreUrl::Redis(redis), ..Config::default() };
        let reserved = RESERVED + 2 * RESERVED_PER_THREAD + 8 + 2 + OTHER_REDIS_CONNECTIONS;
        assert_eq!(DescriptorDemand::of(&config, 2).total(), reserved + 2 * 10_001);
        let divided = |config: &Config, limit| DescriptorDemand::of(config, 2).divide(limit);
        assert_eq!(
            divided(&config, reserved + 20_002),
            ConnectionLimits { validation: 10_000, admin: 10_000, metrics: 32 }
        );
        let ConnectionLimits { validation, admin, .. } = divided(&config, 1024);
        assert_eq!(reserved + 2 + validation + admin, 1024);
        assert_eq!(admin, (1024 - reserved - 2) / 4);
        // Far too few: the server starts all the same.
        let fewest = ConnectionLimits { validation: MIN_CONNECTIONS, admin: MIN_CONNECTIONS, metrics: 32 };
        assert_eq!(divided(&config, 16), fewest);
        config.max_connections = 2;
        assert_eq!(divided(&config, 16), ConnectionLimits { validation: 2, admin: 2, metrics: 2 });
        config.grpc_listen = Some(config.listen.clone());
        config.max_connections = 10_000;
        let ConnectionLimits { validation, admin, .. } = divided(&config, 1024);
        assert!(reserved + 3 + 2 * validation + admin <= 1024 && validation > 300);
    }
}
