//! The tests that need Redis, reverse proxies or other programs, by subject. scripts/setup installs the programs; tests
//! fail if their program is missing.
//!
//! scripts/test runs all of them; plain `cargo test` runs tests/standalone.rs only. `cargo test --test integration
//! batch` runs the tests with `batch` in their path. Files that both programs list run on the embedded store there and
//! on Redis here; all their tests must use the store.

/// Turns each behaviour, an `async fn(StoreKind)`, into a module with one test per store that needs a server.
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

/// The admin plane: `/v1/…`, the OAuth endpoints and the OpenAPI document.
mod admin_plane {
    mod audit_reuse;
    mod bad_fields;
    mod device_calls;
    mod device_imports;
    mod devices;
    mod feed;
    mod idempotency;
    mod imports;
    mod live_tokens;
    mod locks;
    mod login_tokens;
    mod nodes;
    mod oauth;
    pub mod oauth_calls;
    mod oauth_clients;
    mod oauth_outage;
    mod openapi;
    mod openapi_clients;
    mod related;
    mod tokens;
    mod users;
}

/// Clients of other languages, in clients/.
mod clients {
    mod node;
    mod python;
}

/// The console in Chromium.
mod console {
    mod browser;
}

/// The examples in the documents.
mod documents {
    mod sessions;
}

/// Tests of the test support.
mod harness {
    mod helpers;
}

/// The lifecycle of tokens over HTTP.
mod lifecycle {
    mod cutoffs;
    mod rotation;
    mod support;
    mod takeovers;
    mod token_keys;
}

/// Connections to both planes, and their limits.
mod listeners {
    mod answers;
    mod bounds;
    mod http2;
    mod random_requests;
    mod smuggling;
    mod tls;
}

/// Prometheus: what it scrapes, the alert rules, the dashboard.
mod metrics {
    mod outage;
    mod prometheus;
    mod rules;
}

/// Moves from other systems: real packages and their tokens.
mod migration {
    mod devices;
    mod former;
    mod importing;
    mod proxy;
    mod sources;
    mod switch;
    mod traffic;
}

/// What packaging/ has for Kubernetes and systemd, compared by the programs that read it.
mod packaging {
    mod chart;
    #[cfg(target_os = "linux")]
    mod systemd;
}

/// The program: health check, signals and secrecy of its log.
mod process {
    mod client {
        mod tls;
    }
    mod healthcheck;
    pub mod outcome;
    mod secrecy;
    mod shutdown;
}

/// The store alone: one contract for all variants, random histories, races, and the specifics of Redis.
mod reload {
    mod certificates;
    mod rotation;
    mod support;
}

mod store {
    mod contract;
    mod model;
    mod races;
    mod redis;
}

/// Spans, and the calls to Redis below them.
mod traces {
    mod redis;
}

/// The validation plane.
mod validation_plane {
    mod auth;
    mod batch;
    mod credentials;
    mod fast_path;
    mod foreign;
    pub mod grpc;
    mod places;
    mod renewal;
    mod route_checks;
    mod scopes;
    mod support;
    mod upgrade;
    mod upgrade_foreign;
}

mod common;
mod library;
mod proxies;
mod redis;

use common::redis::RedisServer;
use common::server::Server;

/// Runs a test on its own Redis.
fn on_each_store(settings: &[(&str, &str)], test: impl Fn(&Server)) {
    test(&Server::on(&RedisServer::start(), settings));
}
