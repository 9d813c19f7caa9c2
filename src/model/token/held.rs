//! Handles to a record that many threads use. Cloning an `Arc` writes the count beside the record, and the line of memory
//! then has to move between the cores that clone it. A thread's front of the near cache therefore holds a handle of its own.

use std::borrow::Borrow;
use std::cell::OnceCell;
use std::ops::Deref;
use std::sync::Arc;

use super::record::TokenRecord;

/// A handle with a count of its own: the second allocation is what it is for.
type Handle = Arc<Arc<TokenRecord>>;

/// What a thread's front holds of a cached token: the record, or that there is none, and the handle that the thread's users
/// of the record share.
pub struct HeldRecord {
    known: Option<Arc<TokenRecord>>,
    /// Made when a user first keeps the record.
    handle: OnceCell<Handle>,
}

/// A record that is known here, under a lock. To keep it, call [`KnownRecord::keep`].
#[derive(Clone, Copy, Debug)]
pub struct KnownRecord<'a> {
    record: &'a Arc<TokenRecord>,
    held: Option<&'a HeldRecord>,
}

/// A record that is kept beyond the lock.
#[derive(Clone, Debug)]
pub enum KeptRecord {
    /// Counted beside the record.
    Shared(Arc<TokenRecord>),
    /// Counted in the handle of one thread's front.
    Held(Handle),
}

impl From<Option<Arc<TokenRecord>>> for HeldRecord {
    fn from(known: Option<Arc<TokenRecord>>) -> Self {
        Self { known, handle: OnceCell::new() }
    }
}

impl Borrow<Option<Arc<TokenRecord>>> for HeldRecord {
    fn borrow(&self) -> &Option<Arc<TokenRecord>> {
        &self.known
    }
}

impl std::fmt::Debug for HeldRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldRecord")
    }
}

impl<'a> KnownRecord<'a> {
    /// A record, and what the thread's front holds of it, if it does.
    pub fn new(record: &'a Arc<TokenRecord>, held: Option<&'a HeldRecord>) -> Self {
        Self { record, held }
    }

    /// The record.
    pub fn record(self) -> &'a Arc<TokenRecord> {
        self.record
    }

    /// Returns a handle that outlives the lock.
    pub fn keep(self) -> KeptRecord {
        match self.held {
            Some(held) => KeptRecord::Held(held.handle.get_or_init(|| Arc::new(self.record.clone())).clone()),
            None => KeptRecord::Shared(self.record.clone()),
        }
    }
}

impl<'a> From<&'a Arc<TokenRecord>> for KnownRecord<'a> {
    fn from(record: &'a Arc<TokenRecord>) -> Self {
        Self::new(record, None)
    }
}

impl Deref for KnownRecord<'_> {
    type Target = Arc<TokenRecord>;

    fn deref(&self) -> &Self::Target {
        self.record
    }
}

impl Deref for KeptRecord {
    type Target = Arc<TokenRecord>;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Shared(record) => record,
            Self::Held(handle) => handle,
        }
    }
}
