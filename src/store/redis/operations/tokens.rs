//! Single tokens: issued, read, changed, revoked; and a user's list of them.

use std::collections::HashMap;

use redis::Value;
use serde::Serialize;

use super::requests::OnceArgs;
use super::script_call::ScriptCall;
use crate::model::event::EventKind;
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::rotation::{MAX_REMEMBERED_SECRETS, MAX_SIBLINGS, Rotation};
use crate::model::token::{RelatedObject, Token, TokenChange};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::limits::ROOM_PER_LOGIN;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::event::PackedFacts;
use crate::store::redis::schema::codec::primitives::field_args;
use crate::store::redis::schema::codec::token::record as codec;
use crate::store::redis::schema::script::Script;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::{HashTag, SecretHash, TokenId};
use crate::values::OverLimit;

/// A new token as lua/shared/issuing.lua takes it.
#[derive(Serialize)]
pub(crate) struct NewTokenArgs<'a> {
    locator: String,
    created_at_ms: u64,
    accessed_at_ms: u64,
    expires_at_ms: u64,
    max: usize,
    may_revoke: bool,
    room: usize,
    event: &'static str,
    device: Option<&'a str>,
    facts: PackedFacts,
}

/// How often an operation starts again because an object or the end of the token changed meanwhile.
pub(crate) const ENTRY_ROUNDS: usize = 8;

/// The arguments of lua/change_token.lua.
#[derive(Serialize)]
struct ChangeTokenArgs<'a> {
    locator: String,
    clear: u32,
    set: u32,
    slug: String,
    scopes: String,
    idle_ms: Option<u64>,
    lifetime_ms: Option<u64>,
    objects: Vec<(&'a str, &'a str)>,
    confirm: bool,
    rotate: Option<RotateArgs>,
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    once: Option<OnceArgs>,
}

/// How a step of a change ended.
enum ChangeStep {
    Done(Outcome<Token>),
    /// Nothing was changed: the reverse-index entries of the token's objects end before the new end of the token.
    EntriesEndEarly(Token),
}

/// The arguments of lua/shared/secrets.lua, without the hash of the new secret, which is not text.
#[derive(Serialize)]
pub(crate) struct RotateArgs {
    pub(crate) grace_ms: u64,
    pub(crate) max_siblings: usize,
    pub(crate) max_remembered: usize,
}

impl From<Rotation> for RotateArgs {
    fn from(rotation: Rotation) -> Self {
        Self {
            grace_ms: rotation.grace_ms,
            max_siblings: MAX_SIBLINGS,
            max_remembered: MAX_REMEMBERED_SECRETS,
        }
    }
}

impl RedisStore {
    pub(crate) async fn issue(
        &self,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<Outcome<Vec<TokenId>>, StoreError> {
        let (record, objects) = (&token.record, &token.details.related_objects);
        let hash_tag = record.id.hash_tag();
        if !self.add_object_entries(objects, (record.id, record.ends_at_ms), call).await? {
            self.remove_token_entries(record.id, objects, call.now_ms).await;
            return Ok(Err(Rejection::ObjectFull));
        }
        let fields = codec::fields_of(token);
        let answer = match call.once {
            Some(_) => self.issue_in_any_case(&self.scripts.issue_token_once, token, &fields, call).await?,
            None => match self.issue_below_limits(token, &fields, call).await? {
                1 => {
                    self.remember_new_token(token, &fields);
                    return Ok(Ok(Vec::new()));
                }
                3 => {
                    let script = &self.scripts.issue_token_at_limit;
                    self.issue_in_any_case(script, token, &fields, call).await?
                }
                status => vec![Value::Int(status)],
            },
        };
        match answer.as_slice() {
            [Value::Int(9)] => {
                self.remove_token_entries(record.id, objects, call.now_ms).await;
                Ok(Err(self.done_before(hash_tag, call.once).await?))
            }
            [Value::Int(status @ (0 | 2))] => {
                self.remove_token_entries(record.id, objects, call.now_ms).await;
                Ok(Err(if *status == 0 { Rejection::TooManyTokens } else { Rejection::UserLocked }))
            }
            [Value::Int(1), revoked] => {
                self.remember_new_token(token, &fields);
                self.remember_done_request(call, hash_tag, Some(record.id));
                Ok(Ok(self.void_revoked(hash_tag, locators(revoked)?, RevokeReason::Limit, call.now_ms)?))
            }
            _ => Err(unexpected("issue_token")),
        }
    }

    /// Issues a token with one of the scripts that know all cases.
    async fn issue_in_any_case(
        &self,
        script: &Script,
        token: &Token,
        fields: &[(&'static str, Vec<u8>)],
        call: &Call<'_>,
    ) -> Result<Vec<Value>, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            new: NewTokenArgs<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            once: Option<OnceArgs>,
        }
        let record = &token.record;
        let once = self.once_args(call, record.id.hash_tag(), Some(record.id))?;
        let args = Args { user: record.user(), new: self.new_token_args(token), once };
        let at = (self.keys.token(record.id), record.id.hash_tag());
        self.run_script(ScriptCall::new(script, at, call, &args).with_bytes(field_args(fields))).await
    }

    /// Returns a token to import as the script takes it. No token is revoked for it.
    pub(crate) fn imported_token_args<'a>(&self, token: &'a Token) -> NewTokenArgs<'a> {
        let event = EventKind::TokenImported.name();
        NewTokenArgs { may_revoke: false, event, ..self.new_token_args(token) }
    }

    /// Returns a new token as the scripts that issue one take it.
    pub(crate) fn new_token_args<'a>(&self, token: &'a Token) -> NewTokenArgs<'a> {
        NewTokenArgs {
            locator: token.record.id.locator(),
            created_at_ms: token.record.created_at_ms,
            accessed_at_ms: token.last_access_ms,
            expires_at_ms: token.record.expires_at_ms,
            max: self.limits.max_tokens_per_user,
            may_revoke: self.limits.over_limit == OverLimit::RevokeOldest,
            room: ROOM_PER_LOGIN,
            event: EventKind::TokenIssued.name(),
            device: token.record.device(),
            facts: PackedFacts::of(token),
        }
    }

    pub(crate) async fn token(&self, id: TokenId, now_ms: u64) -> Result<Option<Token>, StoreError> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
        }
        let args = Args { locator: id.locator() };
        let at = (self.keys.token(id), id.hash_tag());
        let script_call = ScriptCall::new(&self.scripts.read_token, at, &now_ms.into(), &args);
        let answer: Vec<Value> = self.run_script(script_call).await?;
        let [fields, last_access] = answer.as_slice() else { return Ok(None) };
        let token = codec::token(id, fields, last_access)?;
        Ok(token.filter(|token| token.is_visible(now_ms, self.limits.revoked_retention_ms)))
    }

    pub(crate) async fn change(
        &self,
        id: TokenId,
        change: &TokenChange,
        call: &Call<'_>,
    ) -> Result<Outcome<Token>, StoreError> {
        let mut objects = Vec::new();
        for _ in 0..ENTRY_ROUNDS {
            let token = match self.change_once(id, change, &objects, call).await? {
                ChangeStep::Done(outcome) => return Ok(outcome),
                ChangeStep::EntriesEndEarly(token) => token,
            };
            let Some(ends_at_ms) = token.record.end_after(change, call.now_ms) else {
                return Ok(Err(Rejection::LifetimeOver));
            };
            // Before the record: there may be entries that live too long, but none that ends too early.
            objects.clone_from(&token.details.related_objects);
            if !self.add_object_entries(&objects, (id, ends_at_ms), call).await? {
                return Ok(Err(Rejection::ObjectFull));
            }
        }
        Err(StoreError::Unavailable("the token gets other related objects again and again".into()))
    }

    /// Makes a change, if the entries of `objects` reach to the new end and the token has no other related object.
    async fn change_once(
        &self,
        id: TokenId,
        change: &TokenChange,
        objects: &[RelatedObject],
        call: &Call<'_>,
    ) -> Result<ChangeStep, StoreError> {
        if let Some(token) = self.change_in_usual_case(id, change, call).await? {
            return Ok(ChangeStep::Done(Ok(token)));
        }
        let (clear, set, slug, scopes) = codec::edit_args(change);
        let args = ChangeTokenArgs {
            locator: id.locator(),
            clear,
            set,
            slug,
            scopes,
            idle_ms: change.idle_ms,
            lifetime_ms: change.lifetime_ms,
            objects: objects.iter().map(|o| (o.content_type.as_str(), o.object_id.as_str())).collect(),
            confirm: change.confirm,
            rotate: change.rotate.map(RotateArgs::from),
            reason: change.revoke.map(|reason| reason.name()),
            once: self.once_args(call, id.hash_tag(), Some(id))?,
        };
        let new_hash = change.rotate.as_ref().map(|rotation| rotation.hash.as_bytes().as_slice());
        let at = (self.keys.token(id), id.hash_tag());
        let priority = if change.revoke.is_some() { Priority::Urgent } else { Priority::Normal };
        let script = match call.once {
            Some(_) => &self.scripts.change_token_once,
            None => &self.scripts.change_token,
        };
        let script_call = ScriptCall::new(script, at, call, &args);
        let answer: Result<Vec<Value>, _> =
            self.run_script(script_call.with_bytes(new_hash).with_priority(priority)).await;
        // Also after an error: the change may have been made.
        self.node_cache.invalidate([&id]);
        let answer = answer?;
        if answer == [Value::Int(9)] {
            return Ok(ChangeStep::Done(Err(self.done_before(id.hash_tag(), call.once).await?)));
        }
        self.change_step((id, change, call), &answer)
    }

    /// Reads the answer of lua/change_token.lua, and remembers the change if it was made.
    fn change_step(
        &self,
        (id, change, call): (TokenId, &TokenChange, &Call<'_>),
        answer: &[Value],
    ) -> Result<ChangeStep, StoreError> {
        let [status, fields, last_access] = answer else {
            return Ok(ChangeStep::Done(Err(Rejection::NotFound)));
        };
        let token = codec::token(id, fields, last_access)?.ok_or_else(|| unexpected("change_token"))?;
        if *status == Value::Int(1) && (change.revoke.is_some() || change.edits()) {
            match change.revoke {
                Some(reason) => {
                    self.changes.revoked.add(reason, 1);
                    self.remember_revoked([&id], reason, call.now_ms);
                }
                None => self.remember_token(id, fields, last_access),
            }
            self.remember_done_request(call, id.hash_tag(), Some(id));
        }
        Ok(ChangeStep::Done(match status {
            Value::Int(2) if change.edits() => Err(Rejection::Revoked),
            Value::Int(1 | 2) => Ok(token),
            Value::Int(3) => Err(Rejection::Pending),
            Value::Int(4) => Err(Rejection::RotatedTooOften),
            Value::Int(5) => Err(Rejection::UserLocked),
            Value::Int(6) => Err(Rejection::LifetimeOver),
            Value::Int(8) => Err(Rejection::ImportedEnd),
            Value::Int(7) => return Ok(ChangeStep::EntriesEndEarly(token)),
            _ => return Err(unexpected("change_token")),
        }))
    }

    pub(crate) async fn revoke_reused(
        &self,
        id: TokenId,
        secret_hash: &SecretHash,
        call: &Call<'_>,
    ) -> Result<Option<String>, StoreError> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
        }
        let args = Args { locator: id.locator() };
        let at = (self.keys.token(id), id.hash_tag());
        let script_call = ScriptCall::new(&self.scripts.revoke_reused_token, at, call, &args);
        let user =
            self.run_script(script_call.with_bytes([secret_hash.as_bytes().as_slice()]).urgent()).await;
        self.node_cache.invalidate([&id]);
        if matches!(user, Ok(Some(_))) {
            self.changes.revoked.add(RevokeReason::Reuse, 1);
            self.remember_revoked([&id], RevokeReason::Reuse, call.now_ms);
        }
        user
    }

    pub(crate) async fn user_tokens(&self, user: &str, now_ms: u64) -> Result<Vec<Token>, StoreError> {
        let _permit = self.listing_permit().await?;
        let hash_tag = HashTag::of_user(user);
        let scores = self.scan_set(Priority::Normal, self.keys.index(user)).await?;
        let accesses: HashMap<&str, &Value> =
            scores.iter().filter_map(|(member, score)| Some((member.strip_prefix('@')?, score))).collect();
        let locators = scores.keys().map(String::as_str).filter(|member| !member.starts_with(['@', '#']));
        let ids = locators
            .map(|locator| TokenId::from_locator(hash_tag, locator).ok_or_else(|| unexpected("index")))
            .collect::<Result<Vec<_>, _>>()?;
        let answers = self.read_hashes(ids.iter().map(|id| self.keys.token(*id)).collect()).await?;
        let mut tokens = Vec::with_capacity(ids.len());
        for (id, fields) in ids.iter().zip(&answers) {
            let last_access = accesses.get(id.locator().as_str()).copied().unwrap_or(&Value::Nil);
            tokens.extend(codec::token(*id, fields, last_access)?);
        }
        tokens.retain(|token| token.is_visible(now_ms, self.limits.revoked_retention_ms));
        tokens.sort_by_key(Token::listing_key);
        Ok(tokens)
    }
}

pub(crate) fn locators(value: &Value) -> Result<Vec<String>, StoreError> {
    redis::from_redis_value_ref(value).map_err(|_| unexpected("locators"))
}
