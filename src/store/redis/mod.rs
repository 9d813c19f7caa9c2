//! The Redis store. [`schema`] describes what is in Redis.
//!
//! Lifecycle operations ([`operations`]) take a connection from a pool. Validation reads over connections of its own
//! ([`lookup`]).

pub mod cluster;
pub mod counters;
pub mod errors;
pub mod inspection;
pub mod invalidation;
pub mod lookup;
pub mod operations;
pub mod redis_store;
pub mod replay;
pub mod schema;
#[cfg(feature = "server")]
pub mod span;
#[cfg(not(feature = "server"))]
#[path = "no_span.rs"]
pub mod span;
pub mod store_clock;
pub mod verification;

pub use self::cluster::tls::TrustStore;
pub use self::lookup::node_cache::CacheOptions;
pub use self::redis_store::{RedisOptions, RedisStore};
