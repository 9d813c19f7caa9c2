//! The tests that need servers and other programs: scripts/setup installs them, and a missing one fails its tests.
//!
//! `cargo test --test integration batch` runs those with `batch` in their path. Plain `cargo test` runs none of them;
//! scripts/test runs all.

/// Makes a module of each behaviour, an `async fn(StoreKind)`, with one test per store that needs a server. The embedded
/// store's turn is in tests/standalone.
macro_rules! each_store {
    ($($behaviour:ident,)*) => {
        $(mod $behaviour {
            each_store! { $behaviour:
                redis_tcp RedisTcp, redis_unix RedisUnix, valkey Valkey, valkey_8 Valkey8, cluster Cluster,
            }
        })*
    };
    ($behaviour:ident: $($store:ident $kind:ident,)*) => {
        $(#[tokio::test]
        async fn $store() {
            super::$behaviour(crate::common::store::StoreKind::$kind).await;
        })*
    };
}

mod admin_plane;
#[path = "../common/mod.rs"]
mod common;
mod documents;
mod harness;
mod library;
mod lifecycle;
mod listeners;
mod process;
mod proxies;
mod redis;
mod store;
mod validation_plane;
