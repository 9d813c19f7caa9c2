//! The whole chain: a client, nginx as shipped, Doorward, Redis, and an application behind them.

mod common;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::http::{Client, Response};
use common::nginx::Nginx;
use common::process::{free_listener, wait_for};
use common::redis::RedisServer;
use common::server::{IDENTITY, Server, bearer, cookie, text};
use common::upstream::Upstream;
use serde_json::{Value, json};

struct Site {
    redis: RedisServer,
    server: Server,
    app: Upstream,
    nginx: Nginx,
}

impl Site {
    fn start() -> Self {
        let redis = RedisServer::start();
        let server = Server::on(&redis, &[]);
        let app = Upstream::start();
        let nginx = Nginx::start_shipped(server.listen(), &app.addr());
        Self { redis, server, app, nginx }
    }

    fn client(&self) -> Client {
        Client::new(&self.nginx.addr())
    }

    fn get(&self, path: &str, token: &Value) -> Response {
        self.client().get(path, &[("Authorization", &bearer(token))])
    }
}

#[test]
fn the_application_learns_who_is_there() {
    let site = Site::start();
    let issued = site.server.issue(json!({"user": "zoë 100%", "auth_slug": "web", "backend": "ldap"}));
    for (name, value) in [("Authorization", bearer(&issued["token"])), ("Cookie", cookie(&issued["token"]))] {
        let body = json!({"note": "kept"});
        let response = site.client().request("POST", "/orders?page=2", &[(name, &value)], Some(&body));
        assert_eq!(response.status, 200, "{}{}", site.nginx.log(), site.server.log());
        let [request] = &site.app.take_requests()[..] else { panic!("one request") };
        assert_eq!(
            (request.path.as_str(), &request.body),
            ("/orders?page=2", &body.to_string().into_bytes())
        );
        let expected = ["zo%C3%AB%20100%25", "zo%C3%AB%20100%25", text(&issued["id"]), "web", "ldap", "-"];
        for (name, value) in IDENTITY.iter().zip(expected) {
            assert_eq!(request.header(name), Some(value), "{name}");
        }
        let expires_in: u32 = request.header("x-auth-expires-in").unwrap().parse().unwrap();
        assert!((3_000..=3_600).contains(&expires_in), "{expires_in}");
    }
}

#[test]
fn who_has_no_valid_token_never_reaches_the_application() {
    let site = Site::start();
    let issued = site.server.issue(json!({}));
    let response = site.client().get("/", &[]);
    assert_eq!(response.status, 401);
    assert_eq!(response.header("www-authenticate"), Some(r#"Bearer realm="doorward""#));
    let forged = site.client().get("/", &[("Authorization", "Bearer dw_x"), ("X-Auth-User", "root")]);
    assert_eq!(forged.status, 401);
    let challenge = r#"Bearer realm="doorward", error="invalid_token""#;
    assert_eq!(forged.header("www-authenticate"), Some(challenge));
    assert!(site.app.requests().is_empty());

    assert_eq!(site.get("/", &issued["token"]).status, 200);
    site.server.end(&issued["id"]);
    assert_eq!(site.get("/", &issued["token"]).status, 401, "ended: refused on the next request");
    assert_eq!(site.app.requests().len(), 1);
}

#[test]
fn forged_identity_headers_never_reach_the_application() {
    let site = Site::start();
    let issued = site.server.issue(json!({}));
    let authorization = bearer(&issued["token"]);
    let spellings = |name: &str| {
        let underscored = name.replace('-', "_");
        [name.to_owned(), name.to_lowercase(), name.to_uppercase(), underscored.to_lowercase(), underscored]
    };
    let forged: Vec<String> = IDENTITY.iter().flat_map(|name| spellings(name)).collect();
    let mut headers: Vec<_> = forged.iter().map(|name| (name.as_str(), "forged")).collect();
    headers.push(("Authorization", &authorization));
    for path in ["/", "/public/"] {
        assert_eq!(site.client().get(path, &headers).status, 200);
    }
    for request in site.app.requests() {
        assert!(!format!("{:?}", request.headers).contains("forged"), "{request:?}");
        let user = if request.path == "/" { Some("alice") } else { None };
        assert_eq!(request.header("x-auth-user"), user);
    }
}

/// A relay to `to` that counts its connections.
fn counting_relay(to: &str) -> (String, Arc<AtomicUsize>) {
    let (listener, count, to) = (free_listener(), Arc::new(AtomicUsize::new(0)), to.to_owned());
    let (addr, counted) = (listener.local_addr().unwrap().to_string(), count.clone());
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::Relaxed);
            let far = TcpStream::connect(&to).unwrap();
            pump(near.try_clone().unwrap(), far.try_clone().unwrap());
            pump(far, near);
        }
    });
    (addr, count)
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    to.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[test]
fn many_checks_go_over_few_connections() {
    let (server, app) = (Server::start(&[]), Upstream::start());
    let (relay, connections) = counting_relay(server.listen());
    let nginx = Nginx::start_shipped(&relay, &app.addr());
    let good = bearer(&server.issue(json!({}))["token"]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::new(&nginx.addr());
                for number in 0..50 {
                    let headers: &[_] = if number % 5 == 0 { &[] } else { &[("Authorization", &*good)] };
                    let body = (number % 7 == 0).then(|| json!({"some": "body"}));
                    let response = client.request("POST", "/", headers, body.as_ref());
                    assert_eq!(response.status, if headers.is_empty() { 401 } else { 200 });
                }
            });
        }
    });
    let connections = connections.load(Ordering::Relaxed);
    assert!((1..=4).contains(&connections), "200 checks over {connections} connections");
}

#[test]
fn a_browser_logs_out_through_nginx() {
    let site = Site::start();
    let issued = site.server.issue(json!({}));
    let cookie = cookie(&issued["token"]);
    let host = ("Host", "shop.example");
    let session = site.client().get("/session", &[host, ("Cookie", &cookie)]);
    assert_eq!((session.status, &session.json()["id"]), (200, &issued["id"]));
    let foreign = [host, ("Cookie", &cookie), ("Origin", "https://evil.example")];
    assert_eq!(site.client().request("POST", "/logout", &foreign, None).status, 403);
    let own =
        [host, ("Cookie", &cookie), ("Origin", "https://shop.example"), ("Sec-Fetch-Site", "same-origin")];
    let response = site.client().request("POST", "/logout", &own, None);
    assert_eq!((response.status, response.json()), (200, json!({"ended": "token"})));
    assert!(response.header("set-cookie").unwrap().starts_with("doorward=;"));
    assert_eq!(site.client().get("/", &[host, ("Cookie", &cookie)]).status, 401);
    assert!(site.app.requests().is_empty());
}

#[test]
fn an_outage_is_a_503_and_never_reaches_the_application() {
    let mut site = Site::start();
    let token = site.server.issue(json!({}))["token"].clone();
    assert_eq!(site.get("/", &token).status, 200);
    assert_eq!(site.app.take_requests().len(), 1);
    site.redis.kill();
    // What was known may pass until the loss is noticed; from then on nothing does.
    let response = wait_for("the outage shows", || Some(site.get("/", &token)).filter(|r| r.status != 200));
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    site.app.take_requests();
    for _ in 0..20 {
        assert_eq!(site.get("/", &token).status, 503);
    }
    assert_eq!(site.client().get("/public/", &[]).status, 200, "what is public needs no Doorward");
    site.server.kill9();
    let response = site.get("/", &token);
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    assert_eq!(site.app.requests().len(), 1, "only the public page");
}
