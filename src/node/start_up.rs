//! Makes the options of each component from the settings.

use std::sync::Arc;

use super::redis_store;
use super::start_error::StartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::last_access::recorder::LastAccessOptions;
use crate::service::TokenPolicy;
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreLimits};
use crate::values::StoreUrl;

/// Opens the store that the settings name.
pub(crate) fn open_store(config: &Config, clock: &Clock) -> Result<Store, StartError> {
    let limits = store_limits(config);
    match &config.redis_url {
        StoreUrl::Memory => Ok(Store::Memory(Arc::new(MemoryStore::new(limits, config.memory_max_tokens)))),
        StoreUrl::Redis(url) => redis_store::open(config, url, limits, clock),
    }
}

fn store_limits(config: &Config) -> StoreLimits {
    StoreLimits {
        revoked_retention_ms: config.revoked_retention_ms,
        stale_grace_ms: config.stale_grace_ms,
        max_tokens_per_user: config.max_tokens_per_user,
        max_tokens_per_object: config.max_tokens_per_object,
        over_limit: config.over_limit,
        takeover_retention_ms: config.takeover_retention_ms,
        events_per_user: config.events_per_user,
        event_retention_ms: config.event_retention_ms,
        max_devices_per_user: config.max_devices_per_user,
    }
}

pub(crate) fn token_policy(config: &Config) -> TokenPolicy {
    TokenPolicy {
        default_age_ms: config.default_token_age_ms,
        preserved_age_ms: config.max_token_age_ms,
        absolute_lifetime_ms: config.absolute_lifetime_ms,
        import_lifetime_ms: config.import_lifetime_ms,
        renewal_step: config.renewal_step,
        rotation_grace_ms: config.rotation_grace_ms,
        reuse_ends_token: config.reuse_ends_token,
        takeovers: config.takeovers,
        max_takeover_age_ms: config.max_takeover_age_ms,
        device_max_idle_ms: config.device_max_idle_ms,
    }
}

pub(crate) fn last_access_options(config: &Config) -> LastAccessOptions {
    LastAccessOptions {
        flush_interval_ms: config.flush_interval_ms,
        resolution_ms: config.touch_resolution_ms,
        queue: config.flush_queue,
    }
}
