//! Tokens: issued, shown, changed, ended.

use std::collections::HashMap;

use redis::{Value, cmd};
use serde::Serialize;

use crate::model::token::record::{Token, TokenChange};
use crate::model::token::rotation::{MAX_REMEMBERED_SECRETS, MAX_SIBLINGS, Rotation};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::limits::ROOM_PER_LOGIN;
use crate::store::outcome::{Changed, Ended, Issued};
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::token::record as codec;
use crate::token_string::{HashTag, SecretHash, TokenId};
use crate::values::OverLimit;

/// A new token as lua/issuing.lua takes it.
#[derive(Serialize)]
pub(crate) struct NewRecord<'a> {
    locator: String,
    created_at: u64,
    expires_at: u64,
    max: usize,
    may_end: bool,
    room: usize,
    device: Option<&'a str>,
}

/// What end_user.lua takes.
#[derive(Serialize)]
struct EndArgs<'a> {
    user: &'a str,
    spare: &'a str,
    device: Option<&'a str>,
    some: Option<Vec<String>>,
}

/// What end_tokens in lua/prelude.lua gives: the locators of the tokens that a step revoked, those of the tokens that are
/// still to be gone through, the key of a corrupt record or nothing, and whether the tokens are many and are still to be
/// listed.
pub(crate) type Step = (Vec<String>, Vec<String>, String, bool);

/// Tokens that one step goes through: few enough to hold the server for about a millisecond, also where it is slow. At most
/// `STEP_TOKENS` of lua/prelude.lua; of more, the script would give the others back.
const TOKENS_PER_STEP: usize = 32;

/// What change.lua takes.
#[derive(Serialize)]
struct ChangeArgs {
    locator: String,
    clear: u32,
    set: u32,
    slug: String,
    confirm: bool,
    rotate: Option<RotateArgs>,
    why: Option<&'static str>,
}

/// What lua/secrets.lua takes; the new secret's hash is no text and comes apart.
#[derive(Serialize)]
struct RotateArgs {
    grace: u64,
    max_siblings: usize,
    max_remembered: usize,
}

impl RedisStore {
    pub(crate) async fn issue(&self, token: &Token, call: &Call<'_>) -> Result<Issued, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            new: NewRecord<'a>,
        }
        let record = &token.record;
        let shard = record.id.hash_tag();
        let span = (record.id, record.ends_at_ms);
        if !self.hint(&token.related_objects, span, call).await? {
            self.unhint_token(record.id, &token.related_objects, call.now_ms).await;
            return Ok(Issued::ObjectFull);
        }
        let args = Args { user: record.user(), new: self.new_record(token) };
        let at = (self.keys.token(record.id), shard);
        let fields = codec::fields_of(token);
        let fields = fields.iter().flat_map(|(name, value)| [name.as_bytes(), value]).collect::<Vec<_>>();
        let answer: Vec<Value> = self.run(&self.scripts.issue, at, call, &args, &fields).await?;
        match answer.as_slice() {
            [Value::Int(0)] => {
                self.unhint_token(record.id, &token.related_objects, call.now_ms).await;
                Ok(Issued::TooMany)
            }
            [Value::Int(1), ended] => Ok(Issued::Done(self.own_endings(shard, locators(ended)?)?)),
            _ => Err(unexpected("issue")),
        }
    }

    /// A token as the scripts that issue one take it.
    pub(crate) fn new_record<'a>(&self, token: &'a Token) -> NewRecord<'a> {
        NewRecord {
            locator: token.record.id.locator(),
            created_at: token.created_at_ms,
            expires_at: token.record.expires_at_ms,
            max: self.limits.max_tokens_per_user,
            may_end: self.limits.over_limit == OverLimit::RevokeOldest,
            room: ROOM_PER_LOGIN,
            device: token.record.device(),
        }
    }

    /// The tokens that a script of ours ended; nobody here sees them any more before anybody is told.
    pub(crate) fn own_endings(&self, shard: HashTag, locators: Vec<String>) -> Result<Ended, StoreError> {
        let id =
            |locator: String| TokenId::from_locator(shard, &locator).ok_or_else(|| unexpected("locator"));
        let ended = locators.into_iter().map(id).collect::<Result<_, _>>()?;
        self.node_cache.invalidate(&ended);
        Ok(ended)
    }

    pub(crate) async fn token(&self, id: TokenId, now_ms: u64) -> Result<Option<Token>, StoreError> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
        }
        let args = Args { locator: id.locator() };
        let at = (self.keys.token(id), id.hash_tag());
        let answer: Vec<Value> = self.run(&self.scripts.read, at, &now_ms.into(), &args, &[]).await?;
        let [all, last_access] = answer.as_slice() else { return Ok(None) };
        let token = codec::token(id, all, last_access)?;
        Ok(token.filter(|token| token.is_visible(now_ms, self.limits.revoked_retention_ms)))
    }

    pub(crate) async fn change(
        &self,
        id: TokenId,
        change: &TokenChange,
        call: &Call<'_>,
    ) -> Result<Changed, StoreError> {
        let (clear, set, slug) = codec::edit_args(change);
        let rotate_args = |rotation: Rotation| RotateArgs {
            grace: rotation.grace_ms,
            max_siblings: MAX_SIBLINGS,
            max_remembered: MAX_REMEMBERED_SECRETS,
        };
        let hash = change.rotate.as_ref().map(|rotation| rotation.hash.as_bytes().as_slice());
        let args = ChangeArgs {
            locator: id.locator(),
            clear,
            set,
            slug,
            confirm: change.confirm,
            rotate: change.rotate.map(rotate_args),
            why: change.end.map(|reason| reason.name()),
        };
        let at = (self.keys.token(id), id.hash_tag());
        let priority = if change.end.is_some() { Priority::Urgent } else { Priority::Normal };
        let answer: Result<Vec<Value>, _> =
            self.run_for(priority, &self.scripts.change, at, call, &args, hash.as_slice()).await;
        // Also after an error: the change may have been made.
        self.node_cache.invalidate([&id]);
        let answer = answer?;
        let [status, all, last_access] = answer.as_slice() else { return Ok(Changed::NotFound) };
        let token = codec::token(id, all, last_access)?.ok_or_else(|| unexpected("change"))?;
        match status {
            Value::Int(1) => Ok(Changed::Done(token)),
            Value::Int(2) => Ok(Changed::AlreadyRevoked(token)),
            Value::Int(3) => Ok(Changed::Pending),
            Value::Int(4) => Ok(Changed::RotatedTooOften),
            _ => Err(unexpected("change")),
        }
    }

    pub(crate) async fn revoke_reused(
        &self,
        id: TokenId,
        presented: &SecretHash,
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
        }
        let args = Args { locator: id.locator() };
        let at = (self.keys.token(id), id.hash_tag());
        let ended = self.revoke(&self.scripts.reuse, at, call, &args, &[presented.as_bytes()]).await;
        self.node_cache.invalidate([&id]);
        ended
    }

    pub(crate) async fn user_tokens(&self, user: &str, now_ms: u64) -> Result<Vec<Token>, StoreError> {
        let _turn = self.listing().await?;
        let shard = HashTag::of_user(user);
        let scores = self.scan_set(Priority::Normal, self.keys.index(user)).await?;
        let accesses: HashMap<&str, &Value> =
            scores.iter().filter_map(|(member, score)| Some((member.strip_prefix('@')?, score))).collect();
        let locators = scores.keys().map(String::as_str).filter(|member| !member.starts_with(['@', '#']));
        let listed = locators
            .map(|locator| TokenId::from_locator(shard, locator).ok_or_else(|| unexpected("index")))
            .collect::<Result<Vec<_>, _>>()?;
        let answers = self.read_hashes(listed.iter().map(|id| self.keys.token(*id)).collect()).await?;
        let mut tokens = Vec::with_capacity(listed.len());
        for (id, all) in listed.iter().zip(&answers) {
            let last_access = accesses.get(id.locator().as_str()).copied().unwrap_or(&Value::Nil);
            tokens.extend(codec::token(*id, all, last_access)?);
        }
        tokens.retain(|token| token.is_visible(now_ms, self.limits.revoked_retention_ms));
        tokens.sort_by_key(Token::listing_key);
        Ok(tokens)
    }

    pub(crate) async fn revoke_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        call: &Call<'_>,
    ) -> Result<Ended, StoreError> {
        let shard = HashTag::of_user(user);
        // A token of another user has another shard tag or is not in this index: it spares nothing.
        let spare = except.filter(|id| id.hash_tag() == shard).map(|id| id.locator()).unwrap_or_default();
        let args = EndArgs { user, spare: &spare, device: None, some: None };
        let first = self.end_step(&args, call).await?;
        self.end_in_steps(first, args, call).await
    }

    /// Finishes what a script began for a device key of the user; see [`RedisStore::end_in_steps`].
    pub(crate) async fn end_logged_in(
        &self,
        (user, uuid): (&str, &str),
        first: Step,
        call: &Call<'_>,
    ) -> Result<Ended, StoreError> {
        let args = EndArgs { user, spare: "", device: Some(uuid), some: None };
        self.end_in_steps(first, args, call).await
    }

    /// Revokes the tokens that the first step left, in steps that each hold the server for a short time. Which tokens these
    /// are is fixed once, by the first step or by one command after it (end_tokens in lua/prelude.lua).
    async fn end_in_steps(
        &self,
        first: Step,
        mut args: EndArgs<'_>,
        call: &Call<'_>,
    ) -> Result<Ended, StoreError> {
        let (shard, call) = (HashTag::of_user(args.user), self.call_by_now(call));
        let (ended, mut left, mut broken, are_many) = first;
        let mut ended = self.own_endings(shard, ended)?;
        if are_many {
            let index = self.keys.index(args.user);
            let range = cmd("ZRANGEBYSCORE").arg(index).arg(0).arg(codec::BELOW_REVOKED).to_owned();
            left = self.with_connection_for(Priority::Urgent, async |c| range.query_async(c).await).await?;
        }
        while !left.is_empty() {
            args.some = Some(left.split_off(left.len().saturating_sub(TOKENS_PER_STEP)));
            let (more, rest, other_broken, _) = self.end_step(&args, &call()).await?;
            ended.extend(self.own_endings(shard, more)?);
            left.extend(rest);
            if broken.is_empty() {
                broken = other_broken;
            }
        }
        if broken.is_empty() {
            return Ok(ended);
        }
        Err(StoreError::Corrupt { key: broken, reason: "missing or malformed field".into() })
    }

    async fn end_step(&self, args: &EndArgs<'_>, call: &Call<'_>) -> Result<Step, StoreError> {
        let at = (self.keys.index(args.user), HashTag::of_user(args.user));
        self.revoke(&self.scripts.end_user, at, call, args, &[]).await
    }
}

pub(crate) fn locators(value: &Value) -> Result<Vec<String>, StoreError> {
    redis::from_redis_value_ref(value).map_err(|_| unexpected("locators"))
}
