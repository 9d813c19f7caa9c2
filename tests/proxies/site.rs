//! A proxy with Doorward, Redis and an application behind it.

use serde_json::Value;

use crate::common::collector::Collector;
use crate::common::http::{Client, Response};
use crate::common::proxies::proxy::{Between, Proxy};
use crate::common::redis::RedisServer;
use crate::common::relay::Relay;
use crate::common::server::{IDENTITY, Server, bearer};
use crate::common::upstream::{Recorded, Reply, Upstream};

/// Everything that a request passes through.
pub struct Site {
    pub redis: RedisServer,
    pub server: Server,
    /// A relay between the proxy and the listener that it asks.
    pub relay: Relay,
    pub app: Upstream,
    pub collector: Collector,
    pub proxy: Proxy,
    pub ways: Ways,
}

/// The listener that a proxy asks.
#[derive(Clone, Copy, Debug)]
pub enum Plane {
    Validation,
    Grpc,
    Admin,
}

/// Differences between proxies that no configuration can remove.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    pub asks: Plane,
    /// The proxy caches answers as configured, so a revocation shows later.
    pub remembers: bool,
    /// The client gets `Retry-After` while Doorward cannot ask its store.
    pub passes_retry_after: bool,
    /// The proxy times out when Doorward is silent for a few seconds.
    pub gives_up: bool,
    /// The status when Doorward cannot ask its store.
    pub unavailable_status: u16,
    /// The status when the proxy cannot reach Doorward.
    pub unreachable_status: u16,
    /// The number of concurrent clients up to which the proxy opens at most one connection per client to Doorward.
    pub clients_at_once: usize,
    pub keeps_connections: bool,
    /// How many of the identity headers, in order, the application gets.
    pub identity_headers: usize,
    /// The proxy has a route that admits everybody.
    pub has_optional: bool,
    /// The client gets Doorward's own challenge.
    pub passes_challenge: bool,
    /// Doorward sees the method, the origin and the trace.
    pub passes_origin: bool,
    /// The proxy distinguishes Doorward's 401 and 403 from the application's, and from each other by `X-Auth-Reason`.
    pub knows_refusals: bool,
}

/// A path that the application refuses with its own 401.
pub const REFUSED_BY_APP: &str = "/refused-by-the-application";

fn answer(request: &Recorded) -> Reply {
    match request.path.as_str() {
        REFUSED_BY_APP => Reply::new(401, &[("www-authenticate", "Basic")], ""),
        _ => Reply::echo(request),
    }
}

impl Ways {
    /// The behaviour of most proxies.
    pub const USUAL: Self = Self {
        asks: Plane::Validation,
        remembers: false,
        passes_retry_after: true,
        gives_up: true,
        unavailable_status: 503,
        unreachable_status: 503,
        clients_at_once: 4,
        keeps_connections: true,
        identity_headers: IDENTITY.len(),
        has_optional: true,
        passes_challenge: true,
        passes_origin: true,
        knows_refusals: true,
    };
}

impl Site {
    pub fn start(ways: Ways, start_proxy: impl FnOnce(Between) -> Proxy) -> Self {
        let (redis, collector) = (RedisServer::start(), Collector::start());
        let settings = [
            ("DOORWARD_GRPC_LISTEN", "127.0.0.1:0"),
            ("DOORWARD_CHECKS", "welcome:anonymous=true,staff:backend=ldap"),
            ("DOORWARD_RENEWAL_EXEMPT_HEADER", "X-Authorization-Renewal-Exempt"),
            ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1"),
            ("DOORWARD_COOKIE_CSRF_CHECK", "true"),
            ("DOORWARD_ALLOWED_ORIGINS", "https://front.example"),
            ("DOORWARD_OTLP_ENDPOINT", &collector.url()),
        ];
        let server = Server::on(&redis, &settings);
        let mut between = Between {
            doorward: server.listen(),
            grpc: server.grpc_listen(),
            admin: server.admin_listen(),
            app: "",
        };
        let asked = match ways.asks {
            Plane::Validation => &mut between.doorward,
            Plane::Grpc => &mut between.grpc,
            Plane::Admin => &mut between.admin,
        };
        let (relay, app) = (Relay::start(asked), Upstream::answering(answer));
        let app_addr = app.addr();
        (*asked, between.app) = (relay.addr(), &app_addr);
        let proxy = start_proxy(between);
        app.take_requests();
        Self { redis, server, relay, app, collector, proxy, ways }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.proxy.addr())
    }

    /// Sends one request on its own connection with a token in the header.
    pub fn get(&self, path: &str, token: &Value) -> Response {
        self.client().get(path, &[("Authorization", &bearer(token))])
    }

    /// Returns the identity that the application got. Every header must be there exactly once; those that this proxy
    /// does not forward must be absent, and are returned empty.
    pub fn identity<'a>(&self, request: &'a Recorded) -> [&'a str; 9] {
        let silent = &IDENTITY[self.ways.identity_headers..];
        IDENTITY.map(|name| {
            let same = |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
            let values: Vec<_> =
                request.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect();
            match values[..] {
                [value] if !silent.contains(&name) => value,
                [] if silent.contains(&name) => "",
                _ => panic!("{name}: {values:?} in {request:?}"),
            }
        })
    }

    /// Asserts a refusal with the challenge of RFC 6750 and without identity headers.
    pub fn assert_denied(&self, response: &Response, is_token_bad: bool) {
        assert_eq!(response.status, 401, "{response:?}");
        let challenge = response.header("www-authenticate").unwrap_or_default();
        let own = if is_token_bad {
            r#"Bearer realm="doorward", error="invalid_token""#
        } else {
            r#"Bearer realm="doorward""#
        };
        if self.ways.passes_challenge {
            assert_eq!(challenge, own, "{response:?}");
        } else {
            assert!(challenge.starts_with("Bearer ") && challenge.contains('='), "{response:?}");
        }
        assert_no_identity_shown(response);
    }
}

/// Asserts that the application got no identity.
pub fn assert_no_identity_sent(request: &Recorded) {
    let tells = |(name, _): &(String, String)| name.to_ascii_lowercase().contains("auth-");
    assert!(!request.headers.iter().any(tells), "{request:?}");
}

/// Asserts that the answer contains no identity headers.
pub fn assert_no_identity_shown(response: &Response) {
    let tells = |(name, _): &(String, String)| name.to_ascii_lowercase().starts_with("x-auth");
    assert!(!response.headers.iter().any(tells), "{response:?}");
}
