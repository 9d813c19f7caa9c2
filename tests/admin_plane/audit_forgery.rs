//! No text of a caller can forge a line of the log, in either format.

use serde_json::{Value, json};

use crate::common::process::wait_for;
use crate::common::server::{Server, token_path};

/// Texts of callers stay inside their quotes, and a line stays a line, in both formats.
#[test]
fn no_text_can_forge_a_line() {
    let evil =
        "x\" outcome=done\r\n2026-01-01T00:00:00Z  INFO audit: action=forged \u{1b}[31m\u{2028}\u{202e}";
    let encoded: String = evil.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for format in ["text", "json"] {
        let server = Server::start(&[("DOORWARD_LOG_FORMAT", format)]);
        // Control characters in fields are refused; in a path they name a user that cannot exist. Both have a line.
        for path in [
            format!("/v1/users/{encoded}/tokens"),
            format!("/v1/users/{encoded}/devices/{encoded}"),
            format!("/v1/related/{encoded}/{encoded}/tokens"),
        ] {
            let status = server.call("DELETE", &path, None).status;
            assert!(status == 422 || status == 404, "{status}");
        }
        let body = json!({"user": "a\" outcome=refused b", "ip": "192.0.2.1", "user_agent": evil});
        assert_eq!(server.call("POST", "/v1/tokens", Some(&body)).status, 201);
        let token = server.issue(json!({}));
        let takeover = json!({"user": "bob\" \u{202e}", "reason": "why\" action=forged"});
        let response =
            server.call("POST", &format!("{}/takeover", token_path(&token["id"])), Some(&takeover));
        assert_eq!(response.status, 201, "{}", response.text());
        assert_eq!(server.admin().get("/v1/status", &[("X-Request-Id", "a\tb")]).status, 401);
        wait_for("the last line", || server.log().contains("api-key-missing").then_some(()));
        let log = server.log();
        let stderr = log.split_once("stderr\n").unwrap().1;
        assert!(!stderr.contains(['\u{1b}', '\u{2028}', '\u{202e}', '\r']) || format == "json", "{stderr}");
        let audit: Vec<_> = stderr.lines().filter(|line| line.contains("audit")).collect();
        for line in stderr.lines().filter(|line| !line.starts_with("---")) {
            if format == "json" {
                assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
            } else {
                assert!(!line.starts_with("2026-01-01"), "{line}");
                let outcomes = unquoted(line).matches(" outcome=").count();
                assert_eq!(outcomes, usize::from(line.contains(" audit: ")), "{line}");
                assert!(!unquoted(line).contains("forged"), "{line}");
            }
        }
        assert!(audit.len() >= 5, "{stderr}");
    }
}

/// Removes the quoted parts of a line: what is left is what Doorward says itself.
fn unquoted(line: &str) -> String {
    let (mut rest, mut is_quoted, mut is_escaped) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c if !is_quoted => rest.push(c),
            _ => {}
        }
    }
    assert!(!is_quoted, "a quote is open: {line}");
    rest
}
