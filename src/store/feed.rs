//! The live feed of events: the newest events of all users that this node heard of.
//!
//! Delivery is at most once. Events published while this node's connection was lost are missing. The feed marks that gap,
//! and warns a reader that lags by more than [`FEED_ENTRIES`]. The reader then reads the histories of its users, which are
//! complete.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::model::event::Event;

/// The entries that are kept for readers that lag or return.
pub const FEED_ENTRIES: usize = 10_000;
/// The most entries in one read.
const ENTRIES_PER_READ: usize = 100;

/// An entry of the feed.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "gaps are rare, and the entries are behind an Arc")]
pub enum FeedEntry {
    /// An event of this user, whose name is empty for an event of a cut-off.
    Event(String, Event),
    /// Events may be missing here.
    Gap,
}

/// The feed of a node.
pub struct Feed {
    ring: Mutex<Ring>,
    state: watch::Sender<FeedState>,
    cutoffs_changed: Notify,
    demand: FeedDemand,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<Arc<FeedEntry>>,
    /// The number of the next entry.
    next: u64,
    stats: FeedStats,
}

/// Counters since the feed was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedStats {
    /// Events that this node heard of.
    pub events: u64,
    /// Gaps: events may be missing there.
    pub gaps: u64,
    /// Entries that were dropped before a lagging reader read them, summed over the readers.
    pub missed: u64,
}

#[derive(Clone, Copy, Default)]
struct FeedState {
    next: u64,
    is_closed: bool,
}

/// The outcome of a read.
#[derive(Debug)]
pub enum FeedRead {
    /// Entries, each with its number.
    Entries(Vec<(u64, Arc<FeedEntry>)>),
    /// The reader lags too much, or read another node's feed before: continue with the entry of this number.
    Missed(u64),
    /// The server stops.
    Closed,
}

impl Default for Feed {
    /// A feed that all events reach from the start.
    fn default() -> Self {
        Self::new(FeedDemand::new(true))
    }
}

impl Feed {
    /// A feed that not all events reach while nobody reads it.
    #[cfg(feature = "redis")]
    pub(crate) fn on_demand() -> Self {
        Self::new(FeedDemand::new(false))
    }

    fn new(demand: FeedDemand) -> Self {
        Self {
            demand,
            ring: Mutex::default(),
            state: watch::Sender::new(FeedState::default()),
            cutoffs_changed: Notify::new(),
        }
    }
}

impl Feed {
    /// Adds an entry; never waits.
    pub fn push(&self, entry: FeedEntry) {
        let may_tell_cutoffs = match &entry {
            FeedEntry::Event(_, event) => event.kind.is_of_cutoff(),
            FeedEntry::Gap => true,
        };
        let next = {
            let mut ring = self.ring();
            if ring.entries.len() >= FEED_ENTRIES {
                ring.entries.pop_front();
            }
            match entry {
                FeedEntry::Event(..) => ring.stats.events += 1,
                FeedEntry::Gap => ring.stats.gaps += 1,
            }
            ring.entries.push_back(Arc::new(entry));
            ring.next += 1;
            ring.next
        };
        self.state.send_modify(|state| state.next = state.next.max(next));
        if may_tell_cutoffs {
            self.cutoffs_changed.notify_one();
        }
    }

    /// Lets the cut-offs be read again: the store has other data.
    pub(crate) fn read_cutoffs_again(&self) {
        self.cutoffs_changed.notify_one();
    }

    /// The readers of the feed.
    pub fn demand(&self) -> &FeedDemand {
        &self.demand
    }

    /// Waits for an event of a cut-off, a gap in which one may be missing, or other data. Only one task may wait.
    pub async fn cutoffs_changed(&self) {
        self.cutoffs_changed.notified().await;
    }

    /// The number of the next entry.
    pub fn next(&self) -> u64 {
        self.ring().next
    }

    /// Returns the counters.
    pub fn stats(&self) -> FeedStats {
        self.ring().stats
    }

    /// Ends all reads.
    pub fn close(&self) {
        self.state.send_modify(|state| state.is_closed = true);
    }

    /// Waits for entries from this number on, and returns them.
    pub async fn read(&self, from: u64) -> FeedRead {
        let mut state = self.state.subscribe();
        let is_ready = |state: &FeedState| state.is_closed || state.next != from;
        match state.wait_for(is_ready).await.map(|state| state.is_closed) {
            Ok(false) => self.ring().from(from),
            Ok(true) | Err(_) => FeedRead::Closed,
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn from(&mut self, from: u64) -> FeedRead {
        let first = self.next - self.entries.len() as u64;
        if from < first || from > self.next {
            // A number beyond the feed is of another node: nothing is known of what was missed.
            self.stats.missed += first.saturating_sub(from);
            return FeedRead::Missed(self.next);
        }
        let skipped = usize::try_from(from - first).unwrap_or(usize::MAX);
        let entries = self.entries.iter().skip(skipped).take(ENTRIES_PER_READ);
        FeedRead::Entries((from..).zip(entries.cloned()).collect())
    }
}

/// The readers of a feed, and whether all events reach it.
pub struct FeedDemand {
    readers: Arc<watch::Sender<usize>>,
    is_complete: watch::Sender<bool>,
}

/// Counts as a reader of the feed until it is dropped.
pub struct FeedFollower(Arc<watch::Sender<usize>>);

impl FeedDemand {
    /// `is_complete`: whether all events reach the feed from the start.
    pub(crate) fn new(is_complete: bool) -> Self {
        Self { readers: Arc::new(watch::Sender::new(0)), is_complete: watch::Sender::new(is_complete) }
    }

    /// Counts a reader.
    pub fn follow(&self) -> FeedFollower {
        self.readers.send_modify(|readers| *readers += 1);
        FeedFollower(self.readers.clone())
    }

    /// Waits until all events reach the feed.
    pub async fn wait_until_complete(&self) {
        // Fails only without the sender, which is here.
        let _ = self.is_complete.subscribe().wait_for(|is_complete| *is_complete).await;
    }

    /// Subscribes to the number of readers.
    pub(crate) fn readers(&self) -> watch::Receiver<usize> {
        self.readers.subscribe()
    }

    /// Notes whether all events reach the feed from now on.
    pub(crate) fn set_complete(&self, is_complete: bool) {
        self.is_complete.send_replace(is_complete);
    }
}

impl Drop for FeedFollower {
    fn drop(&mut self) {
        self.0.send_modify(|readers| *readers -= 1);
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
    async fn a_reader_gets_all_entries_in_order_or_learns_of_a_gap() {
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
