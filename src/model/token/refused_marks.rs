//! The secrets that the store did not know, kept beside a copy of a record.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::token_string::SecretHash;

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
