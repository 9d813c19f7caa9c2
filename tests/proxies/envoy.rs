//! Envoy with `ext_authz`.

use super::site::{Plane, Site, Ways};
use crate::common::proxies::envoy;

#[test]
fn envoy_over_http_passes_all_checks() {
    Site::start(Ways::USUAL, envoy::start_http).pass_all_checks();
}

#[test]
fn envoy_over_grpc_passes_all_checks() {
    Site::start(Ways { asks: Plane::Grpc, ..Ways::USUAL }, envoy::start_grpc).pass_all_checks();
}
