//! A shard of the embedded store.

use super::device_keys::Devices;
use super::takeover_history::History;
use crate::model::event::Event;
use crate::model::token::{Cached, RefusedMarks, Token, TokenRecord};
use crate::token_string::TokenId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) const SHARDS: usize = 256;

#[derive(Default)]
pub(crate) struct Shard {
    pub(crate) tokens: HashMap<TokenId, Token>,
    pub(crate) users: HashMap<String, Vec<TokenId>>,
    /// By the token that acted.
    pub(crate) takeovers: HashMap<TokenId, History>,
    /// By the user, newest first.
    pub(crate) events: HashMap<String, VecDeque<Event>>,
    pub(crate) devices: Devices,
}

/// The record to be changed. What lies beside it belongs to the record before the change; a copy starts without, but
/// a record that has one owner is changed in place.
pub(crate) fn edit(token: &mut Token) -> &mut TokenRecord {
    let record = Arc::make_mut(&mut token.record);
    record.json = Cached::default();
    record.refused = RefusedMarks::default();
    record
}

pub(crate) fn lock<T>(locked: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a lock is held is a bug that stops the process anyway; the data is still whole.
    locked.lock().unwrap_or_else(PoisonError::into_inner)
}
