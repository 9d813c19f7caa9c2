//! What a node remembers, and for how long.
//!
//! **An entry ages only while its master is proven.** It is forgotten once an accepted master of its slot has proved its
//! authority at least one window after the entry was made: that master has the change, and so does whatever follows it, as
//! long as that is at most one window behind. So an outage of ten minutes forgets nothing.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::aged_map::{AgedMap, Bounds};
use super::entries::{Change, ChangeKey, Ending, EndingKey, HeardEnding, RememberedRevocation};
use super::merge_counts::MergeCounts;
use crate::clock::Clock;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::master_map::MasterMap;
use crate::token_string::{HashTag, TokenId};
use crate::values::SecretString;

/// The most revocations that a node remembers: about 50 bytes each.
pub const MAX_REVOCATIONS: usize = 1_000_000;
/// The most other endings: of takeovers, device keys, locks, users and cut-offs.
pub const MAX_OTHER_ENDINGS: usize = 100_000;
/// The most changes, and their fields in bytes.
pub const MAX_CHANGES: usize = 200_000;
/// See [`MAX_CHANGES`].
pub const MAX_CHANGE_BYTES: usize = 64 * 1024 * 1024;
/// The pause between two rounds of forgetting.
const ROUND_MS: u64 = 1000;

/// What a node remembers of acknowledged changes. Shared by the operations, the event feed and the readers.
pub(crate) struct ReplayMemory {
    window_ms: u64,
    clock: Clock,
    /// The number of remembered revocations: readers look at it before they lock anything.
    revocations: AtomicUsize,
    forgotten: AtomicU64,
    merged: Mutex<MergeTotals>,
    remembered: Mutex<Remembered>,
    /// The token key that the store had when it was last read.
    token_key: Mutex<Option<SecretString>>,
}

struct Remembered {
    revocations: AgedMap<TokenId, RememberedRevocation>,
    endings: AgedMap<EndingKey, Ending>,
    changes: AgedMap<ChangeKey, Change>,
    /// When each master last proved its authority, on the boot time clock.
    proofs: Vec<(Weak<Master>, u64)>,
    forgot_at_ms: u64,
    /// Whether a bound was reached since the memory was last empty.
    is_over: bool,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplaySize {
    /// Revoked tokens.
    pub revocations: usize,
    /// Other endings.
    pub endings: usize,
    /// Changes.
    pub changes: usize,
    /// The fields of the changes, in bytes.
    pub change_bytes: usize,
    /// Entries that went at a bound, since the start.
    pub forgotten: u64,
}

/// The merges of this node since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeTotals {
    /// Merges that sent anything.
    pub merges: u64,
    /// How long they took together.
    pub took_ms: u64,
    /// What they have changed.
    pub counts: MergeCounts,
}

/// A copy of remembered endings.
pub(crate) struct RememberedEndings {
    pub(crate) revocations: Vec<(TokenId, RememberedRevocation)>,
    pub(crate) others: Vec<(EndingKey, Ending)>,
}

/// Shows sizes only: users and hashes are in the entries.
impl fmt::Debug for ReplayMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayMemory({:?})", self.size())
    }
}

impl ReplayMemory {
    /// `window_ms` is the setting `replay-window`; 0 remembers nothing.
    pub(crate) fn new(window_ms: u64, clock: Clock) -> Self {
        let of_entries = |entries| Bounds { entries, heap_bytes: 0 };
        Self::with_bounds(
            window_ms,
            clock,
            of_entries(MAX_REVOCATIONS),
            of_entries(MAX_OTHER_ENDINGS),
            Bounds { entries: MAX_CHANGES, heap_bytes: MAX_CHANGE_BYTES },
        )
    }

    pub(crate) fn with_bounds(
        window_ms: u64,
        clock: Clock,
        revocations: Bounds,
        endings: Bounds,
        changes: Bounds,
    ) -> Self {
        let remembered = Remembered {
            revocations: AgedMap::new(revocations),
            endings: AgedMap::new(endings),
            changes: AgedMap::new(changes),
            proofs: Vec::new(),
            forgot_at_ms: 0,
            is_over: false,
        };
        Self {
            window_ms,
            clock,
            revocations: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
            merged: Mutex::default(),
            remembered: Mutex::new(remembered),
            token_key: Mutex::default(),
        }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the token key that the store has; `None` if it has none.
    pub(crate) fn remember_token_key(&self, key: Option<&str>) {
        *self.known_token_key() = key.map(SecretString::new);
    }

    /// Returns the token key that the store had when it was last read.
    pub(crate) fn token_key(&self) -> Option<SecretString> {
        self.known_token_key().clone()
    }

    fn known_token_key(&self) -> MutexGuard<'_, Option<SecretString>> {
        self.token_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether nodes remember anything at all: the setting `replay-window` is not 0.
    pub(crate) fn is_on(&self) -> bool {
        self.window_ms > 0
    }

    pub(crate) fn window_ms(&self) -> u64 {
        self.window_ms
    }

    /// Returns whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        let remembered = self.remembered();
        remembered.revocations.len() + remembered.endings.len() + remembered.changes.len() == 0
    }

    pub(crate) fn size(&self) -> ReplaySize {
        let remembered = self.remembered();
        ReplaySize {
            revocations: remembered.revocations.len(),
            endings: remembered.endings.len(),
            changes: remembered.changes.len(),
            change_bytes: remembered.changes.heap_bytes(),
            forgotten: self.forgotten.load(Ordering::Relaxed),
        }
    }

    /// Counts a merge, if it sent anything.
    pub(crate) fn note_merge(&self, counts: MergeCounts, took_ms: u64) {
        if counts.sent > 0 {
            let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
            merged.merges += 1;
            merged.took_ms += took_ms;
            merged.counts += counts;
        }
    }

    pub(crate) fn merge_totals(&self) -> MergeTotals {
        *self.merged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an ending. This node calls it before it acknowledges the ending, and when it hears of one.
    pub(crate) fn hear(&self, ending: HeardEnding) {
        if !self.is_on() {
            return;
        }
        let at_ms = self.clock.boottime_ms();
        let mut remembered = self.remembered();
        let forgotten = match ending {
            HeardEnding::Token(id, revocation) => {
                remembered.changes.remove(&ChangeKey::Token(id));
                // The first time counts, as in the store.
                match remembered.revocations.get(&id) {
                    Some(_) => 0,
                    None => remembered.revocations.put(at_ms, id, revocation),
                }
            }
            HeardEnding::Other(key, ending) => {
                if let (EndingKey::Device(id), Ending::DeviceRemoved) = (&key, &ending) {
                    remembered.changes.remove(&ChangeKey::Device(*id));
                }
                let ending = ending.after(remembered.endings.get(&key));
                remembered.endings.put(at_ms, key, ending)
            }
        };
        self.revocations.store(remembered.revocations.len(), Ordering::Release);
        self.note_forgotten(&mut remembered, forgotten);
    }

    /// Remembers a change that this node is about to acknowledge. A token that is known to be revoked stays revoked, and a
    /// removed device key stays removed.
    pub(crate) fn keep(&self, key: ChangeKey, mut change: Change) {
        if !self.is_on() {
            return;
        }
        let at_ms = self.clock.boottime_ms();
        let mut remembered = self.remembered();
        let has_ended = match key {
            ChangeKey::Token(id) => remembered.revocations.get(&id).is_some(),
            ChangeKey::Device(id) => {
                remembered.endings.get(&EndingKey::Device(id)) == Some(&Ending::DeviceRemoved)
            }
            ChangeKey::Takeover(_) | ChangeKey::Request(_) | ChangeKey::DoneRequest(..) => false,
        };
        if has_ended {
            return;
        }
        if let (Change::Token(new), Some(Change::Token(old))) = (&mut change, remembered.changes.get(&key)) {
            // Only the import knows the alias, and not every change tells the last access.
            new.alias = new.alias.take().or_else(|| old.alias.clone());
            new.last_access_ms = new.last_access_ms.max(old.last_access_ms);
        }
        let forgotten = remembered.changes.put(at_ms, key, change);
        self.note_forgotten(&mut remembered, forgotten);
    }

    /// Counts entries that went at a bound, and logs the first of a series.
    fn note_forgotten(&self, remembered: &mut Remembered, forgotten: u64) {
        if forgotten == 0 {
            return;
        }
        self.forgotten.fetch_add(forgotten, Ordering::Relaxed);
        if !std::mem::replace(&mut remembered.is_over, true) {
            tracing::warn!(
                revocations = remembered.revocations.len(),
                changes = remembered.changes.len(),
                change_bytes = remembered.changes.heap_bytes(),
                "replay memory full, oldest entries forgotten"
            );
        }
    }

    /// Returns whether this node remembers the revocation of a token. While there is none at all, it costs one load.
    pub(crate) fn is_revoked(&self, id: &TokenId) -> bool {
        self.revocations.load(Ordering::Acquire) > 0 && self.remembered().revocations.get(id).is_some()
    }

    /// Returns when a takeover was ended early, if this node remembers it.
    pub(crate) fn takeover_ended_at_ms(&self, takeover: TokenId) -> Option<u64> {
        match self.remembered().endings.get(&EndingKey::Takeover(takeover)) {
            Some(Ending::Takeover { at_ms, .. }) => Some(*at_ms),
            _ => None,
        }
    }

    /// Copies the endings that were heard of at `since_ms` on the boot time clock or later and that `is_wanted`, by hash tag.
    pub(crate) fn endings(&self, since_ms: u64, is_wanted: impl Fn(HashTag) -> bool) -> RememberedEndings {
        let remembered = self.remembered();
        let revocations = remembered.revocations.iter().filter(|(_, at_ms, _)| *at_ms >= since_ms);
        let others = remembered.endings.iter().filter(|(_, at_ms, _)| *at_ms >= since_ms);
        let revocations = revocations.filter(|(id, ..)| is_wanted(id.hash_tag()));
        let others = others.filter(|(key, ..)| is_wanted(key.hash_tag()));
        RememberedEndings {
            revocations: revocations.map(|(id, _, revocation)| (*id, *revocation)).collect(),
            others: others.map(|(key, _, ending)| (key.clone(), ending.clone())).collect(),
        }
    }

    /// Lists the changes that are younger than this. [`changes`](Self::changes) copies some of them: all may be large.
    pub(crate) fn change_keys(&self, younger_than_ms: u64) -> Vec<ChangeKey> {
        let now_ms = self.clock.boottime_ms();
        let remembered = self.remembered();
        let is_young = |at_ms: u64| now_ms.saturating_sub(at_ms) < younger_than_ms;
        let young = remembered.changes.iter().filter(|(_, at_ms, _)| is_young(*at_ms));
        young.map(|(key, ..)| *key).collect()
    }

    /// Copies these changes, as far as they are still remembered: the change of a token that was revoked meanwhile is not.
    pub(crate) fn changes(&self, keys: &[ChangeKey]) -> Vec<(ChangeKey, Change)> {
        let remembered = self.remembered();
        keys.iter().filter_map(|key| Some((*key, remembered.changes.get(key)?.clone()))).collect()
    }

    /// Notes that an accepted master has proved its authority by a probe that was sent at `sent_at_ms` on the boot time clock.
    /// Entries in its slots that are older than the window by then are forgotten.
    pub(crate) fn master_proven(&self, map: &MasterMap, master: &Arc<Master>, sent_at_ms: u64) {
        if !self.is_on() {
            return;
        }
        let mut remembered = self.remembered();
        let remembered = &mut *remembered;
        remembered.proofs.retain(|(known, _)| known.strong_count() > 0);
        match remembered.proofs.iter_mut().find(|(known, _)| known.as_ptr() == Arc::as_ptr(master)) {
            Some((_, at_ms)) => *at_ms = sent_at_ms.max(*at_ms),
            None => remembered.proofs.push((Arc::downgrade(master), sent_at_ms)),
        }
        if sent_at_ms < remembered.forgot_at_ms + ROUND_MS {
            return;
        }
        remembered.forgot_at_ms = sent_at_ms;
        self.forget(remembered, map);
        self.revocations.store(remembered.revocations.len(), Ordering::Release);
    }

    /// Forgets the entries whose masters were proven a window after them.
    fn forget(&self, remembered: &mut Remembered, map: &MasterMap) {
        let Remembered { revocations, endings, changes, proofs, is_over, .. } = remembered;
        let latest_ms = proofs.iter().map(|(_, at_ms)| *at_ms).max().unwrap_or_default();
        let Some(until_ms) = latest_ms.checked_sub(self.window_ms) else { return };
        let proven_ms = |master: &Arc<Master>| {
            let proof = proofs.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(master));
            proof.map_or(0, |(_, proven_ms)| *proven_ms)
        };
        let is_proven = |tag: HashTag, at_ms: u64| {
            map.owner_of(tag).is_some_and(|owner| at_ms + self.window_ms <= proven_ms(owner))
        };
        revocations.forget(until_ms, |id, at_ms| is_proven(id.hash_tag(), at_ms));
        endings.forget(until_ms, |key, at_ms| is_proven(key.hash_tag(), at_ms));
        // A change has entries in other slots, too, so all masters count.
        let tokens_at = map.masters.iter().filter(|master| master.may_have_tokens());
        let all_proven_ms = tokens_at.map(proven_ms).min().unwrap_or_default();
        changes.forget(until_ms, |_, at_ms| at_ms + self.window_ms <= all_proven_ms);
        *is_over &= revocations.len() + endings.len() + changes.len() > 0;
    }
}
