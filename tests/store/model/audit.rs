//! Audits the content of Redis: how long each key is kept, and whether each index entry names something that still
//! exists.
//!
//! Members and fields have no TTL in Redis. So the rules (src/store/redis/schema/mod.rs, "Bounds") are:
//! 1. An entry says until when the thing that it names is kept.
//! 2. A write to an index prunes expired entries.
//! 3. The index as a whole expires with the longest-lived thing that it names.
//!
//! Rules 1 and 2 are checked by the stored times, which are the manual clock's. Rule 3 is checked by the TTL, because
//! nothing else removes a key; for that, Redis is made to follow the manual clock ([`TestStore::age`]).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use doorward::internals::foreign::UuidDigest;
use doorward::internals::model::idempotency::REMEMBERED_MS;
use doorward::internals::model::import::MAX_USERS_PER_UUID;
use doorward::internals::model::node_report::REPORT_KEPT_MS;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::model::token::rotation::{MAX_PREVIOUS_SECRETS, MAX_REMEMBERED_SECRETS};
use doorward::internals::store::walk::WALK_LEASE_MS;
use doorward::internals::token_string::{HashTag, TokenId};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::raw_keys::{
    Entries, REVOKED, Read, device_entry, end_of, entries, field, has_flag, history_kept_until, is_active,
    kept_until, name_of, number, object_name, objects_of, rest, scored, sibling, string, takeover_kept_until,
    token_entry, token_id, unpack,
};
use super::values::{LIMITS, OBJECTS, object};
use crate::common::store::{MINUTE_MS, RawKey, TestStore};

/// The score of a reverse-index entry is the end of the grace after the token's latest expiry, in seconds, times this,
/// plus the second of its writing modulo this.
const ENTRY_CYCLE: u64 = 1 << 20;
/// In a user's index: the offset of a live token's creation time.
const OLDEST: i64 = -(1 << 51);
/// The minimum number of expired entries of each kind that one write prunes.
const PRUNED: usize = 8;
/// The flag of a token whose user is locked.
const LOCKED: u64 = 32;
/// A hash of 16 bytes and a deadline of 13 digits.
const PREVIOUS_BYTES: usize = 29;

type Outcome = Result<(), TestCaseError>;

/// The time of an audit, and the expected state.
#[derive(Clone)]
pub struct Moment {
    pub now_ms: u64,
    /// Whether Redis's TTLs follow the manual clock. Otherwise expired data stays until an operation prunes it.
    pub ttls_run: bool,
    /// The latest expiry that was ever possible for each token.
    pub ends_ms: BTreeMap<TokenId, u64>,
    /// The tokens that were removed from each object within a minute of being added: these entries stay.
    pub taken_away: HashSet<(RelatedObject, TokenId)>,
}

/// All keys at one moment, by name without the prefix.
#[derive(Default)]
pub struct Snapshot(BTreeMap<String, RawKey>);

impl Snapshot {
    pub fn of(store: &TestStore) -> Self {
        Self(store.dump().into_iter().map(|key| (key.name.clone(), key)).collect())
    }

    /// Checks all keys; `earlier` is the snapshot before the last step.
    pub fn check(&self, earlier: &Self, at: &Moment) -> Outcome {
        for (name, key) in &self.0 {
            // A lock lasts until it is removed, as does a cut-off.
            let is_permanent = name.as_bytes()[0] == b'l' || name.ends_with(":cutoffs");
            prop_assert_eq!(is_permanent, key.ttl_ms < 0, "{} has the TTL {}", name, key.ttl_ms);
            match name.as_bytes()[0] {
                b'l' => {}
                b'm' if is_permanent => {}
                b't' => self.check_token(key, earlier, at)?,
                b'u' => self.check_user(key, earlier, at)?,
                b'o' => self.check_history(key, at)?,
                b'a' => self.check_acting(key, earlier, at)?,
                b'v' => self.check_taken_over(key, earlier, at)?,
                b'd' => self.check_device(key, at)?,
                b'k' => self.check_devices(key, earlier, at)?,
                b'g' => self.check_imported_devices(key, at)?,
                b'f' => check_alias(key)?,
                b'r' => self.check_object(key, earlier, at)?,
                b'e' => prop_assert!(key.ttl_ms as u64 <= LIMITS.event_retention_ms, "{}", name),
                b'q' | b'y' => prop_assert!(key.ttl_ms as u64 <= LIMITS.revoked_retention_ms, "{}", name),
                b'i' | b'j' => prop_assert!(key.ttl_ms as u64 <= REMEMBERED_MS, "{}", name),
                b'm' => {
                    let longest_ms = match name.rsplit_once(':') {
                        Some((_, "walk")) => WALK_LEASE_MS,
                        Some((_, "nodes")) => REPORT_KEPT_MS,
                        _ => 0,
                    };
                    prop_assert!(key.ttl_ms as u64 <= longest_ms, "{}", name)
                }
                _ => prop_assert!(false, "{} is not in the schema", name),
            }
        }
        Ok(())
    }

    /// Checks that no key is left of a user who was erased in this step.
    pub fn check_erased(&self, user: &str) -> Outcome {
        for (name, key) in &self.0 {
            let is_of_user = match name.as_bytes()[0] {
                b't' | b'o' | b'd' => field(key, "u") == Some(user.as_bytes()),
                // A lock outlives an erasure, and so do its traces.
                b'l' | b'q' | b'y' => false,
                _ => rest(key) == user,
            };
            prop_assert!(!is_of_user, "{} is left", name);
        }
        Ok(())
    }

    fn check_token(&self, key: &RawKey, earlier: &Self, at: &Moment) -> Outcome {
        let name = &key.name;
        fits(key, kept_until(key) + LIMITS.stale_grace_ms, at)?;
        prop_assert_eq!(is_active(key), field(key, "e").is_none(), "{}", name);
        let lock = sibling(key, 'l', &string(field(key, "u").unwrap()));
        let is_locked = is_active(key) && self.0.contains_key(&lock);
        prop_assert_eq!(has_flag(key, LOCKED), is_locked, "{}", name);
        let index = self.entries_of(&sibling(key, 'u', &string(field(key, "u").unwrap())), token_entry);
        prop_assert!(index.contains_key(rest(key)), "no index names {}", name);

        let id = token_id(key);
        for object in objects_of(key).iter().filter(|_| is_active(key) && kept_until(key) > at.now_ms) {
            let name = object_name(object);
            let index = self.entries_of(&name_of('r', HashTag::of_user(&name), &name), scored);
            prop_assert!(index.contains_key(&id.to_string()), "{:?} has no entry for {}", object, id);
        }

        let previous = field(key, "p").unwrap_or_default();
        prop_assert!(previous.len() <= PREVIOUS_BYTES * MAX_PREVIOUS_SECRETS, "{}", name);
        let before = earlier.0.get(name).and_then(|key| field(key, "p")).unwrap_or_default();
        if previous != before {
            let is_remembered = |entry: &&[u8]| (1..=at.now_ms).contains(&number(&entry[16..]));
            let remembered = previous.chunks(PREVIOUS_BYTES).filter(is_remembered).count();
            prop_assert!(remembered <= MAX_REMEMBERED_SECRETS, "{} remembers {} secrets", name, remembered);
        }

        if let Some(takeover) = field(key, "t") {
            prop_assert!(is_active(key), "{} is revoked and has a takeover", name);
            let (locator, _, ends_at_ms, ..): (String, String, u64, u64, String) = unpack(takeover);
            // After its end it has no effect, and its history may have been pruned.
            if ends_at_ms > at.now_ms {
                let history = self.0.get(&sibling(key, 'o', rest(key)));
                let has =
                    |field_name: &str| history.is_some_and(|history| field(history, field_name).is_some());
                prop_assert!(has(&locator), "{} acts beside its history", name);
                prop_assert!(!has(&format!("-{locator}")), "{} has a takeover, its history has ended", name);
            }
        }
        Ok(())
    }

    fn check_user(&self, key: &RawKey, earlier: &Self, at: &Moment) -> Outcome {
        let accesses: BTreeSet<_> = key
            .entries
            .iter()
            .filter_map(|(name, _)| string(name).strip_prefix('@').map(str::to_owned))
            .collect();
        let tokens: BTreeSet<_> = entries(key, token_entry).into_keys().collect();
        prop_assert_eq!(tokens, accesses, "{}", &key.name);
        let kept = |locator: &str| self.0.get(&sibling(key, 't', locator)).map(kept_until);
        self.check_order(key)?;
        // A token is kept for the stale grace.
        let late = Moment { now_ms: at.now_ms - LIMITS.stale_grace_ms, ..at.clone() };
        let last_ms = self.check_index(key, earlier, &late, token_entry, kept)?;
        fits(key, last_ms + LIMITS.stale_grace_ms, at)
    }

    /// If a user has several live tokens, the index holds the creation time of each; a revoked token has no such entry.
    fn check_order(&self, key: &RawKey) -> Outcome {
        let created = |locator: &str| {
            let token = self.0.get(&sibling(key, 't', locator))?;
            Some(OLDEST + number(field(token, "c").unwrap()) as i64)
        };
        let (mut live, mut ordered) = (BTreeSet::new(), BTreeSet::new());
        for (member, score) in &key.entries {
            let (member, score) = (string(member), string(score));
            match member.strip_prefix('#') {
                Some(locator) => {
                    let created = created(locator);
                    prop_assert!(
                        created.is_none_or(|at| score == at.to_string()),
                        "{} {}",
                        &key.name,
                        member
                    );
                    ordered.insert(locator.to_owned());
                }
                None if !member.starts_with('@') && number(score.as_bytes()) < REVOKED => {
                    live.insert(member);
                }
                None => {}
            }
        }
        let is_known = ordered == live || (ordered.is_empty() && live.len() == 1);
        prop_assert!(is_known, "{} has {:?} and knows the order of {:?}", &key.name, live, ordered);
        Ok(())
    }

    fn check_history(&self, key: &RawKey, at: &Moment) -> Outcome {
        fits(key, history_kept_until(key), at)?;
        let acting = sibling(key, 'a', &string(field(key, "u").unwrap()));
        prop_assert!(
            self.entries_of(&acting, scored).contains_key(rest(key)),
            "no entry names {}",
            &key.name
        );
        Ok(())
    }

    fn check_acting(&self, key: &RawKey, earlier: &Self, at: &Moment) -> Outcome {
        let kept = |locator: &str| self.0.get(&sibling(key, 'o', locator)).map(history_kept_until);
        let last_ms = self.check_index(key, earlier, at, scored, kept)?;
        fits(key, last_ms, at)
    }

    fn check_taken_over(&self, key: &RawKey, earlier: &Self, at: &Moment) -> Outcome {
        let kept = |entry: &str| {
            let (token, locator) = entry.split_at(16);
            let token = TokenId::parse(token).unwrap();
            let history = self.0.get(&name_of('o', token.hash_tag(), &token.locator()))?;
            let at_most_ms = field(history, locator).map(takeover_kept_until)?;
            let ended_at_ms = field(history, &format!("-{locator}")).map(number);
            Some(ended_at_ms.map_or(at_most_ms, |ended_at_ms| ended_at_ms + LIMITS.takeover_retention_ms))
        };
        let last_ms = self.check_index(key, earlier, at, scored, kept)?;
        fits(key, last_ms, at)
    }

    fn check_device(&self, key: &RawKey, at: &Moment) -> Outcome {
        let expires_at_ms = number(field(key, "x").unwrap());
        fits(key, expires_at_ms, at)?;
        let map = self.entries_of(&sibling(key, 'k', &string(field(key, "u").unwrap())), device_entry);
        let entry = format!("{} {}", string(field(key, "i").unwrap()), rest(key));
        prop_assert_eq!(map.get(&entry), Some(&expires_at_ms), "{}", &key.name);
        let is_imported = number(field(key, "f").unwrap()) & 2 != 0;
        prop_assert!(is_imported || field(key, "g").is_none(), "{} keeps an imported hash", &key.name);
        if is_imported {
            let digest = UuidDigest::of(&string(field(key, "i").unwrap()));
            let entries = self.entries_of(&name_of('g', digest.hash_tag(), &digest.name()), scored);
            let until_ms = entries.get(&token_id(key).to_string());
            prop_assert!(until_ms.is_some_and(|ms| *ms >= expires_at_ms), "no entry names {}", &key.name);
        }
        Ok(())
    }

    /// An entry may name a key that is gone: it keeps it from being imported again.
    fn check_imported_devices(&self, key: &RawKey, at: &Moment) -> Outcome {
        let entries = entries(key, scored);
        prop_assert!(entries.len() <= MAX_USERS_PER_UUID, "{}", &key.name);
        fits(key, entries.into_values().max().unwrap_or_default(), at)
    }

    fn check_devices(&self, key: &RawKey, earlier: &Self, at: &Moment) -> Outcome {
        let kept = |entry: &str| {
            let (_, locator) = entry.split_once(' ').unwrap();
            self.0.get(&sibling(key, 'd', locator)).map(|device| number(field(device, "x").unwrap()))
        };
        let last_ms = self.check_index(key, earlier, at, device_entry, kept)?;
        fits(key, last_ms, at)
    }

    /// A reverse-index entry holds the latest end of its token's grace, and is removed when the token is revoked.
    fn check_object(&self, key: &RawKey, earlier: &Self, at: &Moment) -> Outcome {
        let related = (0..OBJECTS.len()).map(object).find(|object| rest(key) == object_name(object)).unwrap();
        let before = earlier.entries_of(&key.name, scored);
        let now = entries(key, scored);
        let is_written = now.iter().any(|(id, score)| before.get(id) != Some(score));
        let gone = before.keys().filter(|id| !now.contains_key(*id)).count();
        let mut last_ms = 0;
        for (id, score) in now {
            let token = TokenId::parse(&id).unwrap();
            let record = self.0.get(&name_of('t', token.hash_tag(), &token.locator()));
            let is_left = at.taken_away.contains(&(related.clone(), token));
            if let Some(record) = record {
                let has_it = is_left || objects_of(record).contains(&related);
                prop_assert!(has_it, "{} names {}, which does not name it", &key.name, id);
                prop_assert!(is_active(record), "{} still names {}, which is revoked", &key.name, id);
            }
            let until_ms = score / ENTRY_CYCLE * 1000;
            // A shorter life leaves the entry as it was.
            let grace_ms = |end_ms: u64| (end_ms + LIMITS.stale_grace_ms).next_multiple_of(1000);
            let needed_ms = record.map_or(0, |record| grace_ms(end_of(record)));
            prop_assert!(
                (needed_ms..=grace_ms(at.ends_ms[&token])).contains(&until_ms),
                "{} about {}",
                &key.name,
                id
            );
            let is_past = until_ms <= at.now_ms;
            let stays = is_past && is_written && gone < PRUNED;
            prop_assert!(!stays, "{} was written, and {} stayed", &key.name, id);
            last_ms = last_ms.max(until_ms);
        }
        fits(key, last_ms, at)
    }

    /// Checks that each entry holds the expiry of the thing that it names, that an entry of a missing thing has
    /// expired, and that a write prunes all or several of those. Returns the latest expiry.
    fn check_index(
        &self,
        key: &RawKey,
        earlier: &Self,
        at: &Moment,
        read: Read,
        kept: impl Fn(&str) -> Option<u64>,
    ) -> Result<u64, TestCaseError> {
        let (now, before) = (entries(key, read), earlier.entries_of(&key.name, read));
        let is_written = now.iter().any(|(name, until_ms)| before.get(name) != Some(until_ms));
        let gone = before.keys().filter(|name| !now.contains_key(*name)).count();
        for (name, until_ms) in &now {
            match kept(name) {
                Some(kept_ms) => prop_assert_eq!(*until_ms, kept_ms, "{} about {}", &key.name, name),
                None => prop_assert!(
                    at.ttls_run && *until_ms <= at.now_ms,
                    "{} names {}, which is gone",
                    &key.name,
                    name
                ),
            }
            prop_assert!(
                !is_written || *until_ms > at.now_ms || gone >= PRUNED,
                "{} was written, and {} stayed after its expiry",
                &key.name,
                name
            );
        }
        Ok(now.into_values().max().unwrap_or_default())
    }

    fn entries_of(&self, name: &str, read: Read) -> Entries {
        self.0.get(name).map(|key| entries(key, read)).unwrap_or_default()
    }
}

/// Checks an alias: it names an imported token, which may be gone, in any slot.
fn check_alias(key: &RawKey) -> Outcome {
    let name = rest(key);
    prop_assert_eq!(&key.name, &name_of('f', HashTag::of_user(name), name));
    let id = TokenId::parse(&string(field(key, "").unwrap_or_default()));
    prop_assert!(id.is_some(), "{} names no token", &key.name);
    Ok(())
}

/// Checks that the key is kept until then and no longer. Less than a minute of real time may have passed.
fn fits(key: &RawKey, until_ms: u64, at: &Moment) -> Outcome {
    let (ttl_ms, left_ms) = (key.ttl_ms as u64, until_ms.saturating_sub(at.now_ms));
    prop_assert!(ttl_ms + MINUTE_MS > left_ms, "{} goes early: {} of {} ms", &key.name, ttl_ms, left_ms);
    let is_longer = at.ttls_run && ttl_ms > left_ms;
    prop_assert!(!is_longer, "{} is kept for {} ms instead of {}", &key.name, ttl_ms, left_ms);
    Ok(())
}
