//! The live feed as server-sent events (HTML standard, "Server-sent events").

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::key_grant::KeyGrant;
use super::problem::{Problem, ProblemKind};
use crate::server::json::event::EventJson;
use crate::server::transport::body::Body;
use crate::service::Service;
use crate::store::feed::{FeedEntry, FeedFollower, FeedRead};

/// The most readers of the feed at once.
pub const MAX_FEED_READERS: usize = 100;
/// After this much silence a comment is sent, so that no proxy takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a stream waits for the subscription to all events.
const START_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a reader waits before it reconnects, in milliseconds.
const RETRY_MS: u32 = 1000;
/// An id that belongs to no epoch. A reader that loses the connection before it has read the gap gets the gap again.
const BEFORE_THE_GAP: &str = "-";

/// The readers of this node's feed. Cheap to clone; all clones share one state.
#[derive(Clone, Debug)]
pub struct FeedReaders {
    /// Distinguishes the event numbers of this run from other runs and nodes.
    epoch: String,
    permits: Arc<Semaphore>,
}

impl FeedReaders {
    /// `epoch` is random.
    pub fn new(epoch: u64) -> Self {
        Self { epoch: format!("{epoch:016x}"), permits: Arc::new(Semaphore::new(MAX_FEED_READERS)) }
    }

    /// Returns the number of readers.
    pub fn count(&self) -> usize {
        MAX_FEED_READERS.saturating_sub(self.permits.available_permits())
    }

    /// Starts a stream from the place in `Last-Event-ID`, if that is of this epoch and still kept, else from now on. The
    /// stream ends when its API key no longer opens it, before the next event and within `KEEP_ALIVE`.
    ///
    /// # Errors
    /// 429 if there are too many readers.
    pub fn response(
        &self,
        service: Arc<Service>,
        grant: KeyGrant,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Problem> {
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| too_many_readers())?;
        let start = match headers.get("last-event-id").map(|id| self.number(id)) {
            None => Start::Now,
            Some(Some(number)) => Start::At(number),
            Some(None) => Start::AfterGap,
        };
        let (start, epoch, queue) = (Some(start), self.epoch.clone(), VecDeque::new());
        let follower = service.store().feed().demand().follow();
        let reader =
            FeedReader { service, grant, epoch, start, from: 0, queue, _permit: permit, _follower: follower };
        let mut response = Response::new(Body::stream(reader.run()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// The event number in an id of this epoch.
    fn number(&self, id: &HeaderValue) -> Option<u64> {
        id.to_str().ok()?.strip_prefix(&self.epoch)?.strip_prefix('.')?.parse().ok()
    }
}

fn too_many_readers() -> Problem {
    Problem::new(ProblemKind::TooManyReaders, "the feed has as many readers as it allows")
        .with_header(RETRY_AFTER, "10")
}

/// The start of the stream. It has an id, so a reader that loses the connection before the first event comes back to the
/// same place.
fn preamble(id: &str) -> Bytes {
    format!("retry: {RETRY_MS}\nid: {id}\n\n").into()
}

/// Where a stream starts.
enum Start {
    Now,
    /// At the event of this number.
    At(u64),
    /// Now, after events that the reader has missed.
    AfterGap,
}

/// One reader.
struct FeedReader {
    service: Arc<Service>,
    grant: KeyGrant,
    epoch: String,
    /// Where the stream starts; `None` once it has.
    start: Option<Start>,
    /// The number of the next event.
    from: u64,
    /// Texts to be sent.
    queue: VecDeque<Bytes>,
    _permit: OwnedSemaphorePermit,
    _follower: FeedFollower,
}

impl FeedReader {
    fn run(self) -> impl Stream<Item = Bytes> + Send + 'static {
        stream::unfold(self, |mut reader| async move { Some((reader.next().await?, reader)) })
    }

    /// Starts the stream once all events reach the feed. If they do not in time, a gap follows.
    async fn begin(&mut self, start: Start) {
        let feed = self.service.store().feed();
        let _ = timeout(START_TIMEOUT, feed.demand().wait_until_complete()).await;
        self.from = match start {
            Start::At(number) => number,
            Start::Now | Start::AfterGap => feed.next(),
        };
        if matches!(start, Start::AfterGap) {
            self.queue.push_back(preamble(BEFORE_THE_GAP));
            self.queue.push_back(self.text(&FeedEntry::Gap));
        } else {
            self.queue.push_back(preamble(&self.id()));
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        if let Some(start) = self.start.take() {
            self.begin(start).await;
        }
        loop {
            if let Some(text) = self.queue.pop_front() {
                return Some(text);
            }
            let read = timeout(KEEP_ALIVE, self.service.store().feed().read(self.from)).await;
            if !self.grant.holds() {
                return None;
            }
            let Ok(read) = read else {
                return Some(Bytes::from_static(b": still here\n\n"));
            };
            match read {
                FeedRead::Entries(entries) => {
                    for (number, entry) in entries {
                        self.from = number + 1;
                        self.queue.push_back(self.text(&entry));
                    }
                }
                FeedRead::Missed(next) => {
                    self.from = next;
                    self.queue.push_back(self.text(&FeedEntry::Gap));
                }
                FeedRead::Closed => return None,
            }
        }
    }

    /// The id of the next event. A reader that comes back with it goes on there.
    fn id(&self) -> String {
        format!("{}.{}", self.epoch, self.from)
    }

    fn text(&self, entry: &FeedEntry) -> Bytes {
        match entry {
            FeedEntry::Event(user, event) => {
                let kind = event.kind.name();
                // Serialization fails only for maps whose keys are not strings.
                let data = serde_json::to_string(&EventJson::of(user, event)).unwrap_or_default();
                format!("id: {}\nevent: {kind}\ndata: {data}\n\n", self.id()).into()
            }
            FeedEntry::Gap => format!("id: {}\nevent: gap\ndata: {{}}\n\n", self.id()).into(),
        }
    }
}
