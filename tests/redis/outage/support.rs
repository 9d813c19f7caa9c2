//! What callers may see during an outage and after it.

use doorward::Clock;
use serde_json::{Value, json};

use crate::common::http::Response;
use crate::common::process::wait_for;
use crate::common::server::{
    Server, assert_invalid_token, assert_unavailable, bearer, identity, pointers, token_path,
};

/// No answer may take longer, whatever Redis does: `redis-timeout` bounds the wait, and the rest is for a busy machine. A
/// node that waits without a bound waits for ever.
const ANSWER_MS: u64 = 10_000;

/// An answer that came in time.
pub fn prompt(ask: impl FnOnce() -> Response) -> Response {
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    let response = ask();
    let took_ms = clock.boottime_ms() - from_ms;
    assert!(took_ms <= ANSWER_MS, "{took_ms} ms for {response:?}");
    response
}

pub fn status(server: &Server, path: &str) -> u16 {
    prompt(|| server.validation().get(path, &[])).status
}

/// What holds as long as Redis cannot be asked, once the node has noticed.
pub fn assert_outage(server: &Server, issued: &Value) {
    let authorization = bearer(&issued["token"]);
    let headers = [("Authorization", authorization.as_str())];
    // What is known may pass until then; at no time is anybody logged out.
    wait_for("known tokens pass no more", || {
        (prompt(|| server.auth(&issued["token"])).status != 200).then_some(())
    });
    for path in ["/auth", "/auth/x", "/auth-optional", "/session"] {
        assert_unavailable(&prompt(|| server.validation().get(path, &headers)));
    }
    assert_unavailable(&prompt(|| server.validation().request("POST", "/logout", &headers, None)));
    let forged = [("Authorization", "Bearer dw_forged")];
    assert_invalid_token(&prompt(|| server.validation().get("/auth", &forged)));
    assert_eq!(identity(&prompt(|| server.validation().get("/auth-optional", &[])))[0], "-");
    wait_for("not ready", || (status(server, "/readyz") == 503).then_some(()));
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

/// Comes back by itself, with the token still valid.
pub fn assert_back(server: &Server, issued: &Value) {
    let is_back = || server.auth(&issued["token"]).status == 200 && status(server, "/readyz") == 200;
    wait_for("the token passes and the node is ready", || is_back().then_some(()));
    assert_eq!(server.token(&issued["id"])["is_active"], true);
    server.issue(json!({}));
}
