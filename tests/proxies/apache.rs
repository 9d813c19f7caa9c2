//! Apache httpd with mod_oauth2, which uses introspection.

use super::site::{Plane, Site, Ways};
use crate::common::proxies::apache;

const WAYS: Ways = Ways {
    asks: Plane::Admin,
    remembers: true,
    passes_retry_after: false,
    gives_up: false,
    unavailable_status: 401,
    unreachable_status: 401,
    keeps_connections: false,
    identity_headers: 3,
    has_optional: false,
    passes_challenge: false,
    passes_origin: false,
    ..Ways::USUAL
};

#[test]
fn apache_passes_all_checks_that_it_supports() {
    Site::start(WAYS, apache::start).pass_all_checks();
}
