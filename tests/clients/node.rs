//! The Node client in clients/node: its own tests against this server, types included. scripts/setup installs the
//! frameworks.

use crate::common::program::npm_run;

const FOLDER: &str = "clients/node";

#[test]
fn the_tests_of_the_node_client_pass() {
    npm_run(FOLDER, "test");
}

#[test]
fn the_node_client_is_formatted() {
    npm_run(FOLDER, "lint");
}
