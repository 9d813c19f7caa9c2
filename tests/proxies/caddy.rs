//! Caddy with `forward_auth`.

use super::site::{Site, Ways};
use crate::common::proxies::caddy;

pub const WAYS: Ways = Ways { unreachable_status: 502, ..Ways::USUAL };

#[test]
fn caddy_2_6_passes_all_checks() {
    Site::start(WAYS, caddy::start_2_6).pass_all_checks();
}

#[test]
fn caddy_2_11_passes_all_checks() {
    Site::start(WAYS, caddy::start_2_11).pass_all_checks();
}
