//! The steps of docs/rotation.md, one test for each kind of key or certificate.

use std::fs;

use serde_json::{Value, json};

use super::support::{Files, api_key, issue_with, reload_well};
use crate::common::http::Client;
use crate::common::process::wait_for;
use crate::common::recovery::{await_passes, await_ready, ready};
use crate::common::redis::RedisServer;
use crate::common::server::{ADMIN_KEY, Server, assert_invalid_token, assert_no_token, identity};
use crate::common::tls::{Authority, Identity};

const OLD: &str = "old-key-of-the-rotation-tests-0123456789";
const NEW: &str = "new-key-of-the-rotation-tests-0123456789";
const HTTP_1: [&str; 1] = ["http/1.1"];

/// Starts two nodes on the same Redis, each with its own copy of the files.
fn two_nodes(redis: &RedisServer, toml: &str, more: &[(&str, &str)]) -> [(Files, Server); 2] {
    [(); 2].map(|()| {
        let files = Files::new(toml);
        let url = redis.url();
        let server = files.start(&[&[("DOORWARD_REDIS_URL", &*url)], more].concat());
        (files, server)
    })
}

#[test]
fn an_api_key() {
    let redis = RedisServer::start();
    let toml = |keys: &[String]| format!("api-keys = {keys:?}\n");
    let (old, new) = (api_key("login-2026", "tokens", OLD), api_key("login-2027", "tokens", NEW));
    let mut nodes = two_nodes(&redis, &toml(std::slice::from_ref(&old)), &[]);
    let last_uses = |server: &Server| {
        let status = server.call("GET", "/v1/status", None).json();
        let keys = status["api_keys"].as_array().unwrap().clone();
        let uses = keys.iter().filter(|key| key["name"] != "admin").map(|key| key["last_used_at"].clone());
        uses.collect::<Vec<_>>()
    };
    // 1. Add the new key, reload each node.
    for (files, server) in &mut nodes {
        assert_eq!(issue_with(server, OLD).status, 201);
        files.write("doorward.toml", &toml(&[old.clone(), new.clone()]));
        reload_well(server);
        assert_eq!(last_uses(server)[1], Value::Null);
    }
    // 2. Move the callers.
    for (_, server) in &nodes {
        assert_eq!((issue_with(server, OLD).status, issue_with(server, NEW).status), (201, 201));
    }
    // 3. The old key's last use stands still, the new key's moves.
    for (_, server) in &nodes {
        let before = last_uses(server);
        wait_for("a later use", || {
            assert_eq!(issue_with(server, NEW).status, 201);
            let after = last_uses(server);
            assert_eq!(after[0], before[0]);
            (after[1].as_str() > before[1].as_str()).then_some(())
        });
    }
    // 4. Remove the old key, reload each node.
    for (files, server) in &mut nodes {
        files.write("doorward.toml", &toml(std::slice::from_ref(&new)));
        reload_well(server);
        assert_eq!((issue_with(server, OLD).status, issue_with(server, NEW).status), (401, 201));
    }
}

#[test]
fn a_token_key() {
    let redis = RedisServer::start();
    let mut nodes = two_nodes(&redis, &format!("token-keys = [{OLD:?}]\n"), &[]);
    // No shared key that would verify, too.
    assert_eq!(redis.cli(&["EXISTS", "dw:m:check-key"]).trim(), "0");
    let mut tokens: Vec<_> =
        nodes.iter().map(|(_, server)| server.issue(json!({}))["token"].clone()).collect();
    let old_tokens = tokens.clone();
    // 1. Append the new key on each node. 2. Then move it to the front on each node.
    for keys in [[OLD, NEW], [NEW, OLD]] {
        for at in 0..nodes.len() {
            let (files, server) = &mut nodes[at];
            files.write("doorward.toml", &format!("token-keys = {keys:?}\n"));
            reload_well(server);
            tokens.extend(nodes.iter().map(|(_, server)| server.issue(json!({}))["token"].clone()));
            for (_, server) in &nodes {
                // Twice: the second time from the near cache.
                for token in tokens.iter().chain(&tokens) {
                    assert_eq!(identity(&server.auth(token))[0], "alice", "{keys:?} on node {at}");
                }
            }
        }
    }
    let new_token = tokens.last().unwrap();
    // 3. Remove the old key on each node. Its tokens are refused from then on, the cached ones, too.
    for (files, server) in &mut nodes {
        files.write("doorward.toml", &format!("token-keys = [{NEW:?}]\n"));
        reload_well(server);
        for token in &old_tokens {
            assert_invalid_token(&server.auth(token));
        }
        identity(&server.auth(new_token));
    }
}

#[test]
fn a_tls_certificate() {
    let authority = Authority::new();
    let (files, renewed) = (authority.issue("server"), authority.issue("renewed"));
    let settings = [("DOORWARD_TLS_CERT", files.cert()), ("DOORWARD_TLS_KEY", files.key())];
    let mut server = Server::start(&settings);
    let mut open = Client::over(authority.connect(server.listen(), None, &HTTP_1).unwrap());
    // 1. Replace both files. 2. Reload.
    files.replace_with(&renewed);
    reload_well(&mut server);
    let stream = authority.connect(server.listen(), None, &HTTP_1).unwrap();
    assert_eq!(stream.conn.peer_certificates().unwrap()[0], renewed.der());
    assert_no_token(&open.get("/auth", &[]));
}

#[test]
fn the_authority_of_admin_clients() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let identity_files = authority.issue("server");
    let bundle = authority.path("clients.pem");
    fs::copy(old.cert(), &bundle).unwrap();
    let settings = [
        ("DOORWARD_ADMIN_TLS_CERT", identity_files.cert()),
        ("DOORWARD_ADMIN_TLS_KEY", identity_files.key()),
        ("DOORWARD_ADMIN_CLIENT_CA", bundle.to_str().unwrap()),
    ];
    let mut server = Server::start(&settings);
    let (old_client, new_client) = (old.issue("client"), new.issue("client"));
    let passes = |server: &Server, client: &Identity| {
        authority
            .connect(server.admin_listen(), Some(client), &HTTP_1)
            .and_then(|stream| Client::over(stream).try_send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"))
            .is_ok_and(|response| response.status == 200)
    };
    assert_eq!((passes(&server, &old_client), passes(&server, &new_client)), (true, false));
    // 1. Append the new authority, reload. 2. Move the clients.
    let both = [fs::read_to_string(old.cert()).unwrap(), fs::read_to_string(new.cert()).unwrap()].concat();
    fs::write(&bundle, both).unwrap();
    reload_well(&mut server);
    assert_eq!((passes(&server, &old_client), passes(&server, &new_client)), (true, true));
    // 3. Remove the old authority, reload.
    fs::copy(new.cert(), &bundle).unwrap();
    reload_well(&mut server);
    assert_eq!((passes(&server, &old_client), passes(&server, &new_client)), (false, true));
}

#[test]
fn the_redis_password() {
    let redis = RedisServer::start();
    redis.cli(&["ACL", "SETUSER", "doorward", "on", &format!(">{OLD}"), "~*", "&*", "+@all"]);
    let start = |files: &Files| {
        let path = files.path("redis-url");
        files.start(&[("DOORWARD_REDIS_URL_FILE", path.to_str().unwrap())])
    };
    let write = |files: &Files, password: &str| {
        files.write("redis-url", &format!("redis://doorward:{password}@127.0.0.1:{}", redis.port()));
    };
    let mut nodes = [(); 2].map(|()| {
        let files = Files::new("# all settings are variables\n");
        write(&files, OLD);
        let server = start(&files);
        (files, server)
    });
    let token = nodes[0].1.issue(json!({}));
    let assert_works = |server: &Server| {
        assert_eq!(ready(server), 200, "{}", server.log());
        assert_eq!(identity(&server.auth(&token["token"]))[0], "alice");
        server.issue(json!({"user": "bob"}));
    };
    // 1. Redis accepts both passwords.
    redis.cli(&["ACL", "SETUSER", "doorward", &format!(">{NEW}")]);
    nodes.iter().for_each(|(_, server)| assert_works(server));
    // 2. Write the new password, and restart one node after the other. A reload says that a restart is needed.
    for (files, server) in &mut nodes {
        write(files, NEW);
        reload_well(server);
        server.wait_for_log(r#"it needs a restart setting="redis-url""#);
        assert!(server.terminate().success());
        *server = start(files);
        assert_works(server);
    }
    // 3. Redis forgets the old password. Open connections stay; new ones need the new password.
    redis.cli(&["ACL", "SETUSER", "doorward", &format!("<{OLD}")]);
    nodes.iter().for_each(|(_, server)| assert_works(server));
    redis.cli(&["CLIENT", "KILL", "USER", "doorward"]);
    for (_, server) in &nodes {
        await_ready(server);
        await_passes(server, &token);
        let log = server.log();
        assert!(!log.contains(OLD) && !log.contains(NEW) && !log.contains(ADMIN_KEY), "{log}");
    }
    let late = Files::new("# all settings are variables\n");
    write(&late, OLD);
    let stranger = start(&late);
    assert_eq!(ready(&stranger), 503);
}
