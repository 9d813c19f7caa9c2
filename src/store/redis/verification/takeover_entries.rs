//! Takeovers: a token's history, and the reverse index of the users taken over.

use std::collections::HashMap;

use redis::{Value, pipe};

use super::damage::Kind;
use super::inspect::{Item, ScriptArgs};
use super::key_name::UserKey;
use super::link::{MasterLink, for_each_key};
use super::user_keys::UserKeyCheck;
use super::verifier::{TOLERANCE_MS, Verifier};
use crate::model::takeover::{MAX_TAKEOVERS_PER_USER, NewTakeover, Takeover};
use crate::model::token::Token;
use crate::store::error::StoreError;
use crate::store::redis::schema::codec::takeover::{self as codec, reverse_index_member};
use crate::token_string::{HashTag, ID_CHARS, TokenId};

/// The takeovers of users taken over.
pub(crate) const TAKEN_OVER: UserKeyCheck = UserKeyCheck {
    kind: 'v',
    scan: "ZSCAN",
    script: |scripts| &scripts.verify_reverse_index,
    args: |user, member| set_args('v', user, member),
};

/// Users' tokens with takeovers.
pub(crate) const ACTING: UserKeyCheck =
    UserKeyCheck { kind: 'a', args: |user, member| set_args('a', user, member), ..TAKEN_OVER };

impl Verifier<'_> {
    /// Checks that the index of the user taken over names each takeover under way.
    ///
    /// An ended takeover may lack its entry: an erasure of the user taken over removes it and keeps the actor's history. An
    /// entry added by a repair would undo that erasure.
    pub(crate) async fn check_active_takeovers(&mut self, tokens: &[Token]) -> Result<(), StoreError> {
        let soon_ms = self.now_ms() + TOLERANCE_MS;
        let live = tokens.iter().filter(|token| self.stays_live(token));
        let active = live.filter_map(|token| Some((token, token.record.takeover.as_deref()?)));
        let active: Vec<_> = active
            .filter(|(_, takeover)| takeover.is_active(soon_ms))
            .map(|(token, takeover)| NewTakeover {
                id: takeover.id,
                token: token.record.id,
                user: takeover.user.clone(),
                reason: None,
                ends_at_ms: takeover.ends_at_ms,
            })
            .collect();
        for takeover in active {
            self.check_takeover_entry(takeover).await?;
        }
        Ok(())
    }

    async fn check_takeover_entry(&mut self, takeover: NewTakeover) -> Result<(), StoreError> {
        let is_missing = self.is_takeover_entry_missing(&takeover).await?
            && self.is_under_way(&takeover).await?
            && self.is_takeover_entry_missing(&takeover).await?;
        if is_missing {
            if self.options.repairs {
                self.store.add_takeover_entry(&takeover, &self.call()).await?;
            }
            let key = UserKey { hash_tag: HashTag::of_user(&takeover.user), user: takeover.user.clone() };
            let member = reverse_index_member(takeover.token, takeover.id);
            let key = self.shown_user_key('v', &key);
            self.add_member(Kind::TakeoverEntryMissing, self.options.repairs, &key, member.as_bytes());
        }
        Ok(())
    }

    /// Returns whether the index of the user taken over has no entry, although it has room.
    async fn is_takeover_entry_missing(&self, takeover: &NewTakeover) -> Result<bool, StoreError> {
        let (key, member) =
            (self.store.keys.taken_over(&takeover.user), reverse_index_member(takeover.token, takeover.id));
        let mut reads = pipe();
        reads.cmd("ZSCORE").arg(&key).arg(member).cmd("ZCOUNT").arg(&key).arg("-inf").arg("+inf");
        let (score, count): (Option<f64>, usize) =
            self.store.with_connection(async |c| reads.query_async(c).await).await?;
        Ok(score.is_none() && count < MAX_TAKEOVERS_PER_USER)
    }

    async fn is_under_way(&self, takeover: &NewTakeover) -> Result<bool, StoreError> {
        let token = self.token_again(takeover.token).await?;
        let active = token.and_then(|token| token.record.takeover.as_ref().map(|active| active.id));
        Ok(active == Some(takeover.id))
    }

    /// Checks tokens' histories of takeovers: the record, the TTL, and whether their user's list names them.
    pub(crate) async fn check_histories(
        &mut self,
        link: &MasterLink,
        ids: &[TokenId],
    ) -> Result<(), StoreError> {
        let reads = for_each_key("HGETALL", ids.iter().map(|id| self.store.keys.takeovers(*id)));
        let mut items = Vec::with_capacity(ids.len());
        for (id, answer) in ids.iter().zip(link.read(&reads).await?) {
            let Some(takeovers) = self.decode_history(*id, answer) else { continue };
            self.end_members(takeovers.len()).await;
            let last_ms = takeovers.iter().map(|takeover| takeover.ends_at_ms).max().unwrap_or_default();
            // A history without takeovers has no user; only its TTL is checked.
            let user = takeovers.first().map(|takeover| takeover.actor.clone()).unwrap_or_default();
            let args = vec![id.locator().into_bytes(), user.into_bytes(), last_ms.to_string().into_bytes()];
            items.push(Item { hash_tag: id.hash_tag(), key: self.store.keys.takeovers(*id), args });
        }
        for (at, kind, is_repaired) in self.inspect(link, |scripts| &scripts.verify_histories, &items).await?
        {
            self.add(kind, is_repaired, &items[at].key);
        }
        Ok(())
    }

    /// Returns a token's takeovers, if their hash is there, whole and in the slot of its user. Reports it otherwise.
    fn decode_history(&mut self, id: TokenId, answer: Option<Value>) -> Option<Vec<Takeover>> {
        let key = self.store.keys.takeovers(id);
        let Some(fields) = answer else {
            self.add(Kind::ForeignType, false, &key);
            return None;
        };
        let fields: HashMap<Vec<u8>, Vec<u8>> = redis::from_redis_value(fields).unwrap_or_default();
        // Expired since it was listed.
        if fields.is_empty() {
            return None;
        }
        let Ok(takeovers) = codec::takeovers(id, &fields, self.now_ms()) else {
            self.add(Kind::CorruptRecord, false, &key);
            return None;
        };
        if takeovers.iter().any(|takeover| HashTag::of_user(&takeover.actor) != id.hash_tag()) {
            self.add(Kind::WrongHashTag, false, &key);
            return None;
        }
        Some(takeovers)
    }
}

/// Returns the arguments for a set of the kind `v` or `a`, or for a malformed member of it.
fn set_args(kind: char, user: &UserKey, member: &[u8]) -> Option<ScriptArgs> {
    let is_malformed = || !is_member(kind, user.hash_tag, member);
    (member.is_empty() || is_malformed())
        .then(|| vec![kind.to_string().into_bytes(), user.user.clone().into_bytes(), member.to_vec()])
}

/// Returns whether a member names a token: in the set `a` of the token's user by its locator, in the set `v` of the user
/// taken over by its id, with the locator of a takeover.
fn is_member(kind: char, hash_tag: HashTag, member: &[u8]) -> bool {
    let Ok(member) = std::str::from_utf8(member) else { return false };
    if kind == 'a' {
        return TokenId::from_locator(hash_tag, member).is_some();
    }
    let Some((token, locator)) = member.split_at_checked(ID_CHARS) else { return false };
    TokenId::parse(token).is_some_and(|token| TokenId::from_locator(token.hash_tag(), locator).is_some())
}
