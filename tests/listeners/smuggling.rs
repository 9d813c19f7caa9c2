//! A request hidden in the body of another request is never answered.

use serde_json::json;

use super::answers::{answers_to, statuses};
use crate::common::server::{bearer, identity};
use crate::on_each_store;

/// A body that is itself a request must stay a body, whether it is read or not.
#[test]
fn an_unread_body_is_not_a_request() {
    on_each_store(&[], |server| {
        let victim = server.issue(json!({}));
        let token = &victim["token"];
        let smuggled =
            format!("POST /logout HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\n\r\n", bearer(token));
        let length = smuggled.len();
        let chunked = format!("{length:x}\r\n{smuggled}\r\n0\r\n\r\n");
        for (framing, body) in [
            (format!("Content-Length: {length}"), &smuggled),
            ("Transfer-Encoding: chunked".to_owned(), &chunked),
            (format!("Content-Length: {}", length + 1_000_000), &smuggled),
            (format!("Content-Length: {length}\r\nExpect: 100-continue"), &smuggled),
            (format!("Content-Length: {length}\r\nConnection: Upgrade\r\nUpgrade: websocket"), &smuggled),
        ] {
            for path in ["/auth", "/auth-optional", "/session", "/livez", "/nowhere"] {
                let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
                let answers = answers_to(server, format!("{head}{body}").as_bytes());
                let statuses = statuses(&answers);
                // One answer for the request, and at most one for the final request.
                assert!(matches!(statuses[..], [_] | [_, 404]), "{path} {framing}: {statuses:?}");
            }
        }
        // Contradictory or invalid framings: the request is refused or the connection is closed.
        for framing in [
            format!("Content-Length: {length}\r\nContent-Length: 0"),
            format!("Content-Length: 0\r\nContent-Length: {length}"),
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
            "Transfer-Encoding: identity".to_owned(),
            "Transfer-Encoding: chunked, identity".to_owned(),
            "Transfer-Encoding: xchunked".to_owned(),
            format!("Content-Length: +{length}"),
            format!("Content-Length: {length}, {length}"),
            format!("Content-Length: 0x{length:x}"),
            format!("Content-Length : {length}"),
            " Content-Length: 0".to_owned(),
        ] {
            let head = format!("POST /auth HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
            let answers = answers_to(server, format!("{head}{smuggled}").as_bytes());
            assert!(
                !answers.iter().any(|answer| answer.status == 200),
                "{framing}: {:?}",
                statuses(&answers)
            );
        }
        identity(&server.auth(token));
    });
}
