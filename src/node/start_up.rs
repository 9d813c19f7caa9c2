//! From settings to parts.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SysError;
use redis::{ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};

use crate::clock::Clock;
use crate::config::{Config, RedisUrl, StoreUrl, Topology};
use crate::last_access::LastAccessOptions;
use crate::service::TokenPolicy;
use crate::store::memory::MemoryStore;
use crate::store::redis::{CacheOptions, RedisOptions, RedisStore};
use crate::store::{Store, StoreLimits};

/// Why a node or its server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be had.
    #[error("{setting}: cannot listen there: {error}")]
    Bind {
        /// Which.
        setting: &'static str,
        /// Why.
        error: std::io::Error,
    },
    /// The store's description is not usable.
    #[error("redis-url: {0}")]
    Store(String),
    /// The operating system has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(#[from] SysError),
    /// A thread cannot be had.
    #[error("no threads: {0}")]
    Threads(#[from] std::io::Error),
}

impl StartError {
    pub(crate) fn bind(setting: &'static str, error: std::io::Error) -> Self {
        Self::Bind { setting, error }
    }
}

pub(super) fn open_store(config: &Config, clock: &Clock) -> Result<Store, StartError> {
    let limits = StoreLimits {
        ended_retention_ms: config.ended_retention_ms,
        max_tokens_per_user: config.max_tokens_per_user,
    };
    match &config.store {
        StoreUrl::Memory => Ok(Store::Memory(Arc::new(MemoryStore::new(limits, config.memory_max_tokens)))),
        StoreUrl::Redis(url) => {
            let options = RedisOptions {
                connection: connection_info(url).map_err(StartError::Store)?,
                key_prefix: config.key_prefix.clone(),
                connections: config.redis_connections,
                timeout: Duration::from_millis(config.redis_timeout_ms),
                cache: CacheOptions {
                    entries: config.cache_entries,
                    lease_ms: config.lease_ms,
                    stale_grace_ms: config.stale_grace_ms,
                },
            };
            let store = RedisStore::new(options, limits, clock.clone()).map_err(StartError::Store)?;
            Ok(Store::Redis(Arc::new(store)))
        }
    }
}

fn connection_info(url: &RedisUrl) -> Result<redis::ConnectionInfo, String> {
    let addr = match &url.topology {
        Topology::Standalone { node, tls: false } => ConnectionAddr::Tcp(node.host.clone(), node.port),
        Topology::Unix { path } => ConnectionAddr::Unix(path.clone()),
        Topology::Standalone { tls: true, .. } => return Err("rediss:// is not supported yet".into()),
        Topology::Cluster { .. } => return Err("redis+cluster:// is not supported yet".into()),
        Topology::Sentinel { .. } => return Err("redis+sentinel:// is not supported yet".into()),
    };
    let mut settings = RedisConnectionInfo::default().set_db(url.db.into());
    if let Some(username) = &url.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &url.password {
        settings = settings.set_password(password.expose());
    }
    let info = addr.into_connection_info().map_err(|error| error.category().to_owned())?;
    Ok(info.set_redis_settings(settings))
}

pub(super) fn token_policy(config: &Config) -> TokenPolicy {
    TokenPolicy {
        default_age_ms: config.default_token_age_ms,
        preserved_age_ms: config.max_token_age_ms,
        absolute_lifetime_ms: config.absolute_lifetime_ms,
        renewal_step: config.renewal_step,
    }
}

pub(super) fn last_access_options(config: &Config) -> LastAccessOptions {
    LastAccessOptions {
        flush_interval_ms: config.flush_interval_ms,
        resolution_ms: config.touch_resolution_ms,
        queue: config.flush_queue,
    }
}
