//! API keys: their expiry and their last use.

use doorward::settings::Scope;
use doorward::system::Clock;
use serde_json::{Value, json};

use super::support::{Files, api_key, issue_with, reload_well, sample};
use crate::common::server::{ADMIN_KEY, Server, run, text};

const KEY: &str = "one-key-of-the-reload-tests-0123456789";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn expiring(expires: &str) -> String {
    format!("api-keys = [\"{}:expires={expires}\"]\n", api_key("ci", "tokens+introspect", KEY))
}

/// The API key `ci` in the status.
fn status(server: &Server) -> Value {
    let status = server.call("GET", "/v1/status", None).json();
    let keys = status["api_keys"].as_array().unwrap().clone();
    assert_eq!((keys.len(), &keys[0]["name"]), (2, &json!("admin")));
    assert!(!status.to_string().contains(doorward::internals::config::hash_key(KEY).unwrap().as_str()));
    keys[1].clone()
}

#[test]
fn an_expired_key_is_refused_as_such() {
    let files = Files::new(&expiring("2199-01-31"));
    let mut server = files.start(&[]);
    assert_eq!(issue_with(&server, KEY).status, 201);
    let expected = json!({
        "name": "ci", "scopes": ["tokens", "introspect"],
        "expires_at": "2199-01-31T00:00:00.000Z", "last_used_at": status(&server)["last_used_at"],
    });
    assert_eq!(status(&server), expected);
    assert!(!server.log().contains("api key"), "{}", server.log());

    files.write("doorward.toml", &expiring("2026-01-31T12:00:00+02:00"));
    reload_well(&mut server);
    let expiry = sample(&server, "doorward_api_key_expiry_timestamp_seconds{key=\"ci\"}");
    assert_eq!(expiry, Some(1_769_853_600.0));
    assert_eq!(sample(&server, "doorward_api_key_expiry_timestamp_seconds{key=\"admin\"}"), None);
    let used_at = status(&server)["last_used_at"].clone();
    let refused = issue_with(&server, KEY);
    assert_eq!((refused.status, &refused.json()["detail"]), (401, &json!("the API key has expired")));
    assert_eq!(refused.json()["type"], "urn:doorward:problem:api-key-invalid");
    assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"));
    server.wait_for_log(r#"api key has expired key="ci" expires_at="2026-01-31T10:00:00Z""#);
    server.wait_for_log(r#"api key refused: it has expired key="ci""#);
    assert_eq!(status(&server)["last_used_at"], used_at, "a refused request is no use");
    let oauth = format!(
        "POST /introspect HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(server.admin().send(oauth).json()["error"], "invalid_client");
    // An unknown key learns nothing of the others.
    assert_eq!(issue_with(&server, &"x".repeat(40)).json()["detail"], "the API key is unknown");
}

#[test]
fn a_key_that_expires_soon_is_named() {
    let soon_ms = Clock::system().wall_ms() + 2 * DAY_MS;
    let soon = doorward::internals::server::json::timestamp::timestamp(soon_ms);
    let files = Files::new(&expiring(&soon));
    let server = files.start(&[]);
    server.wait_for_log(r#"api key expires soon key="ci" expires_at="#);
    assert_eq!(issue_with(&server, KEY).status, 201);

    let toml = files.path("doorward.toml");
    let check = |expires: &str| {
        files.write("doorward.toml", &expiring(expires));
        let mut process = run(&["check-config", "--config", toml.to_str().unwrap()], &[]);
        assert!(process.wait().success(), "{}", process.log());
        process.stdout()
    };
    assert!(check(&soon).contains("WARNING: api key expires soon: ci:tokens+introspect:***:expires="));
    assert!(check("2026-01-31").contains("WARNING: api key has expired: ci:"));
    let report = check("2199-01-31");
    assert!(report.contains("ci:tokens+introspect:***:expires=2199-01-31T00:00:00Z"), "{report}");
    assert!(!report.contains("WARNING"), "{report}");
}

#[test]
fn the_last_use_of_each_key_is_shown() {
    let key = api_key("ci", "tokens", KEY);
    let files = Files::new(&format!("api-keys = [{key:?}]\n"));
    let mut server = files.start(&[]);
    let unused = json!({"name": "ci", "scopes": ["tokens"], "expires_at": null, "last_used_at": null});
    assert_eq!(status(&server), unused);
    let last_used =
        |server: &Server| sample(server, "doorward_api_key_last_used_timestamp_seconds{key=\"ci\"}");
    assert_eq!(last_used(&server), None);
    let before_ms = Clock::system().wall_ms();
    let bearer = format!("Bearer {KEY}");
    assert_eq!(
        server.admin().get("/metrics", &[("Authorization", &bearer)]).status,
        403,
        "that is a use, too"
    );
    let first = status(&server)["last_used_at"].clone();
    let at_or_after =
        |time: &Value, ms| text(time) >= doorward::internals::server::json::timestamp::timestamp(ms).as_str();
    assert!(at_or_after(&first, before_ms - 1), "{first}");
    assert!((last_used(&server).unwrap() * 1000.0).round() as u64 + 1 >= before_ms);
    // Kept by a reload, for the same key only.
    files.write("doorward.toml", &format!("api-keys = [{key:?}]\nlog-level = \"debug\"\n"));
    reload_well(&mut server);
    assert_eq!(status(&server)["last_used_at"], first);
    let other = api_key("ci", "tokens", "another-key-of-the-reload-tests-0123456789");
    files.write("doorward.toml", &format!("api-keys = [{other:?}]\n"));
    reload_well(&mut server);
    assert_eq!(status(&server)["last_used_at"], Value::Null);
    let admin = server.call("GET", "/v1/status", None).json()["api_keys"][0].clone();
    let all: Vec<_> = Scope::ALL.into_iter().map(Scope::name).collect();
    assert_eq!((&admin["scopes"], admin["last_used_at"].is_string()), (&json!(all), true));
    assert!(!server.log().contains(ADMIN_KEY) && !server.log().contains(KEY));
}
