//! The live feed of events: the newest ones of all users as this node heard of them, for readers that come, go and lag.
//!
//! It is at most once. What the store told while this node did not hear it (its connection was lost) is not in it;
//! then, and where a reader lags by more than [`FEED_ENTRIES`], the reader is told of the gap and looks into the
//! histories of the users it cares about, which miss nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::model::event::Event;

/// The newest entries that are kept for readers that lag or come back.
pub const FEED_ENTRIES: usize = 10_000;
/// A reader is given at most so many at once.
const ENTRIES_PER_READ: usize = 100;

/// An entry.
#[derive(Debug)]
pub enum FeedEntry {
    /// What happened to this user.
    Event(String, Event),
    /// Events may be missing here.
    Gap,
}

/// See the module. One per node.
pub struct Feed {
    ring: Mutex<Ring>,
    state: watch::Sender<FeedState>,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<Arc<FeedEntry>>,
    /// The number of the entry to come.
    next: u64,
}

#[derive(Clone, Copy, Default)]
struct FeedState {
    next: u64,
    is_closed: bool,
}

/// What a reader is given.
#[derive(Debug)]
pub enum FeedRead {
    /// Entries, each with its number.
    Entries(Vec<(u64, Arc<FeedEntry>)>),
    /// The reader lags too much, or comes from elsewhere: it goes on with the entry of this number.
    Missed(u64),
    /// There will be no more: the server stops.
    Closed,
}

impl Default for Feed {
    fn default() -> Self {
        Self { ring: Mutex::default(), state: watch::Sender::new(FeedState::default()) }
    }
}

impl Feed {
    /// Adds an entry; never waits.
    pub fn push(&self, told: FeedEntry) {
        let next = {
            let mut ring = self.ring();
            if ring.entries.len() >= FEED_ENTRIES {
                ring.entries.pop_front();
            }
            ring.entries.push_back(Arc::new(told));
            ring.next += 1;
            ring.next
        };
        self.state.send_modify(|state| state.next = state.next.max(next));
    }

    /// The number of the entry to come.
    pub fn next(&self) -> u64 {
        self.ring().next
    }

    /// Ends all reading.
    pub fn close(&self) {
        self.state.send_modify(|state| state.is_closed = true);
    }

    /// The entries from this number on, as soon as there are any.
    pub async fn read(&self, from: u64) -> FeedRead {
        let mut state = self.state.subscribe();
        let is_due = |state: &FeedState| state.is_closed || state.next != from;
        match state.wait_for(is_due).await.map(|state| state.is_closed) {
            Ok(false) => self.ring().from(from),
            Ok(true) | Err(_) => FeedRead::Closed,
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn from(&self, from: u64) -> FeedRead {
        let first = self.next - self.entries.len() as u64;
        if from < first || from > self.next {
            return FeedRead::Missed(self.next);
        }
        let skipped = usize::try_from(from - first).unwrap_or(usize::MAX);
        let entries = self.entries.iter().skip(skipped).take(ENTRIES_PER_READ);
        FeedRead::Entries((from..).zip(entries.cloned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn numbers(feed: &Feed, from: u64) -> Vec<u64> {
        match feed.read(from).await {
            FeedRead::Entries(entries) => entries.into_iter().map(|(number, _)| number).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_reader_gets_everything_in_order_or_is_told_that_it_missed_some() {
        let feed = Arc::new(Feed::default());
        let waiting = tokio::spawn({
            let feed = feed.clone();
            async move { numbers(&feed, 0).await }
        });
        feed.push(FeedEntry::Gap);
        assert_eq!(waiting.await.unwrap()[0], 0);
        for _ in 0..FEED_ENTRIES {
            feed.push(FeedEntry::Gap);
        }
        assert!(matches!(feed.read(0).await, FeedRead::Missed(10_001)), "the first one is gone");
        assert_eq!(numbers(&feed, 1).await, (1..101).collect::<Vec<_>>());
        assert_eq!(numbers(&feed, 9_999).await, [9_999, 10_000]);
        assert!(matches!(feed.read(77_777).await, FeedRead::Missed(10_001)), "of another node");
        feed.close();
        assert!(matches!(feed.read(feed.next()).await, FeedRead::Closed));
    }
}
