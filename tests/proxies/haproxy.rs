//! HAProxy with a Lua action.

use crate::common::proxies::haproxy;
use crate::site::{Site, Ways};

#[test]
fn haproxy_passes_all_checks() {
    Site::start(Ways::USUAL, haproxy::start).pass_all_checks();
}
