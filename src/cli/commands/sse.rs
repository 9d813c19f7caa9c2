//! Server-sent events (HTML standard, "Server-sent events"): from bytes to events.

/// The most bytes of an event, and of a line.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// An event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SentEvent {
    pub(super) kind: String,
    pub(super) data: String,
}

/// Reads a stream.
#[derive(Default)]
pub(super) struct SseReader {
    line: Vec<u8>,
    event: SentEvent,
    /// The id in the event that is being read.
    id: Option<String>,
    /// The position in the stream, after the last whole event; a reader that returns with it goes on there. Kept over reconnects.
    pub(super) last_id: Option<String>,
    /// How long to wait before a reconnect, if the server said so.
    pub(super) retry_ms: Option<u64>,
}

impl SseReader {
    /// Discards what a lost connection left unfinished.
    pub(super) fn start_over(&mut self) {
        self.line.clear();
        self.event = SentEvent::default();
        self.id = None;
    }

    /// Reads bytes, and returns the events that end in them; `None` if an event is too large.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<Vec<SentEvent>> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() + self.event.data.len() > MAX_EVENT_BYTES {
                    return None;
                }
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).into_owned();
            self.line.clear();
            let line = line.trim_end_matches('\r');
            if !line.is_empty() {
                self.field(line);
                continue;
            }
            self.last_id = self.id.take().or(self.last_id.take());
            let event = std::mem::take(&mut self.event);
            if !event.data.is_empty() {
                events.push(event);
            }
        }
        Some(events)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event.kind = value.to_owned(),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data += value;
            }
            "id" => self.id = Some(value.to_owned()),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            // A comment, or a field of a later version.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_may_come_in_any_pieces() {
        let text = "retry: 1000\nid: a.1\n\n: still here\n\nid: a.2\nevent: x\ndata: {\r\ndata: }\n\nevent: gap\ndata: {}\n\n";
        let expected = [
            SentEvent { kind: "x".into(), data: "{\n}".into() },
            SentEvent { kind: "gap".into(), data: "{}".into() },
        ];
        for size in [1, 7, text.len()] {
            let mut reader = SseReader::default();
            let events: Vec<_> =
                text.as_bytes().chunks(size).flat_map(|piece| reader.read(piece).unwrap()).collect();
            assert_eq!(events, expected, "{size}");
            assert_eq!((reader.last_id.as_deref(), reader.retry_ms), (Some("a.2"), Some(1000)));
        }
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let mut reader = SseReader::default();
        assert_eq!(reader.read(&vec![b'x'; MAX_EVENT_BYTES + 1]), None);
    }

    #[test]
    fn a_lost_connection_leaves_nothing_behind() {
        let mut reader = SseReader::default();
        assert_eq!(reader.read(b"id: a.1\n\nid: a.2\nevent: x\ndata: {"), Some(vec![]));
        reader.start_over();
        assert_eq!(reader.last_id.as_deref(), Some("a.1"), "the event after it is not lost");
        let next = reader.read(b"event: y\ndata: {}\n\n").unwrap();
        assert_eq!(next, [SentEvent { kind: "y".into(), data: "{}".into() }]);
    }
}
