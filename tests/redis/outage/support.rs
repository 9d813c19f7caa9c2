//! The answers that clients get during an outage and after it. The client's read timeout fails a request that the node
//! leaves waiting without a bound.

use serde_json::{Value, json};

use crate::common::recovery::{
    await_answer, await_passes, await_ready, await_unavailable, await_unready, issue_soon,
};
use crate::common::server::{
    Server, assert_invalid_token, assert_unavailable, bearer, identity, pointers, token_path,
};

pub fn status(server: &Server, path: &str) -> u16 {
    server.validation().get(path, &[]).status
}

/// Asserts the node's behaviour during an outage, once the node has noticed it.
pub fn assert_outage(server: &Server, issued: &Value) {
    let authorization = bearer(&issued["token"]);
    let headers = [("Authorization", authorization.as_str())];
    await_unavailable(server, issued);
    for path in ["/auth", "/auth/x", "/auth-optional", "/session"] {
        assert_unavailable(&server.validation().get(path, &headers));
    }
    assert_unavailable(&server.validation().request("POST", "/logout", &headers, None));
    let forged = [("Authorization", "Bearer dw_forged")];
    assert_invalid_token(&server.validation().get("/auth", &forged));
    assert_eq!(identity(&server.validation().get("/auth-optional", &[]))[0], "-");
    await_unready(server);
    assert_eq!([server.admin().get("/readyz", &[]).status, status(server, "/livez")], [503, 200]);

    let (path, body) = (token_path(&issued["id"]), json!({"user": "bob", "ip": "10.0.0.1"}));
    for (method, path, body) in
        [("POST", "/v1/tokens", Some(&body)), ("GET", &path, None), ("DELETE", &path, None)]
    {
        let response = server.call(method, path, body);
        assert_eq!(pointers(&response, 503), [""; 0]);
        assert_eq!(response.header("retry-after"), Some("1"));
    }
}

/// Waits until the node has recovered, and asserts that the token is still valid.
pub fn assert_back(server: &Server, issued: &Value) {
    await_ready(server);
    await_passes(server, issued);
    let shown = await_answer(server, || server.call("GET", &token_path(&issued["id"]), None));
    assert_eq!(shown.json()["is_active"], true);
    issue_soon(server, &json!({}));
}
