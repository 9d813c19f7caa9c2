//! Traefik with `forwardAuth`.

use crate::common::proxies::traefik;
use crate::site::{Site, Ways};

/// Traefik asks with Go's default client and a time-out of 30 s, and has settings for neither: of the connections that
/// are idle it keeps two, and a silent Doorward is waited for.
const WAYS: Ways = Ways { gives_up: false, clients_at_once: 2, unreachable_status: 500, ..Ways::USUAL };

#[test]
fn traefik_passes_all_checks() {
    Site::start(WAYS, traefik::start).pass_all_checks();
}
