//! The secrets that the store did not know, kept beside a copy of a record.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::token_string::SecretHash;

/// The last few secrets that the store did not know. They never become right, because a secret is handed out only after it
/// is stored. So a replayed string costs no further round trip.
///
/// Not part of the record: a clone starts empty, and all are equal. Allocates with the first secret.
#[derive(Default)]
pub struct RefusedMarks(OnceLock<Box<MarkRing>>);

#[derive(Default)]
pub(crate) struct MarkRing {
    /// 0 for none.
    all: [AtomicU64; REFUSED_MARKS],
    /// The number of secrets added, and so the place of the next one.
    added: AtomicUsize,
}

/// The secrets that are kept.
pub(crate) const REFUSED_MARKS: usize = 16;

impl RefusedMarks {
    /// Whether the store did not know this secret.
    pub fn contains(&self, secret_hash: &SecretHash) -> bool {
        let mark = Self::mark(secret_hash);
        self.0.get().is_some_and(|marks| marks.all.iter().any(|other| other.load(Ordering::Relaxed) == mark))
    }

    /// Adds a secret that the store does not know.
    pub fn add(&self, secret_hash: &SecretHash) {
        if !self.contains(secret_hash) {
            let marks = self.0.get_or_init(Box::default);
            let place = marks.added.fetch_add(1, Ordering::Relaxed) % REFUSED_MARKS;
            marks.all[place].store(Self::mark(secret_hash), Ordering::Relaxed);
        }
    }

    /// The mark of a secret: half of its hash, which is enough to tell a few secrets apart.
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
