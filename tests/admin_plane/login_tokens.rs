//! A login token appears in no store, log or later answer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::device_calls::*;
use crate::common::imported_devices::{HASH, LOGIN_TOKEN};
use crate::common::redis::RedisServer;
use crate::common::server::{Server, text};

#[test]
fn a_login_token_appears_only_in_the_response_that_creates_it() {
    let redis = RedisServer::start_durable();
    let mut server = Server::on(&redis, &[("DOORWARD_LOG_LEVEL", "trace")]);
    let login_token = make(&server, "phone")["login_token"].clone();
    let token_string = text(&login_token).to_owned();
    log_in(&server, "phone", &login_token);
    // Also where a login token does not belong.
    for body in [
        login_body("pad", &login_token),
        json!({"uuid": &login_token, "login_token": 1, (token_string.clone()): 1}),
    ] {
        assert!(server.call("POST", "/v1/devices/login", Some(&body)).status >= 401);
    }
    server.call("PATCH", &format!("{DEVICES}/phone"), Some(&json!({"is_active": false})));
    server.call("POST", "/v1/devices/login", Some(&login_body("phone", &login_token)));
    assert_eq!(server.call("GET", &format!("{DEVICES}/{token_string}"), None).status, 404);
    let shown = [
        server.call("GET", DEVICES, None).text(),
        server.call("POST", DEVICES, Some(&json!({"uuid": "phone"}))).text(),
        server.call("GET", "/v1/users/alice/events", None).text(),
        server.call("GET", "/metrics", None).text(),
    ];
    server.terminate();
    let append_only = redis.socket().parent().unwrap().join("appendonlydir");
    let mut written = Vec::new();
    for entry in std::fs::read_dir(append_only).unwrap() {
        written.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(written.windows(5).any(|window| window == b"phone"), "the files contain the device key");
    // 12 bytes of id, 16 of secret, 8 of MAC. Not even half of the secret may appear.
    let encoded = &token_string["dwd_".len()..];
    let raw = URL_SAFE_NO_PAD.decode(encoded).unwrap();
    let secret = &encoded[16..];
    for part in [&raw[12..20], &raw[20..28], &secret.as_bytes()[..10], &secret.as_bytes()[10..20]] {
        assert!(!written.windows(part.len()).any(|window| window == part));
    }
    for text in shown.iter().chain([&server.log()]) {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_former_login_token_is_stored_and_logged_nowhere() {
    let redis = RedisServer::start_durable();
    let mut server = Server::on(&redis, &[("DOORWARD_LOG_LEVEL", "trace")]);
    for (uuid, hash) in [("phone", HASH.to_owned()), ("bad", HASH.replace("sha256", "sha1"))] {
        let body = json!({"devices": [{"user": "alice", "uuid": uuid, "hash": hash}]});
        assert_eq!(server.call("POST", "/v1/import", Some(&body)).status, 200);
    }
    log_in(&server, "phone", &json!(LOGIN_TOKEN));
    let shown = [
        server.call("GET", DEVICES, None).text(),
        server.call("GET", "/v1/users/alice/events", None).text(),
        server.call("GET", "/metrics", None).text(),
    ];
    let hash = HASH.rsplit('$').next().unwrap();
    let device = redis.keys().into_iter().find(|key| key.starts_with("dw:d:")).unwrap();
    assert!(!redis.cli(&["HGETALL", &device]).contains(hash), "the first login removed it");
    server.terminate();
    let mut written = Vec::new();
    for entry in std::fs::read_dir(redis.socket().parent().unwrap().join("appendonlydir")).unwrap() {
        written.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(written.windows(5).any(|window| window == b"phone"), "the files contain the device key");
    for part in [&LOGIN_TOKEN[..32], &LOGIN_TOKEN[32..]] {
        assert!(!written.windows(part.len()).any(|window| window == part.as_bytes()));
    }
    for text in shown.iter().chain([&server.log()]) {
        assert!(!text.contains(&LOGIN_TOKEN[..32]) && !text.contains(hash), "{text}");
    }
}
