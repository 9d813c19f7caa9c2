//! Histories of events, aliases, the keys without a TTL, and keys that are not in the schema.

use redis::{Value, cmd, from_redis_value_ref, pipe};

use super::damage::Kind;
use super::key_name::UserKey;
use super::link::MasterLink;
use super::report::shown;
use super::verifier::Verifier;
use crate::model::field_rules::MAX_AGE_SECONDS;
use crate::model::idempotency::REMEMBERED_MS;
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;
use crate::store::redis::schema::codec::{alias, event};

/// Events that one command reads.
const EVENTS_PER_READ: usize = 100;
/// Users whose events one pipeline reads.
const KEYS_PER_READ: usize = 32;
/// The answer of `PTTL` for a key without TTL.
const NO_TTL: i64 = -1;

impl Verifier<'_> {
    /// Checks users' events: TTL, and events that cannot be decoded.
    pub(crate) async fn check_events(
        &mut self,
        link: &MasterLink,
        users: Vec<UserKey>,
    ) -> Result<(), StoreError> {
        let users = self.in_place('e', users);
        // The users whose events are not read to the end, and the next event of each.
        let mut pending: Vec<_> = users.iter().map(|user| (user, 0)).collect();
        while !pending.is_empty() {
            let some = pending.split_off(pending.len().saturating_sub(KEYS_PER_READ));
            let mut reads = pipe();
            for (user, first) in &some {
                let (key, last) = (self.user_key('e', user), first + EVENTS_PER_READ - 1);
                reads.cmd("LRANGE").arg(&key).arg(*first).arg(last).cmd("PTTL").arg(&key);
            }
            let answers = link.read(&reads).await?;
            let mut count = 0;
            for ((user, first), answers) in some.into_iter().zip(answers.chunks(2)) {
                let read = self.check_some_events(link, user, first, answers).await?;
                count += read;
                if read == EVENTS_PER_READ {
                    pending.push((user, first + EVENTS_PER_READ));
                }
            }
            self.end_members(count).await;
        }
        Ok(())
    }

    /// Checks some of a user's events. Returns how many there were.
    async fn check_some_events(
        &mut self,
        link: &MasterLink,
        user: &UserKey,
        first: usize,
        answers: &[Option<Value>],
    ) -> Result<usize, StoreError> {
        let shown = self.shown_user_key('e', user);
        let (events, ttl_ms) = match answers {
            [None, _] => {
                self.add(Kind::ForeignType, false, &shown);
                return Ok(0);
            }
            [Some(events), Some(Value::Int(ttl_ms))] => (events, *ttl_ms),
            _ => return Err(unexpected("events")),
        };
        let events: Vec<Vec<u8>> = from_redis_value_ref(events).map_err(|_| unexpected("events"))?;
        for _ in events.iter().filter(|packed| !event::is_whole(packed)) {
            self.add(Kind::CorruptEvent, false, &shown);
        }
        if first == 0 && ttl_ms == NO_TTL {
            self.repair_event_ttl(link, &self.user_key('e', user), &shown).await?;
        }
        Ok(events.len())
    }

    async fn repair_event_ttl(
        &mut self,
        link: &MasterLink,
        key: &str,
        shown: &str,
    ) -> Result<(), StoreError> {
        if self.options.repairs {
            let ttl_ms = self.store.limits.event_retention_ms;
            // NX: a write meanwhile has set it.
            link.query::<()>(cmd("PEXPIRE").arg(key).arg(ttl_ms).arg("NX")).await?;
        }
        self.add(Kind::MissingTtl, self.options.repairs, shown);
        Ok(())
    }

    /// Checks the markers of locked users.
    pub(crate) async fn check_locks(
        &mut self,
        link: &MasterLink,
        users: Vec<UserKey>,
    ) -> Result<(), StoreError> {
        for user in self.in_place('l', users) {
            let (key, shown) = (self.user_key('l', &user), self.shown_user_key('l', &user));
            self.check_permanent_key(link, key.as_bytes(), &shown).await?;
        }
        Ok(())
    }

    /// Checks aliases: value and TTL. An alias whose token is gone is no damage: it expires with the token's latest end.
    pub(crate) async fn check_aliases(
        &mut self,
        link: &MasterLink,
        aliases: Vec<UserKey>,
    ) -> Result<(), StoreError> {
        let aliases = self.in_place('f', aliases);
        for some in aliases.chunks(KEYS_PER_READ) {
            let mut reads = pipe();
            for alias in some {
                let key = self.user_key('f', alias);
                reads.cmd("GET").arg(&key).cmd("PTTL").arg(&key);
            }
            let answers = link.read(&reads).await?;
            for (alias, answers) in some.iter().zip(answers.chunks(2)) {
                self.check_alias(link, alias, answers).await?;
            }
        }
        Ok(())
    }

    async fn check_alias(
        &mut self,
        link: &MasterLink,
        alias: &UserKey,
        answers: &[Option<Value>],
    ) -> Result<(), StoreError> {
        // Its name is no secret, and no user's.
        let key = self.user_key('f', alias);
        match answers {
            [None, _] => self.add(Kind::ForeignType, false, &key),
            // It has expired since it was listed.
            [Some(Value::Nil), _] => {}
            [Some(Value::BulkString(value)), Some(Value::Int(ttl_ms))] => {
                if alias::decode(value).is_err() {
                    self.add(Kind::CorruptRecord, false, &key);
                }
                if *ttl_ms == NO_TTL {
                    if self.options.repairs {
                        // The token, which may live as long, may be at another master.
                        link.query::<()>(cmd("PEXPIRE").arg(&key).arg(MAX_AGE_SECONDS * 1000).arg("NX"))
                            .await?;
                    }
                    self.add(Kind::MissingTtl, self.options.repairs, &key);
                }
            }
            _ => return Err(unexpected("aliases")),
        }
        Ok(())
    }

    /// Checks that requests with `Idempotency-Key`, traces of endings and the nodes' reports expire. Nothing depends on their values for longer.
    pub(crate) async fn check_short_lived(
        &mut self,
        link: &MasterLink,
        keys: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        for some in keys.chunks(KEYS_PER_READ) {
            let mut reads = pipe();
            for key in some {
                reads.cmd("PTTL").arg(key);
            }
            let answers = link.read(&reads).await?;
            for (key, _) in some.iter().zip(answers).filter(|(_, ttl)| *ttl == Some(Value::Int(NO_TTL))) {
                if self.options.repairs {
                    link.query::<()>(cmd("PEXPIRE").arg(key).arg(REMEMBERED_MS).arg("NX")).await?;
                }
                self.add(Kind::MissingTtl, self.options.repairs, &String::from_utf8_lossy(key));
            }
        }
        Ok(())
    }

    /// Checks the shared token key and the schema version.
    pub(crate) async fn check_permanent(
        &mut self,
        link: &MasterLink,
        keys: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        for key in keys {
            self.check_permanent_key(link, key, &String::from_utf8_lossy(key)).await?;
        }
        Ok(())
    }

    /// Checks a key that must have no TTL.
    async fn check_permanent_key(
        &mut self,
        link: &MasterLink,
        key: &[u8],
        shown: &str,
    ) -> Result<(), StoreError> {
        let mut reads = pipe();
        let is_hash = *key == *self.store.keys.cutoffs().as_bytes();
        reads.cmd(if is_hash { "HLEN" } else { "STRLEN" }).arg(key).cmd("PTTL").arg(key);
        match link.read(&reads).await?.as_slice() {
            [None, ..] => self.add(Kind::ForeignType, false, shown),
            [_, Some(Value::Int(0..))] => {
                if self.options.repairs {
                    link.query::<()>(cmd("PERSIST").arg(key)).await?;
                }
                self.add(Kind::WrongTtl, self.options.repairs, shown);
            }
            _ => {}
        }
        Ok(())
    }

    /// Reports keys that are not in the schema.
    pub(crate) fn note_unknown(&mut self, keys: &[Vec<u8>]) {
        for key in keys {
            self.report.add(Kind::UnknownKey, false, || shown(key));
        }
    }
}
