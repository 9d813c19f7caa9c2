//! Open files: how many this process may have, and how many connections each listener gets of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::values::{RedisDeployment, RedisUrl, StoreUrl};

/// Files besides connections: standard streams, listeners, certificates, what the runtimes need.
const RESERVED: usize = 48;
/// The same, of each validation thread's runtime.
const RESERVED_PER_THREAD: usize = 4;
/// Connections to each master besides the pool and those of the validation threads: of the admin plane's validator, of
/// tracking, of the feed, and of a look at the topology, and the one kept for urgent operations.
const REDIS_CONNECTIONS_BESIDES: usize = 5;
/// If descriptors are short, the admin plane gets this share of them.
const ADMIN_SHARE: usize = 4;
/// No listener gets fewer connections, unless `max-connections` is smaller.
const MIN_CONNECTIONS: usize = 4;

/// How many connections each listener may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// On the listener of the validation plane, and on that of gRPC.
    pub(crate) validation: usize,
    pub(crate) admin: usize,
}

/// Raises the limit on open files as far as it goes, and divides what it allows. Says so if that is less than
/// `max-connections` for each listener.
pub(crate) fn budget(config: &Config, threads: usize) -> Budget {
    let (limit, needed) = (raise_limit(), needed(config, threads));
    let budget = divide(config, limit, needed);
    if limit < needed {
        tracing::warn!(
            limit,
            needed,
            max_connections = config.max_connections,
            validation_connections = budget.validation,
            admin_connections = budget.admin,
            "open files limit too small: raise it (ulimit -n, LimitNOFILE) or lower max-connections"
        );
    }
    budget
}

/// The most files this process may open.
fn raise_limit() -> usize {
    let limits = getrlimit(Resource::Nofile);
    if limits.current != limits.maximum {
        let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "open files limit not raised");
        }
    }
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX))
}

/// What is needed with as many connections as the settings allow.
fn needed(config: &Config, threads: usize) -> usize {
    // Each listener accepts one connection before it has room for it.
    reserved(config, threads) + listeners(config) * (config.max_connections + 1)
}

fn listeners(config: &Config) -> usize {
    2 + usize::from(config.grpc_listen.is_some())
}

/// What is kept for all but clients.
fn reserved(config: &Config, threads: usize) -> usize {
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
    let per_master = config.redis_connections + threads + REDIS_CONNECTIONS_BESIDES;
    RESERVED + threads * RESERVED_PER_THREAD + masters * per_master + sentinels
}

fn divide(config: &Config, limit: usize, needed: usize) -> Budget {
    let max = config.max_connections;
    if needed <= limit {
        return Budget { validation: max, admin: max };
    }
    let free = limit.saturating_sub(needed - listeners(config) * max);
    let share = |connections: usize| connections.max(MIN_CONNECTIONS).min(max);
    let admin = share(free / ADMIN_SHARE);
    let validation = share(free.saturating_sub(admin) / (listeners(config) - 1));
    Budget { validation, admin }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_kept_for_redis_and_the_admin_plane() {
        let redis = RedisUrl::parse("redis://a").unwrap();
        let mut config = Config { redis_url: StoreUrl::Redis(redis), ..Config::default() };
        let kept = RESERVED + 2 * RESERVED_PER_THREAD + 8 + 2 + REDIS_CONNECTIONS_BESIDES;
        assert_eq!(needed(&config, 2), kept + 2 * 10_001);
        let divided = |config: &Config, limit| divide(config, limit, needed(config, 2));
        assert_eq!(divided(&config, kept + 20_002), Budget { validation: 10_000, admin: 10_000 });
        let Budget { validation, admin } = divided(&config, 1024);
        assert_eq!(kept + 2 + validation + admin, 1024);
        assert_eq!(admin, (1024 - kept - 2) / 4);
        // Far too few: it serves all the same.
        assert_eq!(divided(&config, 16), Budget { validation: MIN_CONNECTIONS, admin: MIN_CONNECTIONS });
        config.max_connections = 2;
        assert_eq!(divided(&config, 16), Budget { validation: 2, admin: 2 });
        config.grpc_listen = Some(config.listen.clone());
        config.max_connections = 10_000;
        let Budget { validation, admin } = divided(&config, 1024);
        assert!(kept + 3 + 2 * validation + admin <= 1024 && validation > 300);
    }
}
