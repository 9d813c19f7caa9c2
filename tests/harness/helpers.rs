//! Tests of the test support, and of the shipped Redis configuration on a real server.

use crate::common::cluster::{RedisCluster, node_id, slot_of};
use crate::common::http::Client;
use crate::common::redis::RedisServer;
use crate::common::upstream::{Reply, Upstream};

#[test]
fn the_http_client_reads_every_framing() {
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

    // Chunked, as nginx forwards it.
    let body = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(client.send(body).text(), "abc");
    let addr = server.addr();
    drop(server);
    assert!(Client::new(&addr).try_send("GET / HTTP/1.1\r\n\r\n").is_err());
}

#[test]
fn durable_redis_keeps_its_data_through_a_crash() {
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
fn redis_can_be_frozen_thawed_and_counts_commands() {
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

/// The sizes stated in config/redis.conf, on the installed server.
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
    assert_eq!(server.cli(&["PING"]), "PONG");
}

#[test]
fn valkey_runs_with_the_shipped_configuration() {
    let server = RedisServer::start_valkey();
    assert!(server.info("server", "valkey_version").starts_with("9."));
    assert_eq!(server.cli(&["CONFIG", "GET", "maxmemory-policy"]), "maxmemory-policy\nnoeviction");
}

#[test]
fn a_cluster_can_move_slots_and_add_masters() {
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
