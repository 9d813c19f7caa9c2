//! What lies beside a copy of a record without being part of it: a clone starts without, and all are equal.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::Details;
use crate::secret::SecretHash;

/// Room for what is made of a copy of the record, or read beside it, once. Not part of the record: a clone starts
/// empty, and all are equal.
pub struct Aside<T>(OnceLock<T>);

/// What a batch shows of a token besides.
pub type DetailsOnce = Aside<Arc<Details>>;

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

    /// As [`Credential::fetch`](super::Credential::fetch).
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

/// The mark of the string that opened this record, so that it need not be verified anew for each request: see
/// [`Claim::verify_known`](crate::secret::Claim::verify_known).
#[derive(Default)]
pub struct VerifiedMark(AtomicU64);

impl VerifiedMark {
    /// The mark; 0 for none.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The string of this mark was verified.
    pub fn set(&self, mark: u64) {
        self.0.store(mark, Ordering::Relaxed);
    }
}

impl Clone for VerifiedMark {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for VerifiedMark {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for VerifiedMark {}

impl std::fmt::Debug for VerifiedMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedMark(…)")
    }
}

/// The secrets that the store was asked about, after they were presented, and did not know. They never become right:
/// a secret is handed out only after the store has it. So a string that is replayed costs no further trip.
///
/// Keeps a few; another one with the same place takes it. No memory of its own until there is one.
#[derive(Default)]
pub struct RefusedMarks(OnceLock<Box<[AtomicU64; REFUSED_MARKS]>>);

/// A power of two.
const REFUSED_MARKS: usize = 16;

impl RefusedMarks {
    /// Whether this secret was refused.
    pub fn contains(&self, secret_hash: &SecretHash) -> bool {
        let (at, mark) = Self::place(secret_hash);
        self.0.get().is_some_and(|marks| marks[at].load(Ordering::Relaxed) == mark)
    }

    /// The store does not know this secret.
    pub fn add(&self, secret_hash: &SecretHash) {
        let (at, mark) = Self::place(secret_hash);
        self.0.get_or_init(Box::default)[at].store(mark, Ordering::Relaxed);
    }

    /// Half of the hash is enough to tell a few secrets apart; 0 stands for none.
    fn place(secret_hash: &SecretHash) -> (usize, u64) {
        let mark = secret_hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes).max(1);
        (mark as usize % REFUSED_MARKS, mark)
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
    fn a_refused_secret_is_known_until_another_one_takes_its_place() {
        let secret = |first: u8, rest: u8| {
            let mut bytes = [rest; 16];
            bytes[0] = first;
            SecretHash::from_slice(&bytes).unwrap()
        };
        let marks = RefusedMarks::default();
        assert!(!marks.contains(&secret(0, 0)));
        let places = u8::try_from(REFUSED_MARKS).unwrap();
        (0..places).for_each(|n| marks.add(&secret(n, 7)));
        assert!((0..places).all(|n| marks.contains(&secret(n, 7)) && !marks.contains(&secret(n, 8))));
        marks.add(&secret(0, 8));
        assert!(marks.contains(&secret(0, 8)) && !marks.contains(&secret(0, 7)));
        assert!(marks.contains(&secret(1, 7)) && !marks.clone().contains(&secret(1, 7)));
    }
}
