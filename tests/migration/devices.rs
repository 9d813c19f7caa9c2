//! The device keys of django-auth-token move: their devices log in at Doorward with the login tokens that they have.

use serde_json::json;

use super::former::Former;
use super::importing::import;
use super::sources::{DJANGO_AUTH_TOKEN, DJANGO_AUTH_TOKEN_PLAIN, Source};
use crate::common::redis::RedisServer;
use crate::common::server::Server;

const FORMAT: &str = "django-auth-token-devices";
const RECIPE: &str = "export-django-auth-token-devices.py";
/// Two users share a device.
const DEVICES: [(usize, &str); 3] = [
    (1, "6f1e5f0e52a44a53b3a80b8f5e5f1c11"),
    (2, "6f1e5f0e52a44a53b3a80b8f5e5f1c11"),
    (2, "0d2f7f5c7a0b4c5e9b1a2c3d4e5f6a7b"),
];

#[test]
fn device_keys_of_django_auth_token_move_in() {
    move_in(&DJANGO_AUTH_TOKEN);
}

#[test]
fn device_keys_of_old_django_auth_token_move_in() {
    move_in(&DJANGO_AUTH_TOKEN_PLAIN);
}

fn move_in(source: &'static Source) {
    let (former, redis) = (Former::start(source), RedisServer::start());
    let doorward = Server::on(&redis, &[]);
    let keys = DEVICES.map(|(user, uuid)| {
        let made = former.post(&format!("/device?user={user}&uuid={uuid}")).json();
        (uuid, made["token"].as_str().unwrap().to_owned(), made["user"].as_str().unwrap().to_owned())
    });
    let (uuid, login_token, user) = &keys[0];
    let answer = former.post(&format!("/device-login?uuid={uuid}&token={login_token}"));
    assert_eq!((answer.status, answer.header("x-auth-user")), (200, Some(user.as_str())), "{answer:?}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("devices.ndjson");
    former.export_with(RECIPE, &file);
    assert_eq!(import(&doorward, FORMAT, &file).records(), DEVICES.len());
    assert_eq!(import(&doorward, FORMAT, &file).exists, DEVICES.len());
    for (uuid, login_token, user) in &keys {
        let log_in = |login_token: &str| {
            let body = json!({"uuid": uuid, "login_token": login_token, "ip": "203.0.113.7"});
            doorward.call("POST", "/v1/devices/login", Some(&body))
        };
        // The second login finds the hash that the first one has replaced.
        for _ in 0..2 {
            let answer = log_in(login_token);
            assert_eq!(answer.status, 201, "{}", answer.text());
            assert_eq!(answer.json()["user"].as_str(), Some(user.as_str()));
        }
        assert_eq!(log_in(&format!("{}x", &login_token[1..])).status, 401);
    }
}
