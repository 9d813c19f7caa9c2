//! The alias cache of a node.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::generations::Generations;
use crate::foreign::ForeignDigest;
use crate::foreign::digest::AliasBytes;
use crate::token_string::TokenId;

const SHARDS: usize = 16;
/// The most strings that are remembered as unknown.
const MAX_UNKNOWN: usize = 65_536;

/// The aliases that a node knows, and the strings that had none lately. Shared by its threads.
///
/// The key is the whole name of the alias: 16 bytes of BLAKE3, so a second string for it cannot be found. The maps hash
/// it again with keys of their own, so that strings which collide in them cannot be chosen.
pub(crate) struct AliasCache {
    shards: [Mutex<Shard>; SHARDS],
    lease_ms: u64,
}

struct Shard {
    known: Generations<AliasBytes, TokenId>,
    /// Strings without an alias, with the boottime before the look-up.
    unknown: Generations<AliasBytes, u64>,
}

impl AliasCache {
    /// An empty cache for so many aliases. Unknown strings are remembered for `lease_ms`.
    pub(crate) fn new(entries: usize, lease_ms: u64) -> Self {
        let shard = |_| {
            let known = Generations::new(entries.div_ceil(SHARDS));
            Mutex::new(Shard { known, unknown: Generations::new(MAX_UNKNOWN / SHARDS) })
        };
        Self { shards: std::array::from_fn(shard), lease_ms }
    }

    /// Returns the token of this digest; `Some(None)` if it had none less than a lease ago, `None` if nothing is known.
    pub(crate) fn get(&self, digest: &ForeignDigest, boottime_ms: u64) -> Option<Option<TokenId>> {
        let (name, mut shard) = (digest.alias_bytes(), self.shard(digest));
        if let Some(id) = shard.known.get(&name) {
            return Some(Some(id));
        }
        let read_at_ms = shard.unknown.get(&name)?;
        (boottime_ms.saturating_sub(read_at_ms) < self.lease_ms).then_some(None)
    }

    /// Records what a look-up found that began at this boottime.
    pub(crate) fn learn(&self, digest: &ForeignDigest, found: Option<TokenId>, began_ms: u64) {
        let (name, mut shard) = (digest.alias_bytes(), self.shard(digest));
        match found {
            Some(id) => {
                shard.unknown.remove(&name);
                shard.known.insert(name, id);
            }
            None => shard.unknown.insert(name, began_ms),
        }
    }

    /// Returns how many aliases it holds.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).known.len()).sum()
    }

    fn shard(&self, digest: &ForeignDigest) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(digest.alias_bytes()[0]) % SHARDS])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Every state between two steps is whole.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::Scheme;

    fn digest(token: &str) -> ForeignDigest {
        ForeignDigest::of(Scheme::Drf, &Scheme::Drf.digest(token.as_bytes(), None).unwrap())
    }

    #[test]
    fn an_alias_stays_and_its_absence_is_forgotten_after_a_lease() {
        let (cache, a, b) = (AliasCache::new(100, 2000), digest("a"), digest("b"));
        let id = a.token_id("alice");
        assert_eq!(cache.get(&a, 0), None);
        cache.learn(&a, Some(id), 0);
        cache.learn(&b, None, 10);
        assert_eq!((cache.get(&a, 1_000_000), cache.get(&b, 2009)), (Some(Some(id)), Some(None)));
        assert_eq!((cache.get(&b, 2010), cache.len()), (None, 1));
    }

    #[test]
    fn a_late_answer_does_not_hide_a_newer_alias() {
        let (cache, a) = (AliasCache::new(100, 2000), digest("a"));
        let id = a.token_id("alice");
        cache.learn(&a, None, 0);
        cache.learn(&a, Some(id), 5);
        assert_eq!(cache.get(&a, 6), Some(Some(id)));
        cache.learn(&a, None, 0);
        assert_eq!(cache.get(&a, 6), Some(Some(id)));
    }

    #[test]
    fn unknown_strings_take_no_room_from_aliases() {
        let (cache, a) = (AliasCache::new(100, 2000), digest("a"));
        cache.learn(&a, Some(a.token_id("alice")), 0);
        for n in 0..2 * MAX_UNKNOWN {
            cache.learn(&digest(&n.to_string()), None, 0);
        }
        assert!(cache.get(&a, 0).is_some());
        let unknown: usize = cache.shards.iter().map(|shard| lock(shard).unknown.len()).sum();
        assert!(unknown <= MAX_UNKNOWN, "{unknown}");
    }
}
