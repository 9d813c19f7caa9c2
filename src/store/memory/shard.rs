//! The data of a shard: the tokens of its users, their device keys, and what has the hash tag of another thing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::takeover_history::TakeoverHistory;
use crate::foreign::{AliasName, ForeignDigest, UuidDigest};
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::model::event::Event;
use crate::model::idempotency::{BodyDigest, IdempotentRequest, REMEMBERED_MS, RequestName};
use crate::model::token::{Cached, RefusedMarks, Token, TokenRecord};
use crate::store::error::StoreError;
use crate::store::rejection::{Outcome, Rejection};
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

/// The ids of imported tokens, each with the time until which it is kept.
#[derive(Default)]
pub(crate) struct AliasMap(HashMap<AliasName, (TokenId, u64)>);

impl AliasMap {
    pub(crate) fn get(&self, digest: &ForeignDigest, now_ms: u64) -> Option<TokenId> {
        self.0.get(&digest.alias_name()).filter(|(_, until_ms)| *until_ms > now_ms).map(|(id, _)| *id)
    }

    /// Keeps an alias. Returns whether there was none of this digest.
    pub(crate) fn put(&mut self, digest: &ForeignDigest, id: TokenId, until_ms: u64) -> bool {
        self.0.insert(digest.alias_name(), (id, until_ms)).is_none()
    }

    /// Removes the expired ones, and returns how many there were.
    pub(crate) fn prune(&mut self, now_ms: u64) -> usize {
        let before = self.0.len();
        self.0.retain(|_, (_, until_ms)| *until_ms > now_ms);
        before - self.0.len()
    }
}

/// The device keys of the users of a shard.
#[derive(Default)]
pub(crate) struct DeviceKeys {
    pub(crate) keys: HashMap<DeviceId, DeviceKey>,
    /// No list is empty.
    pub(crate) of_users: HashMap<String, Vec<DeviceId>>,
}

impl DeviceKeys {
    pub(crate) fn of(&self, user: &str) -> impl Iterator<Item = &DeviceKey> {
        self.of_users.get(user).into_iter().flatten().filter_map(|id| self.keys.get(id))
    }

    pub(crate) fn find(&self, user: &str, uuid: &str, now_ms: u64) -> Option<DeviceId> {
        self.of(user).find(|key| key.uuid == uuid && key.is_kept(now_ms)).map(|key| key.id)
    }

    pub(crate) fn remove(&mut self, id: DeviceId) {
        let Some(DeviceKey { user, .. }) = self.keys.remove(&id) else { return };
        let Some(ids) = self.of_users.get_mut(&user) else { return };
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            self.of_users.remove(&user);
        }
    }

    /// Prunes the expired keys of a user: a late login must not revive a key that no listing shows.
    pub(crate) fn prune_of(&mut self, user: &str, now_ms: u64) {
        let gone: Vec<_> = self.of(user).filter(|key| !key.is_kept(now_ms)).map(|key| key.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    pub(crate) fn prune(&mut self, now_ms: u64) {
        let gone: Vec<_> = self.keys.values().filter(|key| !key.is_kept(now_ms)).map(|key| key.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }
}

/// The ids of the device keys that were imported with each uuid, and until when each entry is kept.
#[derive(Default)]
pub(crate) struct UuidIndex(HashMap<AliasName, Vec<(DeviceId, u64)>>);

impl UuidIndex {
    pub(crate) fn entries(&self, digest: &UuidDigest, now_ms: u64) -> Vec<DeviceId> {
        let entries = self.0.get(&digest.name()).into_iter().flatten();
        entries.filter(|(_, until_ms)| *until_ms > now_ms).map(|(id, _)| *id).collect()
    }

    /// Adds an entry, or keeps it for longer. Returns false if there are `max` others.
    pub(crate) fn put(
        &mut self,
        digest: &UuidDigest,
        (id, until_ms): (DeviceId, u64),
        max: usize,
        now_ms: u64,
    ) -> bool {
        let entries = self.0.entry(digest.name()).or_default();
        entries.retain(|(_, until_ms)| *until_ms > now_ms);
        if let Some((_, known_ms)) = entries.iter_mut().find(|(other, _)| *other == id) {
            *known_ms = until_ms.max(*known_ms);
            return true;
        }
        let has_room = entries.len() < max;
        if has_room {
            entries.push((id, until_ms));
        }
        has_room
    }

    /// Removes the expired entries.
    pub(crate) fn prune(&mut self, now_ms: u64) {
        self.0.retain(|_, entries| {
            entries.retain(|(_, until_ms)| *until_ms > now_ms);
            !entries.is_empty()
        });
    }
}

/// The most requests that a shard remembers.
const MAX_PER_SHARD: usize = 4096;

/// A request: its body, the answer if it is kept, and until when.
struct RememberedRequest {
    body: BodyDigest,
    answer: Vec<u8>,
    until_ms: u64,
}

/// The requests of a shard.
#[derive(Default)]
pub(crate) struct Requests {
    /// The remembered requests, by the shard of the request's name.
    claims: HashMap<RequestName, RememberedRequest>,
    /// The token that was made, if one was, and until when that is remembered. By the shard of the user.
    done: HashMap<RequestName, (Option<TokenId>, u64)>,
}

impl Requests {
    /// Refuses a request that was done before.
    pub(crate) fn refuse_repeat(&self, name: Option<RequestName>, now_ms: u64) -> Outcome<()> {
        match name.and_then(|name| self.done.get(&name)) {
            Some((token, until_ms)) if *until_ms > now_ms => Err(Rejection::DoneBefore(*token)),
            _ => Ok(()),
        }
    }

    /// Remembers that a request was done, and the token that it made.
    pub(crate) fn remember(&mut self, name: Option<RequestName>, token: Option<TokenId>, now_ms: u64) {
        self.done.extend(name.map(|name| (name, (token, now_ms + REMEMBERED_MS))));
    }

    /// Removes the expired requests.
    pub(crate) fn prune(&mut self, now_ms: u64) {
        self.claims.retain(|_, claim| claim.until_ms > now_ms);
        self.done.retain(|_, (_, until_ms)| *until_ms > now_ms);
    }

    /// Claims a request for its first sender. Returns the answer that is kept of an earlier one.
    ///
    /// # Errors
    /// `Unavailable` if as many requests are remembered as may be.
    pub(crate) fn claim(
        &mut self,
        request: &IdempotentRequest,
        now_ms: u64,
    ) -> Result<Outcome<Option<Vec<u8>>>, StoreError> {
        match self.claims.get(&request.name).filter(|claim| claim.until_ms > now_ms) {
            Some(claim) if claim.body != request.body => Ok(Err(Rejection::OtherBody)),
            Some(claim) => Ok(Ok(Some(claim.answer.clone()).filter(|answer| !answer.is_empty()))),
            None if self.claims.len() >= MAX_PER_SHARD => Err(StoreError::Unavailable(
                "the embedded store remembers as many requests with Idempotency-Key as it may".into(),
            )),
            None => {
                self.keep(request, &[], now_ms);
                Ok(Ok(None))
            }
        }
    }

    /// Keeps the answer of a request, unless another is kept. Returns the one that is kept.
    pub(crate) fn keep_first(&mut self, request: &IdempotentRequest, answer: &[u8], now_ms: u64) -> Vec<u8> {
        let claim = self.claims.get(&request.name).filter(|claim| claim.until_ms > now_ms);
        match claim.filter(|claim| claim.body == request.body && !claim.answer.is_empty()) {
            Some(claim) => claim.answer.clone(),
            None => {
                self.keep(request, answer, now_ms);
                answer.to_vec()
            }
        }
    }

    fn keep(&mut self, request: &IdempotentRequest, answer: &[u8], now_ms: u64) {
        let claim = RememberedRequest {
            body: request.body,
            answer: answer.to_vec(),
            until_ms: now_ms + REMEMBERED_MS,
        };
        self.claims.insert(request.name, claim);
    }
}
