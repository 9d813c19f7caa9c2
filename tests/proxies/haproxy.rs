//! HAProxy with a Lua action.

use super::site::{Site, Ways};
use crate::common::proxies::haproxy;

#[test]
fn haproxy_passes_all_checks() {
    Site::start(Ways::USUAL, haproxy::start).pass_all_checks();
}
