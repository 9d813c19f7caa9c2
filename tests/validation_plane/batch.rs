//! `POST /v1/validate`: order, limits, the cache and last accesses.

use std::thread;

use chrono::DateTime;
use serde_json::{Value, json};

use crate::common::http::Response;
use crate::common::near_cache::await_cached;
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, bearer, key, on_both_stores, pointers, text};

const MAX: usize = 1000;

fn ask(server: &Server, tokens: &[Value], headers: &[(&str, &str)]) -> Response {
    let headers = [headers, &[key()]].concat();
    server.admin().request("POST", "/v1/validate", &headers, Some(&json!({ "tokens": tokens })))
}

fn validate(server: &Server, tokens: &[Value]) -> Vec<Value> {
    results(&ask(server, tokens, &[]))
}

fn results(response: &Response) -> Vec<Value> {
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    let body = response.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    body["results"].as_array().unwrap().clone()
}

fn none() -> Value {
    json!({"is_active": false})
}

/// Returns the token object without the fields that an access changes.
fn still(token: &Value) -> Value {
    let mut token = token.clone();
    for moving in ["token", "last_access"] {
        token.as_object_mut().unwrap().remove(moving);
    }
    token
}

fn ms(time: &Value) -> i64 {
    DateTime::parse_from_rfc3339(text(time)).unwrap().timestamp_millis()
}

/// Issues tokens over a few connections concurrently.
fn issue_many(server: &Server, count: usize) -> Vec<Value> {
    const CONNECTIONS: usize = 8;
    let issue_some = |first: usize| {
        let mut client = server.admin();
        let issue = |n: usize| {
            let body = json!({"user": format!("user {n}"), "ip": "203.0.113.7", "idle_seconds": 86_400});
            let response = client.request("POST", "/v1/tokens", &[key()], Some(&body));
            assert_eq!(response.status, 201, "{}", response.text());
            response.json()["token"].clone()
        };
        (first..count).step_by(CONNECTIONS).map(issue).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS).map(|first| scope.spawn(move || issue_some(first))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn batch_results_are_whole_tokens_in_order() {
    on_both_stores(&[], |server| {
        let full = server.issue(json!({
            "user": "ålice", "user_agent": "curl/8", "auth_slug": "web", "backend": "ldap", "expiration": false,
            "ip": "2001:db8::7", "related_objects": [{"content_type": "shop.order", "object_id": "17"}],
        }));
        let plain = server.issue(json!({}));
        let by_cookie = server.issue(json!({"allowed_header": false}));
        let by_nothing = server.issue(json!({"allowed_header": false, "allowed_cookie": false}));
        let revoked = server.issue(json!({}));
        server.revoke(&revoked["id"]);
        let expired = server.issue(json!({"lifetime_seconds": 1}));
        let mut forged = text(&plain["token"]).to_owned();
        let last = forged.pop().unwrap();
        forged.push(if last == 'A' { 'B' } else { 'A' });
        wait_for("expired", || (server.auth(&expired["token"]).status == 401).then_some(()));

        let tokens = [
            &full["token"],
            &json!(forged),
            &plain["token"],
            &revoked["token"],
            &expired["token"],
            &json!(""),
            &json!("garbage\u{0}\u{1f512}"),
            &by_cookie["token"],
            &by_nothing["token"],
            &plain["token"],
            &plain["id"],
        ]
        .map(Value::clone);
        // First read from the store, then cached.
        for _ in 0..2 {
            let found = validate(server, &tokens);
            assert_eq!(found.len(), tokens.len());
            for (at, issued) in [(0, &full), (2, &plain), (7, &by_cookie), (8, &by_nothing), (9, &plain)] {
                assert_eq!(still(&found[at]), still(issued), "{at}");
                assert!(ms(&found[at]["last_access"]) >= ms(&issued["created_at"]));
                assert!(found[at].get("token").is_none());
            }
            for at in [1, 3, 4, 5, 6, 10] {
                assert_eq!(found[at], none(), "{at}");
            }
        }
        assert_eq!(validate(server, &[]), Vec::<Value>::new());
        // The node that revokes or changes a token shows it at once.
        server.revoke(&full["id"]);
        let path = format!("/v1/tokens/{}", text(&plain["id"]));
        server.call("PATCH", &path, Some(&json!({"auth_slug": "new"})));
        let found = validate(server, &[full["token"].clone(), plain["token"].clone()]);
        assert_eq!((&found[0], &found[1]["auth_slug"]), (&none(), &json!("new")));
    });
}

#[test]
fn a_token_cached_by_auth_is_shown_whole() {
    on_both_stores(&[], |server| {
        let issued = server.issue(json!({"user_agent": "curl/8"}));
        for _ in 0..2 {
            assert_eq!(server.auth(&issued["token"]).status, 200);
        }
        for _ in 0..2 {
            assert_eq!(still(&validate(server, &[issued["token"].clone()])[0]), still(&issued));
        }
    });
}

#[test]
fn a_batch_has_at_most_a_thousand_tokens() {
    on_both_stores(&[("DOORWARD_LOG_LEVEL", "warn")], |server| {
        let mut tokens = issue_many(server, MAX);
        let found = validate(server, &tokens);
        assert_eq!(found.len(), MAX);
        assert!(tokens.iter().zip(&found).all(|(token, found)| {
            found["is_active"] == json!(true)
                && text(token).starts_with(&format!("dw_{}", text(&found["id"])))
        }));
        tokens.push(json!("one more"));
        assert_eq!(pointers(&ask(server, &tokens, &[]), 422), ["#/tokens"]);
    });
}

#[test]
fn a_batch_that_is_not_a_list_of_strings_is_rejected() {
    let server = Server::start(&[]);
    for (body, expected) in [
        (json!({}), &["#/tokens"][..]),
        (json!({"tokens": null}), &["#/tokens"]),
        (json!({"tokens": "dw_x"}), &["#/tokens"]),
        (
            json!({"tokens": ["a", 1, "b", null, ["c"]], "more": 1}),
            &["#/tokens/1", "#/tokens/3", "#/tokens/4", "#/more"],
        ),
        (json!([]), &["#"]),
        (json!([["a"]]), &["#"]),
    ] {
        let response = server.call("POST", "/v1/validate", Some(&body));
        assert_eq!(pointers(&response, 422), expected, "{body}");
    }
    let response = server.call("POST", "/v1/validate?x=1", Some(&json!({"tokens": []})));
    assert_eq!(pointers(&response, 422), ["#/x"]);
    let response = server.call("GET", "/v1/validate", None);
    assert_eq!((response.status, response.header("allow")), (405, Some("POST")));
}

#[test]
fn a_batch_requires_the_introspection_scope() {
    let server = Server::start(&[]);
    let nobody = server.admin().request("POST", "/v1/validate", &[], Some(&json!({"tokens": []})));
    assert_eq!(nobody.status, 401);

    let (tokens_key, introspect_key) = ("k".repeat(40), "i".repeat(40));
    let keys = [scoped("tokens", &tokens_key), scoped("introspect", &introspect_key)].join(",");
    let server = Server::start(&[("DOORWARD_API_KEYS", &keys)]);
    for (key, status) in [(&tokens_key, 403), (&introspect_key, 200)] {
        let authorization = bearer(&json!(key));
        let headers = [("Authorization", authorization.as_str())];
        let body = json!({"tokens": []});
        let response = server.admin().request("POST", "/v1/validate", &headers, Some(&body));
        assert_eq!(response.status, status, "{}", response.text());
    }
}

fn scoped(scope: &str, key: &str) -> String {
    format!("{scope}:{scope}:{}", doorward::internals::config::hash_key(key).unwrap())
}

#[test]
fn without_the_store_a_batch_gets_503() {
    let mut redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let issued = server.issue(json!({}));
    let tokens = [issued["token"].clone(), json!("garbage")];
    assert_eq!(still(&validate(&server, &tokens)[0]), still(&issued));
    redis.kill();
    // Cached tokens may be shown until the node notices the outage.
    wait_for("unavailable", || {
        let response = ask(&server, &tokens, &[]);
        assert!([200, 503].contains(&response.status), "{}", response.text());
        (response.status == 503).then(|| assert_eq!(response.header("retry-after"), Some("1")))
    });
    // Forged tokens need no store.
    assert_eq!(validate(&server, &tokens[1..]), [none()]);
    redis.restart();
    wait_for("back", || (ask(&server, &tokens[1..], &[]).status == 200).then_some(()));
}

/// Returns how often clients and scripts called a command since the last reset.
fn calls(redis: &RedisServer, command: &str) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn a_batch_reads_uncached_tokens_in_one_pipeline() {
    let redis = RedisServer::start();
    // The script that writes accesses reads tokens too, so the interval is longer than the test. A late heartbeat would
    // empty the near cache.
    let quiet = [("DOORWARD_FLUSH_INTERVAL", "1m"), ("DOORWARD_LEASE", "60s")];
    let issuer = Server::on(&redis, &quiet);
    let tokens = issue_many(&issuer, MAX);
    let server = Server::on(&redis, &quiet);
    let expect = |what: &str, hmget: u64, zscore: u64, headers: &[(&str, &str)]| {
        redis.cli(&["CONFIG", "RESETSTAT"]);
        let found = results(&ask(&server, &tokens, headers));
        assert!(found.iter().all(|token| token["is_active"] == json!(true)), "{what}");
        // Reads inside scripts are counted, scripts themselves are not: the store inspection runs one that reads
        // nothing. Each node reads the cut-offs by HGETALL twice a second.
        let counted = ["hmget", "hget", "zscore"].map(|name| calls(&redis, name));
        assert_eq!(counted, [hmget, 0, zscore], "{what}");
    };
    wait_until_caching(&server);
    expect("unknown", 1000, 0, &[]);
    expect("known", 0, 0, &[]);
    expect("still known", 0, 0, &[]);

    // `/auth` has cached the record without its details, which are read once.
    let server = Server::on(&redis, &quiet);
    wait_until_caching(&server);
    let (first, mut client) = (&tokens[..10], server.validation());
    let authorizations: Vec<_> = first.iter().map(bearer).collect();
    let auth = |client: &mut crate::common::http::Client| {
        for authorization in &authorizations {
            assert_eq!(client.get("/auth", &[("Authorization", authorization)]).status, 200);
        }
    };
    auth(&mut client);
    for hmget in [10, 0] {
        redis.cli(&["CONFIG", "RESETSTAT"]);
        auth(&mut client);
        assert_eq!(calls(&redis, "hmget"), 0);
        assert_eq!(results(&ask(&server, first, &[])).len(), 10);
        assert_eq!(calls(&redis, "hmget"), hmget);
    }
}

/// Waits until the node hears of changes. It does not cache what it reads before that.
fn wait_until_caching(server: &Server) {
    await_cached(server, &server.issue(json!({"user": "probe"}))["token"]);
}

#[test]
fn a_batch_counts_as_an_access_unless_it_opts_out() {
    let exempt = [("X-Exempt", "1")];
    on_both_stores(&[("DOORWARD_RENEWAL_EXEMPT_HEADER", "X-Exempt")], |server| {
        let issued = server.issue(json!({}));
        let tokens = [issued["token"].clone()];
        let seen = || ms(&server.token(&issued["id"])["last_access"]);
        let created_ms = ms(&issued["created_at"]);
        let shown = results(&ask(server, &tokens, &exempt));
        assert_eq!(ms(&shown[0]["last_access"]), created_ms);
        // An access is shown at once and written to the store soon.
        let access_ms = wait_for("a later access", || {
            let shown_ms = ms(&validate(server, &tokens)[0]["last_access"]);
            (shown_ms > created_ms).then_some(shown_ms)
        });
        wait_for("written", || (seen() >= access_ms).then_some(()));
        let before = seen();
        let shown = results(&ask(server, &tokens, &exempt));
        assert_eq!(ms(&shown[0]["last_access"]), before);
    });
}

#[test]
fn a_batch_without_access_shows_the_stored_state() {
    let redis = RedisServer::start();
    let settings = [("DOORWARD_RENEWAL_EXEMPT_HEADER", "X-Exempt")];
    let issuer = Server::on(&redis, &settings);
    let issued = issuer.issue(json!({}));
    let created_ms = ms(&issued["created_at"]);
    let seen_ms = wait_for("an access written", || {
        issuer.auth(&issued["token"]);
        let seen_ms = ms(&issuer.token(&issued["id"])["last_access"]);
        (seen_ms > created_ms).then_some(seen_ms)
    });
    // The last of those accesses may come after the read.
    let other = Server::on(&redis, &settings);
    let shown = results(&ask(&other, &[issued["token"].clone()], &[("X-Exempt", "1")]));
    assert!(ms(&shown[0]["last_access"]) >= seen_ms, "{shown:?}");
}

/// A token that awaits its second factor is not active, but it is no refusal either.
#[test]
fn a_pending_token_is_counted_as_pending() {
    on_both_stores(&[], |server| {
        let pending = server.issue(json!({"is_authenticated": false}))["token"].clone();
        for _ in 0..2 {
            assert_eq!(validate(server, std::slice::from_ref(&pending)), [none()]);
        }
        let metrics = server.call("GET", "/metrics", None).text();
        let count = |result: &str| {
            let lines = metrics
                .lines()
                .filter(|line| line.starts_with(&format!("doorward_validations_total{{result=\"{result}\"")));
            lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        assert_eq!((count("pending"), count("refused")), (2, 0), "{metrics}");
    });
}
