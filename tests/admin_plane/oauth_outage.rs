//! The OAuth endpoints while Redis is unreachable.

use serde_json::json;

use super::oauth_calls::{ask, error};
use crate::common::process::wait_for;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, text};

#[test]
fn the_oauth_endpoints_return_503_during_an_outage() {
    let mut redis = RedisServer::start();
    let server = Server::on(&redis, &[]);
    let token = server.issue(json!({}))["token"].clone();
    redis.kill();
    for path in ["/introspect", "/revoke"] {
        let response = wait_for("the outage is noticed", || {
            let response = ask(&server, path, &token);
            (response.status != 200).then_some(response)
        });
        assert_eq!(error(&response, 503), ("temporarily_unavailable".into(), None), "{path}");
        assert_eq!(response.header("retry-after"), Some("1"));
    }
    assert!(!server.log().contains(text(&token)));
}
