//! The embedded store: shards of users under locks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, OnceLock};

use super::shard::{SHARDS, UserShard, lock};
use super::takeover_history::TakenOver;
use crate::model::cutoff::{Cutoff, CutoffName};
use crate::model::node_report::ReportedNode;
use crate::model::token::RelatedObject;
use crate::store::change_counters::ChangeCounters;
use crate::store::feed::Feed;
use crate::store::limits::StoreLimits;
use crate::token_string::{HashTag, TokenId};

/// The embedded store. All data of a user is in one shard, so an operation on a user holds one lock.
pub struct MemoryStore {
    pub(crate) shards: Vec<Mutex<UserShard>>,
    pub(crate) limits: StoreLimits,
    pub(crate) max_tokens: usize,
    pub(crate) tokens: AtomicUsize,
    /// The number of aliases, including the aliases of removed tokens.
    pub(crate) aliases: AtomicUsize,
    /// Held by an import. Locked before a shard.
    pub(crate) importing: Mutex<()>,
    /// Locked after a shard, never before.
    pub(crate) objects: Mutex<Objects>,
    /// Locked after a shard, never before. In the order of the shards.
    pub(crate) taken_over: Vec<Mutex<TakenOver>>,
    /// The next shard to prune, modulo the number of shards.
    pub(crate) next_pruned: AtomicUsize,
    token_key: OnceLock<String>,
    pub(crate) cutoffs: Mutex<BTreeMap<CutoffName, Cutoff>>,
    /// By the id of the node.
    pub(crate) node_reports: Mutex<BTreeMap<String, ReportedNode>>,
    pub(crate) feed: Feed,
    pub(crate) changes: ChangeCounters,
}

impl MemoryStore {
    /// An empty store for at most `max_tokens` tokens.
    pub fn new(limits: StoreLimits, max_tokens: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let (tokens, token_key) = (AtomicUsize::new(0), OnceLock::new());
        Self {
            shards,
            limits,
            max_tokens,
            tokens,
            aliases: AtomicUsize::new(0),
            importing: Mutex::default(),
            objects: Mutex::default(),
            taken_over: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next_pruned: AtomicUsize::new(0),
            token_key,
            cutoffs: Mutex::default(),
            node_reports: Mutex::default(),
            feed: Feed::default(),
            changes: ChangeCounters::default(),
        }
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(crate) fn shard(&self, tag: HashTag) -> MutexGuard<'_, UserShard> {
        lock(&self.shards[tag.index() % SHARDS])
    }

    pub(crate) fn shared_token_key(&self, proposed: &str) -> String {
        self.token_key.get_or_init(|| proposed.to_owned()).clone()
    }

    pub(crate) fn stored_token_key(&self) -> Option<String> {
        self.token_key.get().cloned()
    }
}

/// The tokens of each object.
pub(crate) type Objects = HashMap<RelatedObject, HashSet<TokenId>>;
