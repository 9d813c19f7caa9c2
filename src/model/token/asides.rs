//! What lies beside a copy of a record without being part of it: a clone starts without, and all are equal.

pub(crate) use crate::token_string::verified_mark::VerifiedMark;
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::token_string::SecretHash;

/// Room for what is made of a copy of the record, or read beside it, once. Not part of the record: a clone starts
/// empty, and all are equal.
pub struct Aside<T>(OnceLock<T>);

/// A text of a token that may be shown again.
pub type ShownOnce = Aside<Shown>;

/// A text with a gap for what changes without the record.
pub struct Shown {
    text: Box<[u8]>,
    gap_at: u32,
}

impl Shown {
    /// A text with its gap at this byte.
    pub fn new(text: Vec<u8>, gap_at: usize) -> Self {
        let gap_at = u32::try_from(gap_at.min(text.len())).unwrap_or(0);
        Self { text: text.into(), gap_at }
    }

    /// As [`TokenRecord::fetch`](super::record::TokenRecord::fetch).
    pub fn fetch(&self) {
        /// How much memory comes at once.
        const LINE_BYTES: usize = 64;
        for byte in self.text.iter().step_by(LINE_BYTES) {
            black_box(*byte);
        }
    }

    /// What comes before the gap and what comes after it.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        self.text.split_at_checked(self.gap_at as usize).unwrap_or_default()
    }
}

impl<T> Aside<T> {
    /// What was put there, or is made now.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(make)
    }

    /// What was put there.
    pub fn get(&self) -> Option<&T> {
        self.0.get()
    }
}

impl<T> Default for Aside<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> From<T> for Aside<T> {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl<T> Clone for Aside<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> PartialEq for Aside<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Aside<T> {}

impl<T> std::fmt::Debug for Aside<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aside")
    }
}

/// Where the hot path notes an access without a lock: on the copy of the record that it holds anyway. Not part
/// of the record: a clone starts without any, and all marks are equal.
#[derive(Default)]
pub struct AccessMark {
    latest_ms: AtomicU64,
    is_queued: AtomicBool,
    has_surely_expired: AtomicBool,
}

impl AccessMark {
    /// Notes an access. True when nobody watches this mark yet: then the caller hands it to who will.
    pub fn note(&self, now_ms: u64) -> bool {
        // Concurrent accesses are at most a millisecond or two apart: whichever stays is right enough, and
        // most find nothing to write.
        if self.latest_ms.load(Ordering::Relaxed) < now_ms {
            self.latest_ms.store(now_ms, Ordering::Relaxed);
        }
        !self.is_queued.load(Ordering::Relaxed) && !self.is_queued.swap(true, Ordering::Relaxed)
    }

    /// The latest access noted; 0 for none.
    pub fn latest_ms(&self) -> u64 {
        self.latest_ms.load(Ordering::Relaxed)
    }

    /// The store knows of an access at this time: it counts as noted, and need not be written.
    pub fn learn(&self, access_ms: u64) {
        self.latest_ms.fetch_max(access_ms, Ordering::Relaxed);
    }

    /// The record has expired, and it is certain that no access in time is still to be written.
    pub fn confirm_expiry(&self) {
        self.has_surely_expired.store(true, Ordering::Relaxed);
    }

    /// Whether [`AccessMark::confirm_expiry`] was called.
    pub fn has_surely_expired(&self) -> bool {
        self.has_surely_expired.load(Ordering::Relaxed)
    }

    /// Nobody watches this mark any more.
    pub fn release(&self) {
        self.is_queued.store(false, Ordering::Relaxed);
    }
}

impl Clone for AccessMark {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for AccessMark {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for AccessMark {}

impl std::fmt::Debug for AccessMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessMark({})", self.latest_ms())
    }
}

/// The secrets that the store was asked about, after they were presented, and did not know. They never become right:
/// a secret is handed out only after the store has it. So a string that is replayed costs no further trip.
///
/// Keeps the last few. No memory of its own until there is one.
#[derive(Default)]
pub struct RefusedMarks(OnceLock<Box<Marks>>);

#[derive(Default)]
pub(crate) struct Marks {
    /// 0 for none.
    all: [AtomicU64; REFUSED_MARKS],
    /// How many were added, which is the place of the next.
    added: AtomicUsize,
}

pub(crate) const REFUSED_MARKS: usize = 16;

impl RefusedMarks {
    /// Whether this secret was refused.
    pub fn contains(&self, secret_hash: &SecretHash) -> bool {
        let mark = Self::mark(secret_hash);
        self.0.get().is_some_and(|marks| marks.all.iter().any(|other| other.load(Ordering::Relaxed) == mark))
    }

    /// The store does not know this secret.
    pub fn add(&self, secret_hash: &SecretHash) {
        if !self.contains(secret_hash) {
            let marks = self.0.get_or_init(Box::default);
            let place = marks.added.fetch_add(1, Ordering::Relaxed) % REFUSED_MARKS;
            marks.all[place].store(Self::mark(secret_hash), Ordering::Relaxed);
        }
    }

    /// Half of the hash: enough to tell a few secrets apart.
    fn mark(secret_hash: &SecretHash) -> u64 {
        secret_hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes).max(1)
    }
}

impl Clone for RefusedMarks {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for RefusedMarks {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for RefusedMarks {}

impl std::fmt::Debug for RefusedMarks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefusedMarks(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_refused_secrets_are_known() {
        let secret = |n: usize| SecretHash::from_slice(&[u8::try_from(n).unwrap(); 16]).unwrap();
        let marks = RefusedMarks::default();
        assert!(!marks.contains(&secret(0)));
        for n in 0..REFUSED_MARKS {
            marks.add(&secret(n));
            marks.add(&secret(n));
        }
        assert!((0..REFUSED_MARKS).all(|n| marks.contains(&secret(n))), "each takes one place");
        marks.add(&secret(REFUSED_MARKS));
        assert!(!marks.contains(&secret(0)) && (1..=REFUSED_MARKS).all(|n| marks.contains(&secret(n))));
        assert!(!marks.clone().contains(&secret(1)), "a copy is another record's");
    }
}
