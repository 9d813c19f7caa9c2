//! The Redis store: what each store operation is in commands.
//!
//! Lifecycle operations take a connection from a pool; validation reads over connections of its own
//! ([`RedisReader`]).

pub mod cluster;
pub mod errors;
pub mod inspection;
pub mod invalidation;
pub mod lookup;
pub mod operations;
pub mod redis_store;
pub mod schema;
pub mod store_clock;

pub use self::cluster::tls::TrustStore;
pub use self::lookup::node_cache::CacheOptions;
pub use self::redis_store::{RedisOptions, RedisStore};
