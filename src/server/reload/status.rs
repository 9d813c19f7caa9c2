//! The outcome of the last reload, for `GET /v1/status` and the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// The most mistakes of which the status shows the names.
const MAX_SHOWN_MISTAKES: usize = 10;

/// One reload. The load of the settings at the start counts as the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastReload {
    /// When it ended, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The names of the settings with a mistake, at most `MAX_SHOWN_MISTAKES`. If there is any, the reload was refused.
    pub mistakes: Vec<String>,
    /// The settings that the sources change and the running server keeps until its restart.
    pub needs_restart: Vec<&'static str>,
}

impl LastReload {
    /// Whether the settings were taken over.
    pub fn is_successful(&self) -> bool {
        self.mistakes.is_empty()
    }
}

/// The outcomes of the reloads of a server.
#[derive(Debug)]
pub struct ReloadStatus {
    last: ArcSwap<LastReload>,
    last_success_ms: AtomicU64,
    succeeded: AtomicU64,
    refused: AtomicU64,
}

impl ReloadStatus {
    /// The status of a server that loaded its settings at this time and has not reloaded them.
    pub fn started_at(now_ms: u64) -> Self {
        let start = LastReload { at_ms: now_ms, mistakes: Vec::new(), needs_restart: Vec::new() };
        Self {
            last: ArcSwap::from_pointee(start),
            last_success_ms: now_ms.into(),
            succeeded: AtomicU64::default(),
            refused: AtomicU64::default(),
        }
    }

    /// Returns the last reload.
    pub fn last(&self) -> Arc<LastReload> {
        self.last.load_full()
    }

    /// Returns when settings were last taken over, in milliseconds since the Unix epoch.
    pub fn last_success_ms(&self) -> u64 {
        self.last_success_ms.load(Ordering::Relaxed)
    }

    /// Returns how many reloads succeeded and how many were refused.
    pub fn counts(&self) -> (u64, u64) {
        (self.succeeded.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    pub(super) fn succeed(&self, now_ms: u64, needs_restart: Vec<&'static str>) {
        self.last.store(Arc::new(LastReload { at_ms: now_ms, mistakes: Vec::new(), needs_restart }));
        self.last_success_ms.store(now_ms, Ordering::Relaxed);
        self.succeeded.fetch_add(1, Ordering::Relaxed);
    }

    /// Records a refused reload. The settings that need a restart stay as they were known.
    pub(super) fn refuse<'a>(&self, now_ms: u64, mistakes: impl IntoIterator<Item = &'a str>) {
        let mut names = Vec::new();
        for name in mistakes {
            if names.len() < MAX_SHOWN_MISTAKES && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        let needs_restart = self.last.load().needs_restart.clone();
        self.last.store(Arc::new(LastReload { at_ms: now_ms, mistakes: names, needs_restart }));
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_reload_leaves_the_time_of_the_last_success() {
        let status = ReloadStatus::started_at(1);
        assert!(status.last().is_successful());
        status.succeed(2, vec!["listen"]);
        let names: Vec<_> = (0..12).map(|number| format!("setting-{}", number / 2 * 2)).collect();
        status.refuse(3, names.iter().map(String::as_str));
        let last = status.last();
        assert!(!last.is_successful());
        assert_eq!((last.at_ms, last.mistakes.len(), &last.needs_restart[..]), (3, 6, &["listen"][..]));
        assert_eq!((status.last_success_ms(), status.counts()), (2, (1, 1)));
        status.refuse(4, (0..20).map(|number| &names[0][..number % 9]));
        assert_eq!(status.last().mistakes.len(), 9);
    }
}
