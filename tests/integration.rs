//! The tests that need Redis, reverse proxies or other programs, by subject. scripts/setup installs the programs; a missing
//! one fails its tests.
//!
//! scripts/test runs all of them; plain `cargo test` runs tests/standalone.rs only. `cargo test --test integration batch`
//! runs those with `batch` in their path. A file that both list runs on the embedded store there, and on Redis here.

/// Makes a module of each behaviour, an `async fn(StoreKind)`, with one test per store that needs a server.
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

/// The plane that login services call: `/v1/…`, the OAuth endpoints, and the OpenAPI document.
mod admin_plane {
    mod bad_fields;
    mod device_calls;
    mod devices;
    mod feed;
    mod login_tokens;
    mod oauth;
    mod oauth_calls;
    mod oauth_clients;
    mod oauth_outage;
    mod openapi;
    mod related;
    mod tokens;
}

/// What the documents show, done.
mod documents {
    mod sessions;
}

/// The helpers of the tests, tried on themselves.
mod harness {
    mod helpers;
}

/// A token's life as callers see it.
mod lifecycle {
    mod rotation;
    mod support;
    mod takeovers;
    mod token_keys;
}

/// Connections to either plane, and what one client may hold.
mod listeners {
    mod answers;
    mod bounds;
    mod http2;
    mod random_requests;
    mod smuggling;
    mod tls;
}

/// The program: its signals, and what its log must not show.
mod process {
    mod healthcheck;
    mod outcome;
    mod secrecy;
    mod shutdown;
}

/// The store by itself: one contract for all variants, random histories, races, and what is particular to Redis.
mod store {
    mod contract;
    mod model;
    mod races;
    mod redis;
}

/// The plane that reverse proxies ask.
mod validation_plane {
    mod auth;
    mod batch;
    mod credentials;
    mod fast_path;
    mod grpc;
    mod renewal;
    mod route_checks;
    mod support;
}

mod common;
mod library;
mod proxies;
mod redis;

use common::redis::RedisServer;
use common::server::Server;

/// Runs a test on a Redis of its own.
fn on_each_store(settings: &[(&str, &str)], test: impl Fn(&Server)) {
    test(&Server::on(&RedisServer::start(), settings));
}
