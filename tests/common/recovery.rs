//! What a client may see while Redis fails over, is away, moves a slot or has just come back: 503 until the node knows
//! the right answer again, and never a wrong one. Only the store's state ends the 503, so no test asserts when it does.

use serde_json::{Value, json};

use super::http::Response;
use super::process::wait_or;
use super::server::{Server, token_path};

/// Returns the status of `/readyz`.
pub fn ready(server: &Server) -> u16 {
    server.validation().get("/readyz", &[]).status
}

/// Waits until the node is ready.
pub fn await_ready(server: &Server) {
    wait_or(|| format!("not ready\n{}", server.log()), || (ready(server) == 200).then_some(()));
}

/// Waits until the node is not ready.
pub fn await_unready(server: &Server) {
    wait_or(|| format!("still ready\n{}", server.log()), || (ready(server) == 503).then_some(()));
}

/// Waits until the token passes. Any answer before is a 503.
pub fn await_passes(server: &Server, token: &Value) {
    await_status(server, token, 200);
}

/// Waits until the token is refused, whose revocation this node has acknowledged. Any answer before is a 503.
pub fn await_refused(server: &Server, token: &Value) {
    await_status(server, token, 401);
}

fn await_status(server: &Server, token: &Value, expected: u16) {
    let answer = await_answer(server, || server.auth(&token["token"]));
    assert_eq!(answer.status, expected, "{}", server.log());
}

/// Waits until the token is refused by a node that may have cached it before another node revoked it: it may pass until
/// then.
pub fn await_heard(server: &Server, token: &Value) {
    let is_refused = || match server.auth(&token["token"]).status {
        401 => Some(()),
        200 | 503 => None,
        other => panic!("{other}\n{}", server.log()),
    };
    wait_or(|| format!("the revocation is not heard of\n{}", server.log()), is_refused);
}

/// Waits until a token that passed is answered with 503: its lease ends some time after the outage began. No answer
/// before calls the token invalid.
pub fn await_unavailable(server: &Server, token: &Value) {
    let is_unavailable = || match server.auth(&token["token"]).status {
        503 => Some(()),
        200 => None,
        other => panic!("{other}\n{}", server.log()),
    };
    wait_or(|| format!("the token still passes\n{}", server.log()), is_unavailable);
}

/// Asks again while the answer is 503, and returns the first other answer. A change that was answered with 503 may have
/// been made, so `ask` must be safe to repeat.
pub fn await_answer(server: &Server, mut ask: impl FnMut() -> Response) -> Response {
    let answer = || Some(ask()).filter(|answer| answer.status != 503);
    wait_or(|| format!("only answers of 503\n{}", server.log()), answer)
}

/// Issues a token as soon as the store accepts it. Each attempt before may have issued a token, too.
pub fn issue_soon(server: &Server, fields: &Value) -> Value {
    let mut body = json!({"user": "alice", "ip": "203.0.113.7"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = await_answer(server, || server.call("POST", "/v1/tokens", Some(&body)));
    assert_eq!(answer.status, 201, "{}\n{}", answer.text(), server.log());
    answer.json()
}

/// Revokes a token as soon as the store accepts it.
pub fn revoke_soon(server: &Server, id: &Value) {
    let answer = await_answer(server, || server.call("DELETE", &token_path(id), None));
    assert_eq!(answer.status, 204, "{}\n{}", answer.text(), server.log());
}
