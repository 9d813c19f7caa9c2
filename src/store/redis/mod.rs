//! The Redis store: what each store operation is in commands.
//!
//! Lifecycle operations take a connection from a pool; validation reads over connections of its own
//! ([`Reader`]).

mod codec;
mod connection;
mod discovery;
mod keys;
mod link;
mod look_ups;
mod near;
mod pipe;
mod question;
mod reader;
mod resp;
mod scripts;
mod slots;
mod topology;
mod tracking;
mod wire;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use redis::{FromRedisValue, RedisError, Value, cmd, pipe};

use self::connection::{Connection, Connections};
use self::keys::{Keys, SCHEMA_VERSION};
use self::link::Link;
use self::look_ups::LookUps;
pub use self::near::CacheOptions;
use self::near::Near;
pub use self::reader::Reader;
use self::scripts::Scripts;
use self::slots::slot_of_tag;
use self::topology::Topology;
use self::tracking::Tracking;
use super::cache::Stats;
use super::{Changed, Ended, StoreError, StoreLimits};
use crate::clock::Clock;
use crate::config::RedisUrl;
use crate::secret::{ShardTag, TokenId};
use crate::token::{Token, TokenChange, Touch};

/// Touches in one script call: few enough to hold the server for well under a millisecond.
const TOUCHES_PER_CALL: usize = 128;
/// Tokens read in one pipeline when a user's are listed.
const READS_PER_PIPELINE: usize = 256;

/// How to reach a server and how long to wait for it.
#[derive(Clone)]
pub struct RedisOptions {
    /// Where it is and who we are there.
    pub url: RedisUrl,
    /// The setting `key-prefix`.
    pub key_prefix: String,
    /// Connections for lifecycle operations, to each master.
    pub connections: usize,
    /// No operation waits longer than this for the server, and none for a connection.
    pub timeout: Duration,
    /// The near cache.
    pub cache: CacheOptions,
}

/// See the module.
pub struct RedisStore {
    topology: Arc<Topology>,
    connections: Connections,
    keys: Keys,
    scripts: Scripts,
    limits: StoreLimits,
    near: Arc<Near>,
}

impl RedisStore {
    /// A store on this server; connects when it is first asked. The near cache goes by `clock`.
    pub fn new(options: RedisOptions, limits: StoreLimits, clock: Clock) -> Self {
        let keys = Keys::new(&options.key_prefix);
        let link = Link::new(&options.url, options.timeout);
        let topology = Arc::new(Topology::new(&options.url, link, keys.clone()));
        Self {
            connections: Connections::new(topology.clone(), options.connections),
            topology,
            keys,
            scripts: Scripts::new(),
            limits,
            near: Arc::new(Near::new(options.cache, clock)),
        }
    }

    pub(super) async fn reader(&self) -> Reader {
        let look_ups = LookUps::start(self.topology.clone(), self.near.clock.clone()).await;
        Reader::new(look_ups, self.near.clone())
    }

    /// The worker that listens for changes.
    pub(super) fn track(&self) -> impl Future<Output = Infallible> + Send + use<> {
        Tracking { near: self.near.clone(), topology: self.topology.clone() }.run()
    }

    pub(super) fn cache_stats(&self) -> Stats {
        self.near.stats()
    }

    pub(super) async fn issue(&self, token: &Token, now_ms: u64) -> Result<Ended, StoreError> {
        let credential = &token.credential;
        let shard = credential.id.shard_tag();
        let mut call = self.scripts.issue.key(self.keys.token(credential.id));
        call.key(self.keys.index(&credential.user))
            .arg(now_ms)
            .arg(self.keys.token_prefix(shard))
            .arg(credential.id.locator())
            .arg(credential.expires_at_ms)
            .arg(self.limits.ended_retention_ms)
            .arg(self.limits.max_tokens_per_user);
        for (name, value) in codec::fields_of(token) {
            call.arg(name).arg(value);
        }
        let ended = self.with_connection(async |c| call.invoke_async(c).await).await;
        self.own_endings(shard, ended)
    }

    /// The tokens that a script of ours ended; nobody here sees them any more before anybody is told.
    fn own_endings(
        &self,
        shard: ShardTag,
        ended: Result<Vec<String>, StoreError>,
    ) -> Result<Ended, StoreError> {
        let ended = ids(shard, ended?)?;
        self.near.void(&ended);
        Ok(ended)
    }

    pub(super) async fn token(&self, id: TokenId, now_ms: u64) -> Result<Option<Token>, StoreError> {
        let mut call = self.scripts.read.key(self.keys.token(id));
        call.arg(id.locator()).arg(self.keys.index_prefix(id.shard_tag()));
        let answer: Vec<Value> = self.with_connection(async |c| call.invoke_async(c).await).await?;
        let [all, last_access] = answer.as_slice() else { return Ok(None) };
        let token = codec::token(id, all, last_access)?;
        Ok(token.filter(|token| token.is_visible(now_ms, self.limits.ended_retention_ms)))
    }

    pub(super) async fn change(
        &self,
        id: TokenId,
        change: &TokenChange,
        now_ms: u64,
    ) -> Result<Changed, StoreError> {
        let shard = id.shard_tag();
        let (clear, set, slug) = codec::change_args(change);
        let mut call = self.scripts.change.key(self.keys.token(id));
        call.arg(now_ms)
            .arg(self.keys.token_prefix(shard))
            .arg(id.locator())
            .arg(self.keys.index_prefix(shard))
            .arg(self.limits.ended_retention_ms)
            .arg(u8::from(change.end))
            .arg(clear)
            .arg(set)
            .arg(slug);
        let answer = self.with_connection::<Vec<Value>>(async |c| call.invoke_async(c).await).await;
        // Also after an error: the change may have been made.
        self.near.void([&id]);
        let answer = answer?;
        let [status, all, last_access] = answer.as_slice() else { return Ok(Changed::NotFound) };
        let token = codec::token(id, all, last_access)?.ok_or_else(|| unexpected("change"))?;
        match status {
            Value::Int(1) => Ok(Changed::Done(token)),
            Value::Int(2) => Ok(Changed::AlreadyEnded(token)),
            _ => Err(unexpected("change")),
        }
    }

    pub(super) async fn user_tokens(&self, user: &str, now_ms: u64) -> Result<Vec<Token>, StoreError> {
        let shard = ShardTag::of_user(user);
        let scores = self.index_scores(user).await?;
        let accesses: std::collections::HashMap<&str, &Value> =
            scores.iter().filter_map(|(member, score)| Some((member.strip_prefix('@')?, score))).collect();
        let locators = scores.iter().map(|(member, _)| member.as_str()).filter(|m| !m.starts_with('@'));
        let listed = locators
            .map(|locator| TokenId::from_locator(shard, locator).ok_or_else(|| unexpected("index")))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tokens = Vec::with_capacity(listed.len());
        for chunk in listed.chunks(READS_PER_PIPELINE) {
            let mut pipeline = pipe();
            for id in chunk {
                pipeline.cmd("HGETALL").arg(self.keys.token(*id));
            }
            let answers: Vec<Value> = self.with_connection(async |c| pipeline.query_async(c).await).await?;
            for (id, all) in chunk.iter().zip(&answers) {
                let last_access = accesses.get(id.locator().as_str()).copied().unwrap_or(&Value::Nil);
                tokens.extend(codec::token(*id, all, last_access)?);
            }
        }
        tokens.retain(|token| token.is_visible(now_ms, self.limits.ended_retention_ms));
        tokens.sort_by_key(Token::listing_key);
        Ok(tokens)
    }

    async fn index_scores(&self, user: &str) -> Result<Vec<(String, Value)>, StoreError> {
        let mut range = cmd("ZRANGE");
        range.arg(self.keys.index(user)).arg(0).arg(-1).arg("WITHSCORES");
        let scores: Vec<(Vec<u8>, Value)> =
            self.with_connection(async |c| range.query_async(c).await).await?;
        scores.into_iter().map(|(member, score)| Ok((text(member, "index")?, score))).collect()
    }

    pub(super) async fn end_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        now_ms: u64,
    ) -> Result<Ended, StoreError> {
        let shard = ShardTag::of_user(user);
        let mut call = self.scripts.end_user.key(self.keys.index(user));
        // A token of another user has another shard tag or is not in this index: it spares nothing.
        call.arg(now_ms)
            .arg(self.keys.token_prefix(shard))
            .arg(self.limits.ended_retention_ms)
            .arg(except.filter(|id| id.shard_tag() == shard).map(|id| id.locator()).unwrap_or_default());
        let ended = self.with_connection(async |c| call.invoke_async(c).await).await;
        self.own_endings(shard, ended)
    }

    pub(super) async fn touch(&self, touches: &[Touch], now_ms: u64) -> Result<(), StoreError> {
        let mut corrupt = None;
        for chunk in self.one_call_each(touches) {
            let mut call = self.scripts.touch.prepare_invoke();
            call.arg(now_ms);
            for touch in chunk {
                call.key(self.keys.token(touch.id)).key(self.keys.index(&touch.user));
                let renew_to = touch.renew_to_ms.map(|to| to.to_string()).unwrap_or_default();
                call.arg(touch.id.locator()).arg(touch.access_ms).arg(renew_to);
            }
            match self.with_connection(async |c| call.invoke_async::<()>(c).await).await {
                // All others of the chunk were written; so are those of the next ones.
                Err(error @ StoreError::Corrupt { .. }) => corrupt = Some(error),
                written => written?,
            }
        }
        corrupt.map_or(Ok(()), Err)
    }

    /// The keys of one call are in one slot, where slots matter.
    fn one_call_each<'a>(&self, touches: &'a [Touch]) -> Vec<Vec<&'a Touch>> {
        let mut by_slot: BTreeMap<u16, Vec<&Touch>> = BTreeMap::new();
        let is_by_slot = self.topology.map().is_by_slot();
        for touch in touches {
            let slot = if is_by_slot { slot_of_tag(touch.id.shard_tag()) } else { 0 };
            by_slot.entry(slot).or_default().push(touch);
        }
        by_slot.values().flat_map(|touches| touches.chunks(TOUCHES_PER_CALL).map(<[_]>::to_vec)).collect()
    }

    pub(super) async fn shared_check_key(&self, proposed: &str) -> Result<String, StoreError> {
        let key = self.keys.check_key();
        let get = cmd("GET").arg(&key).to_owned();
        let kept: Option<Vec<u8>> = self.with_connection(async |c| get.query_async(c).await).await?;
        self.or_put(key, kept, proposed).await
    }

    /// The time of every master, of these the one farthest from ours, after each has shown that it takes writes (a
    /// replica and a cluster without quorum answer a PING), and that they have our schema.
    pub(super) async fn probe(&self) -> Result<u64, StoreError> {
        if self.topology.map().masters.is_empty() {
            self.topology.refresh().await;
        }
        let masters: Vec<_> =
            self.topology.map().masters.iter().filter(|master| master.may_have_tokens()).cloned().collect();
        let times_ms = try_join_all(masters.iter().map(|master| self.time_ms(master.probe()))).await?;
        let now_ms = self.near.clock.now_ms();
        let farthest_ms = times_ms.into_iter().max_by_key(|time_ms| time_ms.abs_diff(now_ms));
        let time_ms = farthest_ms.ok_or_else(|| StoreError::Unavailable("no masters are known".into()))?;
        let key = self.keys.schema();
        let get = cmd("GET").arg(&key).to_owned();
        let kept = self.with_connection(async |c| get.query_async(c).await).await?;
        let schema = self.or_put(key, kept, SCHEMA_VERSION).await?;
        if schema != SCHEMA_VERSION {
            let reason = format!("the store has schema version {schema:?}, this program {SCHEMA_VERSION:?}");
            return Err(StoreError::Corrupt { key: self.keys.schema(), reason });
        }
        Ok(time_ms)
    }

    /// The time of the master of this key, which it deletes.
    async fn time_ms(&self, probe: &str) -> Result<u64, StoreError> {
        let mut pipeline = pipe();
        pipeline.cmd("DEL").arg(probe).ignore().cmd("TIME");
        let ((seconds, micros),): ((u64, u64),) =
            self.with_connection(async |c| pipeline.query_async(c).await).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// What all nodes share under this key: what was found there, else what is put there now, by us or another.
    async fn or_put(&self, key: String, found: Option<Vec<u8>>, ours: &str) -> Result<String, StoreError> {
        let mut kept = found;
        // Only when there is something to write: a full memory refuses SET even where it would change nothing.
        if kept.is_none() {
            let set = cmd("SET").arg(&key).arg(ours).arg("NX").arg("GET").to_owned();
            kept = self.with_connection(async |c| set.query_async(c).await).await?;
        }
        kept.map_or_else(|| Ok(ours.to_owned()), |kept| text(kept, &key))
    }

    /// Runs an operation on a connection to the master of its keys, within the timeout.
    async fn with_connection<T: FromRedisValue>(
        &self,
        operation: impl AsyncFnOnce(&mut Connection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.connections.run(operation).await
    }
}

fn ids(shard: ShardTag, locators: Vec<String>) -> Result<Ended, StoreError> {
    let id = |locator: String| TokenId::from_locator(shard, &locator).ok_or_else(|| unexpected("locator"));
    locators.into_iter().map(id).collect()
}

fn text(bytes: Vec<u8>, what: &str) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| unexpected(what))
}

fn unexpected(what: &str) -> StoreError {
    StoreError::Corrupt { key: what.into(), reason: "an answer of an unexpected form".into() }
}

/// Says what went wrong without any value of ours: only the error's class and code.
fn describe(error: &RedisError) -> String {
    format!("{} {}", error.category(), error.code().unwrap_or_default()).trim_end().to_owned()
}

/// A pipeline's error has no code of its own, but those of its commands.
fn first_error(error: RedisError) -> RedisError {
    match error.clone().into_server_errors().as_deref() {
        Some([(_, first), ..]) => first.clone().into(),
        _ => error,
    }
}

fn store_error(error: RedisError) -> StoreError {
    match error.code() {
        Some("DWCORRUPT") => StoreError::Corrupt {
            key: error.detail().unwrap_or_default().to_owned(),
            reason: "missing or malformed field".into(),
        },
        // A wrong type under one of our keys.
        Some("WRONGTYPE") => StoreError::Corrupt { key: "unknown".into(), reason: "wrong type".into() },
        _ => StoreError::Unavailable(describe(&error)),
    }
}
