//! The test support tried on itself, and the shipped nginx and Redis configurations on real servers.

mod common;

use common::cluster::{RedisCluster, node_id, slot_of};
use common::http::Client;
use common::nginx::{Nginx, compose_config};
use common::redis::RedisServer;
use common::upstream::{Reply, Upstream};

const IDENTITY: [(&str, &str); 7] = [
    ("X-Auth-User", "alice"),
    ("X-Auth-Actor", "root"),
    ("X-Auth-Token-Id", "jE1hGDDTZBpo-Upp"),
    ("X-Auth-Slug", "web"),
    ("X-Auth-Backend", "-"),
    ("X-Auth-Device", "-"),
    ("X-Auth-Expires-In", "3600"),
];

const GOOD: (&str, &str) = ("Authorization", "Bearer good");

/// Answers as Doorward's validation plane does: 200 for the token `good`, 503 for `unsure`, 401 for others.
fn doorward_stub() -> Upstream {
    Upstream::answering(|request| match request.header("authorization") {
        _ if request.path == "/logout" => Reply::new(200, &[], r#"{"ended":"token"}"#),
        Some("Bearer good") => Reply::new(200, &IDENTITY, ""),
        Some("Bearer unsure") => Reply::new(503, &[("Retry-After", "1")], ""),
        _ => Reply::new(401, &[("WWW-Authenticate", r#"Bearer realm="doorward""#)], ""),
    })
}

/// A site as shipped, in front of an upstream that echoes.
struct Site {
    doorward: Upstream,
    app: Upstream,
    nginx: Nginx,
}

impl Site {
    fn start() -> Self {
        let (doorward, app) = (doorward_stub(), Upstream::start());
        let nginx = Nginx::start_shipped(&doorward.addr(), &app.addr());
        Self { doorward, app, nginx }
    }

    fn client(&self) -> Client {
        Client::new(&self.nginx.addr())
    }
}

#[test]
fn nginx_lets_a_good_token_through_with_its_identity() {
    let site = Site::start();
    let body = serde_json::json!({"text": "hello"});
    let response = site.client().request("POST", "/a/../b?c=d", &[GOOD], Some(&body));
    assert_eq!(response.status, 200, "{}", site.nginx.log());

    let [request] = &site.app.requests()[..] else { panic!("one request: {:?}", site.app.requests()) };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/a/../b?c=d"));
    assert_eq!(request.body, body.to_string().as_bytes());
    for (name, value) in IDENTITY {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    let [asked] = &site.doorward.requests()[..] else { panic!("asked once: {:?}", site.doorward.requests()) };
    assert_eq!((asked.method.as_str(), asked.path.as_str(), asked.body.len()), ("GET", "/auth", 0));
    assert_eq!(asked.header("content-length"), None);
}

#[test]
fn nginx_turns_away_without_a_token() {
    let site = Site::start();
    let response = site.client().get("/", &[]);
    assert_eq!(response.status, 401);
    assert_eq!(response.header("www-authenticate"), Some(r#"Bearer realm="doorward""#));
    assert!(site.app.requests().is_empty());
    assert_eq!(site.client().get("/_doorward_auth", &[GOOD]).status, 404, "not for clients");
}

#[test]
fn nginx_passes_no_forged_header_to_the_application() {
    let site = Site::start();
    let names = IDENTITY.map(|(name, _)| name);
    let spellings = |name: &str| {
        [
            name.to_owned(),
            name.to_lowercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
            name.to_uppercase(),
        ]
    };
    let forwarded = ["For", "Host", "Proto", "Port", "Uri", "Method", "Prefix", "Server"];
    let forged: Vec<String> = names
        .into_iter()
        .flat_map(spellings)
        .chain(forwarded.map(|name| format!("X-Forwarded-{name}")))
        .chain(["Forwarded", "X-Real-IP"].map(str::to_owned))
        .collect();
    let mut headers: Vec<(&str, &str)> = forged.iter().map(|name| (name.as_str(), "forged")).collect();
    headers.push(GOOD);

    for path in ["/", "/public/"] {
        assert_eq!(site.client().get(path, &headers).status, 200);
    }
    let requests = site.app.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert!(!format!("{:?}", request.headers).contains("forged"), "{request:?}");
        assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"));
    }
    let asked = site.doorward.requests();
    assert_eq!(asked.len(), 1, "the public page asks nothing");
    assert_eq!(asked[0].header("x-forwarded-for"), Some("127.0.0.1"));

    for (name, value) in IDENTITY {
        assert_eq!(requests[0].header(name), Some(value), "{name}");
        assert_eq!(requests[1].header(name), None, "{name}");
    }
    assert!(!site.nginx.log().contains("[warn]"), "{}", site.nginx.log());
}

#[test]
fn nginx_says_try_again_when_doorward_cannot_tell() {
    let mut site = Site::start();
    let unsure = [("Authorization", "Bearer unsure")];
    let response = site.client().get("/", &unsure);
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));

    // Nobody listens there any more.
    site.doorward = doorward_stub();
    let response = site.client().get("/", &[GOOD]);
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    assert!(site.app.requests().is_empty());
}

#[test]
fn nginx_leaves_the_applications_own_errors_alone() {
    let doorward = doorward_stub();
    let app = Upstream::answering(|_| Reply::new(500, &[], "my own"));
    let nginx = Nginx::start_shipped(&doorward.addr(), &app.addr());
    let response = Client::new(&nginx.addr()).get("/", &[GOOD]);
    assert_eq!((response.status, response.text().as_str()), (500, "my own"));
}

#[test]
fn nginx_hands_logout_and_session_to_doorward() {
    let site = Site::start();
    let response = site.client().request(
        "POST",
        "/logout",
        &[("Cookie", "doorward=x"), ("Host", "a.example:8000")],
        None,
    );
    assert_eq!((response.status, response.text().as_str()), (200, r#"{"ended":"token"}"#));
    assert_eq!(site.client().get("/session", &[]).status, 401);
    let asked = site.doorward.requests();
    assert_eq!(
        asked.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(),
        ["/logout", "/session"]
    );
    assert_eq!(asked[0].header("cookie"), Some("doorward=x"));
    assert_eq!(asked[0].header("host"), Some("a.example:8000"));
    assert!(site.app.requests().is_empty());
}

#[test]
fn nginx_keeps_its_connections_to_doorward_and_the_application() {
    let site = Site::start();
    let mut client = site.client();
    for status in [200, 401, 200, 200, 401, 200] {
        let headers: &[_] = if status == 200 { &[GOOD] } else { &[] };
        assert_eq!(client.get("/", headers).status, status);
    }
    assert_eq!((client.connections(), site.doorward.connections(), site.app.connections()), (1, 1, 1));
}

#[test]
fn nginx_asks_the_next_node_when_one_cannot_tell() {
    let (good, app) = (doorward_stub(), Upstream::start());
    let unsure = Upstream::answering(|_| Reply::new(503, &[("Retry-After", "1")], ""));
    let gone = Upstream::start().addr();
    for bad in [&unsure.addr(), &gone] {
        let nginx = Nginx::start(|port| compose_config(port, [bad, &good.addr()], &app.addr()));
        let mut client = Client::new(&nginx.addr());
        for _ in 0..4 {
            assert_eq!(client.get("/", &[GOOD]).status, 200, "{}", nginx.log());
        }
    }
    assert!(!unsure.requests().is_empty());
}

#[test]
fn the_client_reads_what_servers_write() {
    let server = Upstream::answering(|request| match request.path.as_str() {
        "/empty" => Reply::new(204, &[], ""),
        "/close" => Reply::new(200, &[("connection", "close")], "bye"),
        "/two" => Reply::new(200, &[("x-a", "1"), ("x-a", "2")], "two"),
        _ => Reply::new(200, &[], request.body.clone()),
    });
    let mut client = Client::new(&server.addr());
    assert_eq!(client.send("HEAD /two HTTP/1.1\r\nHost: a\r\n\r\n").body, b"");
    assert_eq!(client.get("/two", &[]).header_values("X-A"), ["1", "2"]);
    assert_eq!(client.get("/empty", &[]).status, 204);
    client.write("GET /two HTTP/1.1\r\nHost: a\r\n\r\nGET /empty HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let pipelined =
        [client.read_response(false).unwrap().status, client.read_response(false).unwrap().status];
    assert_eq!(pipelined, [200, 204]);
    assert_eq!((client.connections(), server.connections()), (1, 1));

    assert_eq!(client.get("/close", &[]).text(), "bye");
    assert_eq!(client.send(b"\xff\x00 nonsense\r\n\r\n").status, 400);
    assert_eq!(client.connections(), 2);

    // Chunked, as nginx passes it on.
    let body = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(client.send(body).text(), "abc");
    let addr = server.addr();
    drop(server);
    assert!(Client::new(&addr).try_send("GET / HTTP/1.1\r\n\r\n").is_err());
}

#[test]
fn redis_keeps_its_data_through_a_crash_when_durable() {
    let mut durable = RedisServer::start_durable();
    let mut forgetful = RedisServer::start();
    for server in [&durable, &forgetful] {
        server.cli(&["SET", "dw:t:{abcd}:x", "1"]);
    }
    for server in [&mut durable, &mut forgetful] {
        let url = server.url();
        server.kill();
        server.restart();
        assert_eq!(server.url(), url);
    }
    assert_eq!(durable.keys(), ["dw:t:{abcd}:x"]);
    assert!(forgetful.keys().is_empty());
}

#[test]
fn redis_freezes_thaws_and_counts() {
    let server = RedisServer::start();
    assert_eq!(server.commands_during(|| ()), 0);
    let set = || drop(server.cli(&["SET", "a", "1"]));
    let set_alone = server.commands_during(set);
    assert_eq!(server.commands_during(|| [(); 3].iter().for_each(|()| set())), 3 * set_alone);

    server.freeze();
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| server.cli(&["GET", "a"]));
        assert!(!asked.is_finished());
        server.thaw();
        asked.join().unwrap()
    });
    assert_eq!(asked, "1");
}

/// What config/redis.conf says about sizes, on the server that is installed.
#[test]
fn redis_holds_a_token_and_an_index_compactly() {
    let server = RedisServer::start();
    let user_agent = "u".repeat(256);
    let user = "n".repeat(256);
    server.cli(&["HSET", "token", "user", &user, "user_agent", &user_agent]);
    assert_eq!(server.cli(&["OBJECT", "ENCODING", "token"]), "listpack");
    for member in 0..128 {
        server.cli(&["ZADD", "index", "1700000000000", &format!("e{member:014}")]);
    }
    assert_eq!(server.cli(&["OBJECT", "ENCODING", "index"]), "listpack");
    assert_eq!(server.cli(&["CONFIG", "GET", "maxmemory-policy"]), "maxmemory-policy\nnoeviction");
    assert_eq!(server.cli(&["-s", &server.socket().display().to_string(), "PING"]), "PONG");
}

#[test]
fn valkey_runs_with_the_shipped_configuration() {
    let server = RedisServer::start_valkey();
    assert!(server.info("server", "valkey_version").starts_with("9."));
    assert_eq!(server.cli(&["CONFIG", "GET", "maxmemory-policy"]), "maxmemory-policy\nnoeviction");
}

#[test]
fn a_cluster_moves_its_slots_and_takes_new_masters() {
    let mut cluster = RedisCluster::start();
    let slot = slot_of(&cluster.masters[0], "dw:t:{8c4d}:x");
    let owner = usize::from(slot) * 3 / 16_384;
    cluster.masters[owner].cli(&["SET", "dw:t:{8c4d}:x", "1"]);
    cluster.add_master(&[]);
    cluster.move_slot(slot, owner, 3, || ());
    assert_eq!(cluster.masters[3].keys(), ["dw:t:{8c4d}:x"]);
    assert!(cluster.masters[owner].keys().is_empty());
}

#[test]
fn a_cluster_has_replicas() {
    let cluster = RedisCluster::with(3, true, &["--cluster-node-timeout", "60000"]);
    for (master, replica) in cluster.masters.iter().zip(&cluster.replicas) {
        assert!(
            replica
                .cli(&["CLUSTER", "NODES"])
                .lines()
                .any(|line| { line.contains("myself,slave") && line.contains(&node_id(master)) })
        );
    }
}
