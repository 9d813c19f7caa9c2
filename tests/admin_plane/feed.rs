//! The live feed of events, read as server-sent events.

use serde_json::{Value, json};

use crate::common::feed::FeedReader;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, on_both_stores};

fn issue(server: &Server, user: &str) -> Value {
    server.issue(json!({"user": user}))
}

/// Returns the user's events, newest first.
fn history(server: &Server, user: &str) -> Value {
    server.call("GET", &format!("/v1/users/{user}/events"), None).json()["events"].clone()
}

#[test]
fn the_feed_shows_the_events_of_every_node_and_resumes() {
    on_both_stores(&[], |server| {
        let mut feed = FeedReader::open(server, None);
        let token = issue(server, "alice");
        let (id, kind, data) = feed.event();
        assert_eq!(
            (kind.as_str(), &data["user"], &data["token"]),
            ("token.issued", &json!("alice"), &token["id"])
        );
        assert_eq!(data, history(server, "alice")[0]);
        drop(feed);
        server.revoke(&token["id"]);
        let mut feed = FeedReader::open(server, Some(&id));
        let (_, kind, data) = feed.event();
        assert_eq!((kind.as_str(), &data["token"]), ("token.revoked", &token["id"]));
        // The id is from an earlier run of the server: a gap reports the events missed since.
        let before_the_gap = FeedReader::open(server, Some("0000000000000000.7")).last_id;
        assert!(!before_the_gap.is_empty());
        // A gap that was not read is sent again.
        let mut feed = FeedReader::open(server, Some(&before_the_gap));
        let (after_the_gap, kind, data) = feed.event();
        assert_eq!((kind.as_str(), data), ("gap", json!({})));
        issue(server, "bob");
        assert_eq!(feed.event().2["user"], "bob");
        // A gap that was read is not sent again.
        let mut feed = FeedReader::open(server, Some(&after_the_gap));
        assert_eq!(feed.event().2["user"], "bob");
    });
    let redis = RedisServer::start();
    let (one, other) = (Server::on(&redis, &[]), Server::on(&redis, &[]));
    let mut feed = FeedReader::open(&other, None);
    issue(&one, "alice");
    assert_eq!(feed.event().2["user"], "alice");
    // A lost connection to Redis causes a gap; the node reconnects by itself.
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!(feed.event().1, "gap");
    issue(&one, "bob");
    assert_eq!(feed.event().2["user"], "bob");
}

#[test]
fn an_open_feed_does_not_delay_a_shutdown() {
    let mut server = Server::start(&[]);
    let mut feed = FeedReader::open(&server, None);
    issue(&server, "alice");
    feed.event();
    assert!(server.terminate().success());
    assert!(!server.log().contains("cut off"), "{}", server.log());
}

#[test]
fn a_reader_that_disconnects_before_the_first_event_misses_nothing() {
    on_both_stores(&[], |server| {
        let at_first = FeedReader::open(server, None).last_id;
        let token = issue(server, "alice");
        // Twice: the second id is not from the beginning of the run.
        for user in ["alice", "bob"] {
            let mut feed = FeedReader::open(server, Some(&at_first));
            assert_eq!(feed.event().2["token"], token["id"]);
            let before = FeedReader::open(server, None).last_id;
            issue(server, user);
            assert_eq!(FeedReader::open(server, Some(&before)).event().2["user"], user);
        }
    });
}
