//! A reader of the live feed.

use serde_json::Value;

use super::http::Client;
use super::server::{Server, key};

/// Reads server-sent events as a client does; buffers bytes received but not used yet.
pub struct FeedReader {
    client: Client,
    received: Vec<u8>,
    /// The id of the last event or gap; at first, the id of the stream's start.
    pub last_id: String,
}

impl FeedReader {
    pub fn open(server: &Server, last_event_id: Option<&str>) -> Self {
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

    /// Returns the next block of lines, the head or an event, without the framing of the chunked coding.
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

    /// Returns the next event: its id, type and data.
    pub fn event(&mut self) -> (String, String, Value) {
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
