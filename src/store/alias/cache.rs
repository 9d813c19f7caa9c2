//! The alias cache of a node.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::generations::GenerationMap;
use crate::foreign::ForeignDigest;
use crate::token_string::{SecretHash, TokenId};

const SHARDS: usize = 16;
/// The most strings that are remembered as unknown.
const MAX_UNKNOWN: usize = 65_536;

/// The aliases that a node knows, and the strings that had none lately. Shared by its threads.
///
/// The key is the hash of the token's secret, 16 bytes of BLAKE3, so a second string for it cannot be found. The maps hash
/// it again with keys of their own, so that strings which collide in them cannot be chosen.
pub(crate) struct AliasCache {
    shards: [Mutex<Shard>; SHARDS],
    lease_ms: u64,
}

/// The bytes of a secret's hash.
type SecretBytes = [u8; 16];

struct Shard {
    /// The tokens, each with the boottime before the look-up.
    known: GenerationMap<SecretBytes, (TokenId, u64)>,
    /// Strings without an alias, with the boottime before the look-up.
    unknown: GenerationMap<SecretBytes, u64>,
}

impl AliasCache {
    /// An empty cache for so many aliases. Unknown strings are remembered for `lease_ms`.
    pub(crate) fn new(entries: usize, lease_ms: u64) -> Self {
        let shard = |_| {
            let known = GenerationMap::new(entries.div_ceil(SHARDS));
            Mutex::new(Shard { known, unknown: GenerationMap::new(MAX_UNKNOWN / SHARDS) })
        };
        Self { shards: std::array::from_fn(shard), lease_ms }
    }

    /// Returns the token of this digest; `Some(None)` if it had none less than a lease ago, `None` if nothing is known.
    pub(crate) fn get(&self, digest: &ForeignDigest, boottime_ms: u64) -> Option<Option<TokenId>> {
        let (secret, mut shard) = self.shard(&digest.secret_hash());
        if let Some((id, _)) = shard.known.get(&secret) {
            return Some(Some(id));
        }
        let read_at_ms = shard.unknown.get(&secret)?;
        (boottime_ms.saturating_sub(read_at_ms) < self.lease_ms).then_some(None)
    }

    /// Records what a look-up found that began at this boottime.
    pub(crate) fn learn(&self, digest: &ForeignDigest, found: Option<TokenId>, began_ms: u64) {
        let (secret, mut shard) = self.shard(&digest.secret_hash());
        match found {
            Some(id) => {
                shard.unknown.remove(&secret);
                shard.known.insert(secret, (id, began_ms));
            }
            None => shard.unknown.insert(secret, began_ms),
        }
    }

    /// Forgets the alias with this secret, unless it was read less than a lease ago.
    pub(crate) fn forget(&self, secret_hash: &SecretHash, boottime_ms: u64) {
        let (secret, mut shard) = self.shard(secret_hash);
        let known = shard.known.get(&secret);
        if known.is_some_and(|(_, began_ms)| boottime_ms.saturating_sub(began_ms) >= self.lease_ms) {
            shard.known.remove(&secret);
        }
    }

    /// Returns how many aliases it holds.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).known.len()).sum()
    }

    /// Returns the key of this secret, and its shard.
    fn shard(&self, secret_hash: &SecretHash) -> (SecretBytes, MutexGuard<'_, Shard>) {
        let secret = *secret_hash.as_bytes();
        (secret, lock(&self.shards[usize::from(secret[0]) % SHARDS]))
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
    fn an_alias_is_forgotten_once_in_a_lease() {
        let (cache, a) = (AliasCache::new(100, 2000), digest("a"));
        cache.learn(&a, Some(a.token_id("alice")), 10);
        cache.forget(&a.secret_hash(), 2009);
        assert!(cache.get(&a, 2009).is_some());
        cache.forget(&a.secret_hash(), 2010);
        assert_eq!((cache.get(&a, 2010), cache.len()), (None, 0));
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
