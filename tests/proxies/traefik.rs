//! Traefik with `forwardAuth`.

use std::thread;

use serde_json::json;

use super::site::{Site, Ways};
use crate::common::http::Client;
use crate::common::proxies::proxy::Between;
use crate::common::proxies::traefik;
use crate::common::relay::Relay;
use crate::common::server::{Server, bearer};
use crate::common::tls::Authority;
use crate::common::upstream::Upstream;

/// Traefik uses Go's default client with a timeout of 30 s, and neither is configurable: it keeps two idle connections
/// and waits for a silent Doorward.
pub const WAYS: Ways = Ways {
    gives_up: false,
    clients_at_once: 2,
    unreachable_status: 500,
    knows_refusals: false,
    ..Ways::USUAL
};

#[test]
fn traefik_passes_all_checks() {
    Site::start(WAYS, traefik::start).pass_all_checks();
}

#[test]
fn traefik_uses_one_tls_connection() {
    let authority = Authority::new();
    let identity = authority.issue("doorward");
    let server =
        Server::start(&[("DOORWARD_TLS_CERT", identity.cert()), ("DOORWARD_TLS_KEY", identity.key())]);
    let (relay, app) = (Relay::start(server.listen()), Upstream::start());
    let between = Between { doorward: relay.addr(), grpc: "", admin: "", app: &app.addr() };
    let proxy = traefik::start_tls(between, &authority.cert());
    app.take_requests();
    let authorization = bearer(&server.issue(json!({}))["token"]);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Client::new(&proxy.addr());
                for _ in 0..30 {
                    assert_eq!(client.get("/", &[]).status, 401, "{}", proxy.log());
                    assert_eq!(client.get("/", &[("Authorization", &authorization)]).status, 200);
                }
            });
        }
    });
    assert_eq!(app.requests().len(), 240);
    // Each of the first requests opens a connection before the client knows that the server speaks HTTP/2.
    let connections = relay.connections();
    assert!(connections <= 16, "{connections} connections for 480 checks");
}
