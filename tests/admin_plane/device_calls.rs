//! Admin calls about alice's device keys.

use serde_json::{Value, json};

use crate::common::server::{Server, key, pointers};

pub const UUID: &str = "0123456789abcdef0123456789abcdef";

pub const DASHED: &str = "01234567-89AB-CDEF-0123-456789abcdef";

pub const DEVICES: &str = "/v1/users/alice/devices";

/// Creates alice's device key with this uuid and returns the answer.
pub fn make(server: &Server, uuid: &str) -> Value {
    let response = server.call("POST", DEVICES, Some(&json!({"uuid": uuid})));
    assert_eq!(response.status, 201, "{}", response.text());
    response.json()
}

pub fn login_body(uuid: &str, login_token: &Value) -> Value {
    json!({"uuid": uuid, "login_token": login_token, "ip": "203.0.113.7"})
}

/// Asserts that a login is refused; returns the answer without its date.
pub fn refused_login(server: &Server, uuid: &str, login_token: &Value) -> (Vec<(String, String)>, Vec<u8>) {
    let headers = [key(), ("X-Request-Id", "the-same")];
    let body = login_body(uuid, login_token);
    let response = server.admin().request("POST", "/v1/devices/login", &headers, Some(&body));
    assert_eq!(pointers(&response, 401), [""; 0], "{uuid} {login_token}");
    let headers = response.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
    (headers, response.body)
}

/// Logs in with a device key and returns the token object.
pub fn log_in(server: &Server, uuid: &str, login_token: &Value) -> Value {
    let response = server.call("POST", "/v1/devices/login", Some(&login_body(uuid, login_token)));
    assert_eq!(response.status, 201, "{}", response.text());
    response.json()
}

/// Returns a page of alice's device keys, and the cursor of the next page.
pub fn list(server: &Server, query: &str) -> (Vec<Value>, Value) {
    let response = server.call("GET", &format!("{DEVICES}{query}"), None);
    assert_eq!(response.status, 200, "{}", response.text());
    let page = response.json();
    assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
    (page["devices"].as_array().unwrap().clone(), page["next_cursor"].clone())
}

/// Returns the device of a POST answer without the fields that only POST adds.
pub fn without_answer(made: &Value) -> Value {
    let mut device = made.clone();
    let fields = device.as_object_mut().unwrap();
    fields.remove("created").unwrap();
    fields.remove("login_token").unwrap();
    device
}
