//! Redis loses its data, including the token keys.

use serde_json::json;

use crate::common::process::wait_for;
use crate::common::recovery::await_heard;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, identity};

fn check_key_is_kept(redis: &RedisServer) -> bool {
    redis.keys().iter().any(|key| key.starts_with("dw:m:"))
}

#[test]
fn nodes_agree_again_after_redis_lost_its_data() {
    let redis = RedisServer::start();
    let first = Server::on(&redis, &[]);
    let lost = first.issue(json!({}));
    identity(&first.auth(&lost["token"]));
    redis.cli(&["FLUSHALL"]);
    wait_for("the node puts the check key back", || check_key_is_kept(&redis).then_some(()));
    await_heard(&first, &lost);
    let second = Server::on(&redis, &[]);
    for (issuer, other) in [(&first, &second), (&second, &first)] {
        let issued = issuer.issue(json!({}));
        identity(&issuer.auth(&issued["token"]));
        identity(&other.auth(&issued["token"]));
        issuer.revoke(&issued["id"]);
        await_heard(other, &issued);
    }
}

/// The worse order: a node that never knew the lost key creates another one before the other node notices the loss.
#[test]
fn a_node_follows_a_token_key_created_by_another_node() {
    let redis = RedisServer::start();
    let mut first = Server::on(&redis, &[]);
    first.process().freeze();
    redis.cli(&["FLUSHALL"]);
    let second = Server::on(&redis, &[]);
    first.process().thaw();
    let from_second = second.issue(json!({}));
    wait_for("the first knows the new key", || {
        (first.auth(&from_second["token"]).status == 200).then_some(())
    });
    let from_first = first.issue(json!({}));
    identity(&second.auth(&from_first["token"]));
}
