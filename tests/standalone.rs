//! The tests that need no other program, by subject. They use the embedded store.

/// Turns each behaviour, an `async fn(StoreKind)`, into a module with a test on the embedded store.
macro_rules! each_store {
    ($($behaviour:ident,)*) => {
        $(mod $behaviour {
            #[tokio::test]
            async fn memory() {
                super::$behaviour(crate::common::store::StoreKind::Memory).await;
            }
        })*
    };
}

mod admin_plane {
    mod audit;
    mod audit_forgery;
    mod device_calls;
    mod device_imports;
    mod devices;
    mod imports;
    mod inputs;
    mod locks;
    mod nodes;
    mod oauth;
    pub mod oauth_calls;
    mod oauth_requests;
    mod refusals;
    mod related;
    mod request_ids;
    mod tokens;
}

mod console {
    mod serving;
}

mod documents {
    mod limits;
    mod peer_behaviours;
    mod references;
    mod snippets;
}

mod harness {
    mod load_generator;
}

mod lifecycle {
    mod cutoffs;
    mod support;
    mod takeovers;
}

mod listeners {
    mod answers;
    mod framing;
    mod slow_clients;
    mod smuggling;
}

mod metrics {
    mod listener;
}

mod packaging {
    mod build_context;
    mod unit;
}

mod process {
    mod cli;
    mod client {
        mod cutoffs;
        mod events;
        mod failures;
        mod imports;
        mod local;
        mod nodes;
        mod stats;
        mod support;
        mod tokens;
        mod users;
    }
    mod dependencies;
    mod outcome;
    mod service_manager;
    mod snapshots;
}

mod reload {
    mod api_keys;
    mod kinds;
    mod refused;
    mod support;
}

mod store {
    mod contract;
    mod near_cache;
    mod races;
}

mod traces {
    mod collector_faults;
    mod spans;
}

mod validation_plane {
    mod access_log;
    mod auth;
    mod cookies;
    mod cors;
    mod foreign;
    mod places;
    mod renewal;
    mod route_checks;
    mod routes;
    mod scopes;
    pub mod support;
    mod upgrade;
    mod upgrade_foreign;
}

mod axum_example;
mod common;
mod fuzz;

use common::server::Server;

/// Runs a test on the embedded store.
fn on_each_store(settings: &[(&str, &str)], test: impl Fn(&Server)) {
    test(&Server::start(settings));
}

/// Shows in the output of `cargo test` that it does not run all tests.
#[test]
#[ignore = "the tests that need Redis, proxies and other programs; scripts/test runs all"]
fn integration() {}
