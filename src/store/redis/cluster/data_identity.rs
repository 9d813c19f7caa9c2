//! What names the data of a server.
//!
//! A server that was restarted and a replica that was promoted may lack what was acknowledged before. Three fields of `INFO`
//! name the data of a master: `run_id` changes with each start of the server, `master_replid` with each promotion, also
//! of a server that had been demoted, and `master_repl_offset` counts what was written (Redis documentation,
//! "Replication"). If the ids stay and the offset goes back, the running server itself was set back: to a snapshot of its
//! virtual machine or to a checkpoint of its container. A server without replicas and append-only file does not count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redis::aio::ConnectionLike;
use redis::{RedisResult, cmd};

/// The sections of `INFO` that name the data.
pub(crate) const IDENTITY_SECTIONS: [&str; 2] = ["server", "replication"];

/// Names the data of a server.
pub(crate) struct DataIdentity {
    /// The id of the server process; empty if it has none.
    pub(crate) run_id: String,
    replication_id: String,
    /// The highest offset that the server has told. [`SET_BACK`] once it has told a lower one.
    offset: AtomicU64,
    pub(super) is_accepted: Arc<AtomicBool>,
}

/// No server has written so much: the server has other data than this for good.
const SET_BACK: u64 = u64::MAX;

impl DataIdentity {
    pub(super) fn new(info: &str) -> Self {
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let (run_id, replication_id) = (field("run_id:").trim(), field("master_replid:").trim());
        Self {
            run_id: run_id.to_owned(),
            replication_id: replication_id.to_owned(),
            offset: AtomicU64::new(field("master_repl_offset:").trim().parse().unwrap_or_default()),
            is_accepted: Arc::default(),
        }
    }

    /// Returns whether this node may use the data.
    #[inline]
    pub(crate) fn is_accepted(&self) -> bool {
        self.is_accepted.load(Ordering::SeqCst)
    }

    /// Returns what tells whether this node may use the data.
    pub(crate) fn acceptance(&self) -> Arc<AtomicBool> {
        self.is_accepted.clone()
    }

    fn has_ids_of(&self, other: &Self) -> bool {
        (&self.run_id, &self.replication_id) == (&other.run_id, &other.replication_id)
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset.load(Ordering::SeqCst)
    }

    /// Returns whether an answer of the server names this data. `known_offset` is the offset that was known before the server
    /// was asked: answers over several connections come in any order.
    pub(super) fn is_named_by(&self, seen: &Self, known_offset: u64) -> bool {
        if !self.has_ids_of(seen) {
            return false;
        }
        let is_set_back = seen.offset() < known_offset;
        self.offset.fetch_max(if is_set_back { SET_BACK } else { seen.offset() }, Ordering::SeqCst);
        !is_set_back
    }

    /// Asks the server whether its data is still this.
    pub(crate) async fn lasts(&self, connection: &mut impl ConnectionLike) -> RedisResult<bool> {
        let known_offset = self.offset();
        Ok(self.is_named_by(&Self::new(&ask(connection).await?), known_offset))
    }
}

/// Asks a server for what names its data.
pub(super) async fn ask(connection: &mut impl ConnectionLike) -> RedisResult<String> {
    cmd("INFO").arg(&IDENTITY_SECTIONS).query_async(connection).await
}
