//! A shard of the embedded store.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::alias_map::AliasMap;
use super::device_keys::DeviceKeys;
use super::request_map::Requests;
use super::takeover_history::TakeoverHistory;
use super::uuid_index::UuidIndex;
use crate::model::event::Event;
use crate::model::token::{Cached, RefusedMarks, Token, TokenRecord};
use crate::token_string::TokenId;

pub(crate) const SHARDS: usize = 256;

/// The data of some users.
#[derive(Default)]
pub(crate) struct UserShard {
    pub(crate) tokens: HashMap<TokenId, Token>,
    pub(crate) users: HashMap<String, Vec<TokenId>>,
    /// The histories, by the token that acted.
    pub(crate) takeovers: HashMap<TokenId, TakeoverHistory>,
    /// By the user, newest first.
    pub(crate) events: HashMap<String, VecDeque<Event>>,
    pub(crate) devices: DeviceKeys,
    /// The locked users.
    pub(crate) locked: HashSet<String>,
    /// Entries of any users.
    pub(crate) uuids: UuidIndex,
    /// Entries of any users.
    pub(crate) aliases: AliasMap,
    pub(crate) requests: Requests,
}

impl UserShard {
    /// The tokens of a user of this shard.
    pub(crate) fn tokens_of(&self, user: &str) -> impl Iterator<Item = &Token> {
        self.users.get(user).into_iter().flatten().filter_map(|id| self.tokens.get(id))
    }
}

/// Returns the record to change. The values cached beside it belong to the record before the change. A copy starts without
/// them, but a record with one owner is changed in place, so they are cleared.
pub(crate) fn edit(token: &mut Token) -> &mut TokenRecord {
    let record = Arc::make_mut(&mut token.record);
    record.json = Cached::default();
    record.refused = RefusedMarks::default();
    record
}

/// Locks a mutex, even if it is poisoned.
pub(crate) fn lock<T>(locked: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under a lock is a bug that stops the process anyway; the data is still whole.
    locked.lock().unwrap_or_else(PoisonError::into_inner)
}
