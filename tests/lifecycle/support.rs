//! Calls that several of these tests share.

use serde_json::{Value, json};

use crate::common::server::{Server, cookie, token_path};

pub fn issue(server: &Server, user: &str) -> Value {
    server.issue(json!({"user": user}))
}

pub fn take_over(server: &Server, token: &Value, body: Value) -> Value {
    let path = token_path(&token["id"]) + "/takeover";
    let response = server.call("POST", &path, Some(&body));
    assert_eq!(response.status, 201, "{}", response.text());
    response.json()
}

pub fn listed(server: &Server, path: &str, name: &str) -> Vec<Value> {
    let response = server.call("GET", path, None);
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()[name].as_array().unwrap().clone()
}

pub fn logout(server: &Server, token: &Value) -> (u16, Value, Option<String>) {
    let mut client = server.validation();
    let response = client.request("POST", "/logout", &[("cookie", &cookie(token))], None);
    let set_cookie = response.header("set-cookie").map(str::to_owned);
    let body = if response.body.is_empty() { Value::Null } else { response.json() };
    (response.status, body, set_cookie)
}
