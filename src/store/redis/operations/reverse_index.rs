//! Hints: they tell a slot where to look in others. Of an object's tokens, and of the takeovers of a user.
//!
//! A hint is written before what it is of, and again whenever that is to be; so there may be too many, never too few. It
//! goes when what it is of ends, in a round trip of its own, since no step changes two slots. Where that one fails, and
//! where nobody did anything to end it, it goes by its score: with the next hint that is written beside it after the latest
//! end that its token can have, or with the key.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use redis::Value;
use serde::Serialize;

use crate::model::takeover::{MAX_TAKEOVERS_PER_USER, NewTakeover, TakeoverId};
use crate::model::token::RelatedObject;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::keys::ObjectName;
use crate::token_string::{HashTag, ID_CHARS, TokenId};

/// A hint may be this much older than what it tells of: far longer than two operations may take.
pub(crate) const HINT_GRACE_SECONDS: u64 = 60;
/// Script calls at once for one operation: as many as there are connections by default.
pub(crate) const CALLS_AT_ONCE: usize = 8;
/// Hints in one script call: few enough to hold the server for well under a millisecond.
const HINTS_PER_CALL: usize = 128;
/// Tokens that are looked at for stale entries of an object that has as many entries as allowed.
pub(crate) const LOOKED_AT: usize = 256;

/// What finish() in lua/prelude.lua packs: of tokens locator, content type, object id and whether the token is revoked; of
/// takeovers the token's locator, the takeover's, and the user taken over.
type Packed = (Vec<(String, String, String, bool)>, Vec<(String, String, String)>);

/// A hint that is not true any more, or may not be.
pub(crate) enum Untrue {
    /// That an object has this token.
    Token {
        object: ObjectName,
        id: TokenId,
        /// Else it only does not name the object, and may be about to.
        has_ended: bool,
    },
    /// That a token took this user over.
    Takeover { user: String, token: TokenId, takeover: TakeoverId, kept_until_ms: u64 },
}

impl Untrue {
    /// The token.
    pub(crate) fn token(&self) -> &TokenId {
        match self {
            Self::Token { id, .. } => id,
            Self::Takeover { token, .. } => token,
        }
    }

    /// That of the slot where the hint is.
    fn shard(&self) -> HashTag {
        match self {
            Self::Token { object, .. } => object.shard,
            Self::Takeover { user, .. } => HashTag::of_user(user),
        }
    }
}

#[derive(Default, Serialize)]
struct UnhintArgs<'a> {
    tokens: Vec<(String, &'a str, String, bool)>,
    grace: u64,
    takeovers: Vec<(String, &'a str, String, u64)>,
}

impl<'a> FromIterator<&'a Untrue> for UnhintArgs<'a> {
    fn from_iter<T: IntoIterator<Item = &'a Untrue>>(hints: T) -> Self {
        let mut args = Self { grace: HINT_GRACE_SECONDS, ..Self::default() };
        for hint in hints {
            let shard = hint.shard().to_string();
            match hint {
                Untrue::Token { object, id, has_ended } => {
                    args.tokens.push((shard, &object.name, id.to_string(), *has_ended));
                }
                Untrue::Takeover { user, token, takeover, kept_until_ms } => {
                    args.takeovers.push((shard, user, takeover_hint(*token, *takeover), *kept_until_ms));
                }
            }
        }
        args
    }
}

impl RedisStore {
    /// Lets objects know of a token that is about to name them; false when one of them has too many.
    pub(crate) async fn hint(
        &self,
        objects: &[RelatedObject],
        (id, ends_at_ms): (TokenId, u64),
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        let hinted = objects.iter().map(async |object| {
            if self.hint_once(object, (id, ends_at_ms), call).await? {
                return Ok(true);
            }
            // Its hints may be of tokens that have ended: looking at some removes those.
            self.remove_stale_hints(object, call.now_ms).await?;
            self.hint_once(object, (id, ends_at_ms), call).await
        });
        Ok(try_join_all(hinted).await?.into_iter().all(|hinted| hinted))
    }

    async fn hint_once(
        &self,
        object: &RelatedObject,
        (id, ends_at_ms): (TokenId, u64),
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            object: &'a str,
            token: String,
            most: usize,
            kept_until: u64,
        }
        let ObjectName { shard, name } = ObjectName::of(object);
        let args = Args {
            object: &name,
            token: id.to_string(),
            most: self.limits.max_tokens_per_object,
            // No renewal reaches beyond it.
            kept_until: ends_at_ms,
        };
        self.run(&self.scripts.hint, (self.keys.related(object), shard), call, &args, &[]).await
    }

    /// Lets the taken-over user's slot know where to look; kept as long as the takeover can be.
    pub(crate) async fn hint_takeover(&self, new: &NewTakeover, call: &Call<'_>) -> Result<(), StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            hint: String,
            kept_until: u64,
            most: usize,
        }
        let args = Args {
            user: &new.user,
            hint: takeover_hint(new.token, new.id),
            kept_until: new.ends_at_ms + self.limits.takeover_retention_ms,
            most: MAX_TAKEOVERS_PER_USER,
        };
        let at = (self.keys.taken_over(&new.user), HashTag::of_user(&new.user));
        self.run(&self.scripts.hint_takeover, at, call, &args, &[]).await
    }

    /// The token was refused, or has ended: these objects do not have it.
    pub(crate) async fn unhint_token(&self, id: TokenId, objects: &[RelatedObject], now_ms: u64) {
        let untrue = |object| Untrue::Token { object: ObjectName::of(object), id, has_ended: true };
        self.unhint(Priority::Normal, &objects.iter().map(untrue).collect::<Vec<_>>(), now_ms).await;
    }

    /// Takes away hints that are not true any more. What cannot be reached keeps them: they do no harm, and go by
    /// themselves.
    pub(crate) async fn unhint(&self, priority: Priority, hints: &[Untrue], now_ms: u64) {
        let (is_by_slot, call) = (self.topology.map().is_by_slot(), self.call_by_now(&now_ms.into()));
        let mut by_slot: BTreeMap<u16, Vec<&Untrue>> = BTreeMap::new();
        for hint in hints {
            let slot = if is_by_slot { slot_of_tag(hint.shard()) } else { 0 };
            by_slot.entry(slot).or_default().push(hint);
        }
        let calls: Vec<_> = by_slot.values().flat_map(|hints| hints.chunks(HINTS_PER_CALL)).collect();
        for some in calls.chunks(CALLS_AT_ONCE) {
            let now_ms = call().now_ms;
            join_all(some.iter().map(|hints| self.unhint_in_slot(priority, hints, now_ms))).await;
        }
    }

    async fn unhint_in_slot(&self, priority: Priority, hints: &[&Untrue], now_ms: u64) {
        let Some(first) = hints.first() else { return };
        let key = match first {
            Untrue::Token { object, .. } => self.keys.related_by_name(object),
            Untrue::Takeover { user, .. } => self.keys.taken_over(user),
        };
        let args: UnhintArgs<'_> = hints.iter().copied().collect();
        let at = (key, first.shard());
        if let Err(error) =
            self.run_script(priority, &self.scripts.unhint, at, &now_ms.into(), &args, &[]).await
        {
            tracing::debug!(%error, "hints of what has ended stay for now");
        }
    }

    /// A script's own answer, and the hints that it made untrue. `shard` is that of the tokens it ended.
    pub(crate) fn split_answer(&self, shard: HashTag, answer: Value, now_ms: u64) -> (Value, Vec<Untrue>) {
        let Value::Array(parts) = answer else { return (answer, Vec::new()) };
        match <[Value; 3]>::try_from(parts) {
            Ok([Value::SimpleString(tag), Value::BulkString(packed), answer]) if tag == "HINTS" => {
                let packed: Packed = rmp_serde::from_slice(&packed).unwrap_or_default();
                (answer, self.untrue(shard, packed, now_ms).unwrap_or_default())
            }
            Ok(parts) => (Value::Array(parts.into()), Vec::new()),
            Err(parts) => (Value::Array(parts), Vec::new()),
        }
    }

    fn untrue(&self, shard: HashTag, (tokens, takeovers): Packed, now_ms: u64) -> Option<Vec<Untrue>> {
        let kept_until_ms = now_ms + self.limits.takeover_retention_ms;
        let tokens = tokens.into_iter().map(|(locator, content_type, object_id, has_ended)| {
            let object = ObjectName::of(&RelatedObject { content_type, object_id });
            Some(Untrue::Token { object, id: TokenId::from_locator(shard, &locator)?, has_ended })
        });
        let takeovers = takeovers.into_iter().map(|(token, takeover, user)| {
            let token = TokenId::from_locator(shard, &token)?;
            let takeover = TakeoverId::from_locator(shard, &takeover)?;
            Some(Untrue::Takeover { user, token, takeover, kept_until_ms })
        });
        tokens.chain(takeovers).collect()
    }
}

/// The token's id and the takeover's locator, one behind the other.
fn takeover_hint(token: TokenId, takeover: TakeoverId) -> String {
    format!("{token}{}", takeover.locator())
}

/// The token that a hint of a takeover names.
///
/// # Errors
/// `Corrupt`.
pub(crate) fn token_of_takeover_hint(hint: &str) -> Result<TokenId, StoreError> {
    let token = hint.get(..ID_CHARS).and_then(TokenId::parse);
    token.ok_or_else(|| unexpected("hint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_of_a_takeover_names_the_token() {
        let [token, takeover] =
            ["jE1hGDDTZBpo-Upp", "jE1hGDDTZBpo-Uqq"].map(|id| TokenId::parse(id).unwrap());
        let hint = takeover_hint(token, takeover);
        assert_eq!(hint, "jE1hGDDTZBpo-UppYRgw02QaaPlKqg");
        assert_eq!(token_of_takeover_hint(&hint).unwrap(), token);
        assert!(token_of_takeover_hint("short").is_err());
    }
}
