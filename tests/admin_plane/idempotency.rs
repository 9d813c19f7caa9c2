//! `Idempotency-Key`: a repeat changes nothing a second time, and says what the first request made.

use serde_json::{Value, json};

use crate::common::http::Response;
use crate::common::server::{Server, identity, key, pointers, text, token_path};
use crate::on_each_store;

/// Sends a request with this `Idempotency-Key`.
fn send(server: &Server, key_text: &str, path: &str, body: &Value) -> Response {
    server.admin().request("POST", path, &[key(), ("Idempotency-Key", key_text)], Some(body))
}

/// Asserts that the response is a problem of this kind.
fn assert_problem(response: &Response, status: u16, name: &str) {
    let problem = response.json();
    assert_eq!(response.status, status, "{problem}");
    assert_eq!(problem["type"], format!("urn:doorward:problem:{name}"));
}

fn alice() -> Value {
    json!({"user": "alice", "ip": "203.0.113.7"})
}

#[test]
fn a_repeated_issue_names_the_token() {
    on_each_store(&[], |server| {
        let issued = send(server, "a", "/v1/tokens", &alice());
        assert_eq!(issued.status, 201, "{}", issued.text());
        for _ in 0..2 {
            let repeated = send(server, "a", "/v1/tokens", &alice());
            assert_problem(&repeated, 409, "idempotency-replay");
            assert_eq!(repeated.json()["token"], issued.json()["id"]);
        }
        identity(&server.auth(&issued.json()["token"]));
        for other in [json!({"user": "bob", "ip": "203.0.113.7"}), json!({"user": "alice", "ip": "::1"})] {
            let reused = send(server, "a", "/v1/tokens", &other);
            assert_problem(&reused, 422, "idempotency-key-reused");
        }
        assert_eq!(send(server, "b", "/v1/tokens", &alice()).status, 201);
        let list = server.call("GET", "/v1/users/alice/tokens", None).json();
        assert_eq!(list["tokens"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn a_refused_request_does_not_use_its_key_up() {
    on_each_store(&[], |server| {
        assert_eq!(send(server, "a", "/v1/tokens", &json!({"user": "alice"})).status, 422);
        server.call("PUT", "/v1/users/alice/lock", None);
        assert_problem(&send(server, "a", "/v1/tokens", &alice()), 409, "user-locked");
        server.call("DELETE", "/v1/users/alice/lock", None);
        assert_eq!(send(server, "a", "/v1/tokens", &alice()).status, 201);
        assert_problem(&send(server, "a", "/v1/tokens", &alice()), 409, "idempotency-replay");
    });
}

#[test]
fn a_repeated_rotation_keeps_the_secret() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({}));
        let path = format!("{}/rotate", token_path(&issued["id"]));
        let rotated = send(server, "a", &path, &json!({}));
        assert_eq!(rotated.status, 200, "{}", rotated.text());
        let repeated = send(server, "a", &path, &json!({}));
        assert_problem(&repeated, 409, "idempotency-replay");
        assert_eq!(repeated.json()["token"], issued["id"]);
        identity(&server.auth(&rotated.json()["token"]));
        assert_problem(
            &send(server, "a", &path, &json!({"set_cookie": true})),
            422,
            "idempotency-key-reused",
        );
        let other = server.issue(json!({}));
        let path = format!("{}/rotate", token_path(&other["id"]));
        assert_eq!(send(server, "a", &path, &json!({})).status, 200, "another path is another request");
    });
}

#[test]
fn a_repeated_device_key_is_not_shown_as_found() {
    on_each_store(&[], |server| {
        let (path, body) = ("/v1/users/alice/devices", json!({"uuid": "phone"}));
        assert_eq!(send(server, "a", path, &body).status, 201);
        let repeated = send(server, "a", path, &body);
        assert_problem(&repeated, 409, "idempotency-replay");
        assert_eq!(repeated.json().get("token"), None);
        assert_problem(&send(server, "a", path, &json!({"uuid": "tablet"})), 422, "idempotency-key-reused");
        for _ in 0..2 {
            let found = send(server, "b", path, &body);
            assert_eq!((found.status, &found.json()["created"]), (200, &json!(false)));
        }
    });
}

#[test]
fn a_repeated_import_gets_the_same_answer() {
    on_each_store(&[], |server| {
        let record =
            json!({"scheme": "drf", "user": "dave", "token": "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"});
        let body = json!({"tokens": [record, {"scheme": "knox", "user": "dave"}]});
        let imported = send(server, "a", "/v1/import", &body);
        assert_eq!((imported.status, &imported.json()["results"][0]["status"]), (200, &json!("imported")));
        assert_eq!(send(server, "a", "/v1/import", &body).text(), imported.text());
        let again = send(server, "b", "/v1/import", &body).json();
        assert_eq!(text(&again["results"][0]["status"]), "exists");
        let other = send(server, "a", "/v1/import", &json!({"tokens": []}));
        assert_problem(&other, 422, "idempotency-key-reused");
    });
}

#[test]
fn the_header_has_1_to_255_visible_characters() {
    let server = Server::start(&[]);
    for bad in ["", "a b", "é", &"a".repeat(256)] {
        let refused = send(&server, bad, "/v1/tokens", &alice());
        assert_eq!(pointers(&refused, 422), ["#/Idempotency-Key"], "{bad:?}");
    }
    let (name, value) = key();
    let twice = [(name, value), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")];
    let refused = server.admin().request("POST", "/v1/tokens", &twice, Some(&alice()));
    assert_eq!(pointers(&refused, 422), ["#/Idempotency-Key"]);
    for good in ["a".repeat(255), "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"".into()] {
        assert_eq!(send(&server, &good, "/v1/tokens", &alice()).status, 201);
    }
}
