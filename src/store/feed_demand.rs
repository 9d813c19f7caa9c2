//! Whether anybody reads the feed. A node hears of all events only while somebody does: each costs it a message to parse.

use std::sync::Arc;

use tokio::sync::watch;

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
