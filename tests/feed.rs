//! The live feed of events, read as a client of server-sent events reads it.

mod common;

use common::redis::RedisServer;
use common::server::{Server, key, on_each_store};
use serde_json::{Value, json};

fn issue(server: &Server, user: &str) -> Value {
    server.issue(json!({"user": user}))
}

/// The user's history, newest first.
fn history(server: &Server, user: &str) -> Value {
    server.call("GET", &format!("/v1/users/{user}/events"), None).json()["events"].clone()
}

/// A reader, and what it has received but not used yet.
struct FeedReader {
    client: common::http::Client,
    received: Vec<u8>,
    /// That of the last event or gap, at first that of the beginning.
    last_id: String,
}

impl FeedReader {
    fn open(server: &Server, last_event_id: Option<&str>) -> Self {
        let mut client = server.admin();
        let id = last_event_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let (name, value) = key();
        client.write(format!("GET /v1/events HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\n{id}\r\n")).unwrap();
        let mut reader = Self { client, received: Vec::new(), last_id: String::new() };
        let head = reader.block();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        let hello = reader.block();
        assert!(hello.contains("retry: 1000"), "{hello}");
        reader.last_id = field(&hello, "id");
        reader
    }

    /// The next block of lines: the head, or an event; what chunked coding puts between is dropped.
    fn block(&mut self) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.received).into_owned();
            let ends = [("\r\n\r\n", 4), ("\n\n", 2)];
            let end = ends.iter().filter_map(|(end, length)| Some((text.find(end)?, *length))).min();
            if let Some((at, length)) = end {
                self.received.drain(..at + length);
                let lines = text[..at].lines();
                let is_chunk_size =
                    |line: &&str| line.len() < 8 && line.bytes().all(|c| c.is_ascii_hexdigit());
                let lines: Vec<_> = lines.filter(|line| !is_chunk_size(line)).collect();
                if lines.is_empty() || lines.iter().all(|line| line.starts_with(':')) {
                    continue;
                }
                return lines.join("\n");
            }
            let read = self.client.read_some().unwrap();
            assert!(!read.is_empty(), "the feed ended: {text}");
            self.received.extend(read);
        }
    }

    /// The next event: its id, type and data.
    fn event(&mut self) -> (String, String, Value) {
        let block = self.block();
        self.last_id = field(&block, "id");
        let data = serde_json::from_str(&field(&block, "data")).unwrap();
        (self.last_id.clone(), field(&block, "event"), data)
    }
}

fn field(block: &str, name: &str) -> String {
    let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_default().to_owned()
}

#[test]
fn the_feed_tells_what_happens_on_every_node_and_resumes() {
    on_each_store(&[], |server| {
        let mut feed = FeedReader::open(server, None);
        let token = issue(server, "alice");
        let (id, kind, data) = feed.event();
        assert_eq!(
            (kind.as_str(), &data["user"], &data["token"]),
            ("token.issued", &json!("alice"), &token["id"])
        );
        assert_eq!(data, history(server, "alice")[0]);
        drop(feed);
        server.end(&token["id"]);
        let mut feed = FeedReader::open(server, Some(&id));
        let (_, kind, data) = feed.event();
        assert_eq!((kind.as_str(), &data["token"]), ("token.revoked", &token["id"]));
        // From a run that is over: whatever was told meanwhile is missed, and said to be.
        let before_the_gap = FeedReader::open(server, Some("0000000000000000.7")).last_id;
        assert!(!before_the_gap.is_empty());
        // A gap that was not read is told again.
        let mut feed = FeedReader::open(server, Some(&before_the_gap));
        let (after_the_gap, kind, data) = feed.event();
        assert_eq!((kind.as_str(), data), ("gap", json!({})));
        issue(server, "bob");
        assert_eq!(feed.event().2["user"], "bob");
        // A gap that was read is not told again.
        let mut feed = FeedReader::open(server, Some(&after_the_gap));
        assert_eq!(feed.event().2["user"], "bob");
    });
    let redis = RedisServer::start();
    let (one, other) = (Server::on(&redis, &[]), Server::on(&redis, &[]));
    let mut feed = FeedReader::open(&other, None);
    issue(&one, "alice");
    assert_eq!(feed.event().2["user"], "alice");
    // A connection that was lost leaves a gap, and comes back by itself.
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!(feed.event().1, "gap");
    issue(&one, "bob");
    assert_eq!(feed.event().2["user"], "bob");
}

#[test]
fn a_server_stops_though_its_feed_is_read() {
    let mut server = Server::start(&[]);
    let mut feed = FeedReader::open(&server, None);
    issue(&server, "alice");
    feed.event();
    assert!(server.terminate().success());
    assert!(!server.log().contains("cut off"), "{}", server.log());
}

#[test]
fn a_reader_that_breaks_off_before_the_first_event_misses_nothing() {
    on_each_store(&[], |server| {
        let at_first = FeedReader::open(server, None).last_id;
        let token = issue(server, "alice");
        // Twice: the second time from an id that was not at the beginning of the run.
        for user in ["alice", "bob"] {
            let mut feed = FeedReader::open(server, Some(&at_first));
            assert_eq!(feed.event().2["token"], token["id"]);
            let before = FeedReader::open(server, None).last_id;
            issue(server, user);
            assert_eq!(FeedReader::open(server, Some(&before)).event().2["user"], user);
        }
    });
}
