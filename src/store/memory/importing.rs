//! Imports tokens, and keeps the aliases of foreign tokens.

use std::collections::HashMap;
use std::sync::MutexGuard;

use super::memory_store::MemoryStore;
use super::shard::lock;
use crate::foreign::AliasName;
use crate::model::event::EventKind;
use crate::model::import::{ImportOutcome, NewImport};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::rejection::Rejection;
use crate::token_string::{HashTag, TokenId};
use crate::values::OverLimit;

/// The ids of imported tokens by the aliases of their foreign strings, and until when each is kept.
pub(crate) type Aliases = HashMap<AliasName, (TokenId, u64)>;

impl MemoryStore {
    pub(crate) fn import(
        &self,
        imports: &[NewImport],
        is_dry: bool,
        call: &Call<'_>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        imports.iter().map(|import| self.import_one(import, is_dry, call)).collect()
    }

    fn import_one(
        &self,
        NewImport { token, digest }: &NewImport,
        is_dry: bool,
        call: &Call<'_>,
    ) -> Result<ImportOutcome, StoreError> {
        let (id, user, name) = (token.record.id, token.record.user(), digest.alias_name());
        self.make_room_in_objects(&token.details.related_objects, call.now_ms);
        let mut aliases = self.aliases();
        match aliases.get(&name).filter(|(_, until_ms)| *until_ms > call.now_ms) {
            Some((known, _)) if *known == id => return Ok(ImportOutcome::Exists),
            Some(_) => return Ok(ImportOutcome::OtherUser),
            None if aliases.len() >= self.max_tokens => return Err(Self::full()),
            None => {}
        }
        let mut shard = self.shard(HashTag::of_user(user));
        let known = shard.tokens.get(&id).filter(|token| self.is_kept(token, call.now_ms));
        let (outcome, ends_at_ms) = if let Some(known) = known {
            (ImportOutcome::Exists, known.record.ends_at_ms)
        } else if is_dry {
            let live = shard.tokens_of(user).filter(|token| token.record.is_live(call.now_ms)).count();
            let has_room = live < self.limits.max_tokens_per_user;
            return Ok(if has_room { ImportOutcome::Imported } else { ImportOutcome::TooManyTokens });
        } else {
            let admitted =
                self.admit(&mut shard, token, (EventKind::TokenImported, OverLimit::RefuseNew), call)?;
            match admitted {
                Ok(_) => (ImportOutcome::Imported, token.record.ends_at_ms),
                Err(Rejection::ObjectFull) => return Ok(ImportOutcome::ObjectFull),
                Err(_) => return Ok(ImportOutcome::TooManyTokens),
            }
        };
        if !is_dry {
            aliases.insert(name, (id, ends_at_ms.saturating_add(self.limits.stale_grace_ms)));
        }
        Ok(outcome)
    }

    /// Removes the aliases that are not kept any longer.
    pub(crate) fn prune_aliases(&self, now_ms: u64) {
        self.aliases().retain(|_, (_, until_ms)| *until_ms > now_ms);
    }

    fn aliases(&self) -> MutexGuard<'_, Aliases> {
        lock(&self.aliases)
    }
}
