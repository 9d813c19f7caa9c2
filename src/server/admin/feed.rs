//! `GET /v1/events`: the live feed as server-sent events (HTML standard, "Server-sent events").

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use futures_util::stream::Stream;
use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::problem::Problem;
use crate::server::admin::problem::kind::Kind;
use crate::server::json::event::EventJson;
use crate::server::transport::body::Body;
use crate::service::Service;
use crate::store::feed::{FeedEntry, FeedRead};

/// The most readers of the feed at once.
pub const MAX_FEED_READERS: usize = 100;
/// A comment is sent after so much silence, so that nobody between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How soon a reader is to come back when the connection breaks, in milliseconds.
const RETRY_MS: u32 = 1000;
/// The id of a place of no run: a reader that breaks off there, before it has heard of the gap, gets the gap again.
const BEFORE_THE_GAP: &str = "-";
const MAX_READERS_REACHED: &str = "the feed has as many readers as it may have";

/// The feed of this node as callers of the admin plane read it.
pub struct FeedReaders {
    /// Tells this run's numbers from those of another run or node.
    epoch: String,
    places: Arc<Semaphore>,
}

impl FeedReaders {
    /// `epoch` is random.
    pub fn new(epoch: u64) -> Self {
        Self { epoch: format!("{epoch:016x}"), places: Arc::new(Semaphore::new(MAX_FEED_READERS)) }
    }

    /// Answers with the feed: from where the reader was by its `Last-Event-ID` where that is of this run and still kept,
    /// else from now on.
    ///
    /// # Errors
    /// 429 when there are too many readers.
    pub fn response(&self, service: Arc<Service>, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
        let too_many =
            || Problem::new(Kind::TooManyReaders, MAX_READERS_REACHED).with_header(RETRY_AFTER, "10");
        let place = self.places.clone().try_acquire_owned().map_err(|_| too_many())?;
        let next = service.store().feed().next();
        let (from, has_missed) = match headers.get("last-event-id").map(|id| self.number(id)) {
            None => (next, false),
            Some(Some(number)) => (number, false),
            Some(None) => (next, true),
        };
        let mut reader =
            Reader { service, epoch: self.epoch.clone(), from, waiting: VecDeque::new(), _place: place };
        if has_missed {
            reader.waiting.push_back(hello(BEFORE_THE_GAP));
            reader.waiting.push_back(reader.text(&FeedEntry::Gap));
        } else {
            reader.waiting.push_back(hello(&reader.id()));
        }
        let mut response = Response::new(Body::stream(reader.run()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// The number in an id of this run, which is that of the entry to come next; `None` for another run's.
    fn number(&self, id: &HeaderValue) -> Option<u64> {
        id.to_str().ok()?.strip_prefix(&self.epoch)?.strip_prefix('.')?.parse().ok()
    }
}

/// Builds what a reader gets first. The id without an event makes it come back to this place when it breaks off before the
/// first event.
fn hello(id: &str) -> Bytes {
    format!("retry: {RETRY_MS}\nid: {id}\n\n").into()
}

struct Reader {
    service: Arc<Service>,
    epoch: String,
    from: u64,
    waiting: VecDeque<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    fn run(self) -> impl Stream<Item = Bytes> + Send + 'static {
        stream::unfold(self, |mut reader| async move { Some((reader.next().await?, reader)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(text) = self.waiting.pop_front() {
                return Some(text);
            }
            let Ok(read) = timeout(KEEP_ALIVE, self.service.store().feed().read(self.from)).await else {
                return Some(Bytes::from_static(b": still here\n\n"));
            };
            match read {
                FeedRead::Entries(entries) => {
                    for (number, told) in entries {
                        self.from = number + 1;
                        self.waiting.push_back(self.text(&told));
                    }
                }
                FeedRead::Missed(next) => {
                    self.from = next;
                    self.waiting.push_back(self.text(&FeedEntry::Gap));
                }
                FeedRead::Closed => return None,
            }
        }
    }

    /// The place behind what was told so far.
    fn id(&self) -> String {
        format!("{}.{}", self.epoch, self.from)
    }

    fn text(&self, told: &FeedEntry) -> Bytes {
        match told {
            FeedEntry::Event(user, event) => {
                let kind = event.kind.name();
                // Fails only for maps with keys that are no strings; there are none.
                let data = serde_json::to_string(&EventJson::of(user, event)).unwrap_or_default();
                format!("id: {}\nevent: {kind}\ndata: {data}\n\n", self.id()).into()
            }
            FeedEntry::Gap => format!("id: {}\nevent: gap\ndata: {{}}\n\n", self.id()).into(),
        }
    }
}
