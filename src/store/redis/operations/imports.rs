//! Imports of foreign tokens, up to a thousand in one operation.
//!
//! A record and its alias are in different slots. The record is written first, so that the alias of a token that was never
//! written cannot keep it from being imported. If the operation fails in between, repeating it finds the record and writes
//! the alias.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use redis::{Cmd, Value, cmd, pipe};
use serde::Serialize;

use super::batch_reads::READS_PER_PIPELINE;
use super::script_call::ScriptCall;
use super::tokens::NewTokenArgs;
use crate::foreign::ForeignDigest;
use crate::model::import::{ImportOutcome, NewImport};
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{Token, TokenChange};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::errors::unexpected;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::alias;
use crate::store::redis::schema::codec::primitives::{bytes, decimal, field_args};
use crate::store::redis::schema::codec::token::record as codec;
use crate::token_string::TokenId;

/// Records that are being written at once; connections for them are as many as for listings.
const RECORDS_AT_ONCE: usize = 16;

/// An alias to write, and until when it is kept.
struct NewAlias<'a> {
    digest: &'a ForeignDigest,
    id: TokenId,
    until_ms: u64,
}

/// A command on the alias of a digest.
type AliasCommand<'a> = (&'a ForeignDigest, Cmd);

impl RedisStore {
    pub(crate) async fn import(
        &self,
        imports: &[NewImport],
        is_dry: bool,
        call: &Call<'_>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        let (written_ms, call) = (call.now_ms, self.advancing_call(call));
        let known = self.aliases(imports.iter().map(|import| &import.digest)).await?;
        let mut written = Vec::with_capacity(imports.len());
        for (imports, known) in imports.chunks(RECORDS_AT_ONCE).zip(known.chunks(RECORDS_AT_ONCE)) {
            let call = call();
            let outcomes = imports.iter().zip(known).map(async |(import, known)| match known {
                Some(id) if *id == import.token.record.id => Ok((ImportOutcome::Exists, None)),
                Some(_) => Ok((ImportOutcome::OtherUser, None)),
                None => self.import_record(import, is_dry, (written_ms, &call)).await,
            });
            written.extend(try_join_all(outcomes).await?);
        }
        let (mut outcomes, kept_until): (Vec<_>, Vec<_>) = written.into_iter().unzip();
        if is_dry {
            return Ok(outcomes);
        }
        let new_alias = |(place, until_ms): (usize, &Option<u64>)| {
            let NewImport { token, digest } = imports.get(place)?;
            Some((place, NewAlias { digest, id: token.record.id, until_ms: (*until_ms)? }))
        };
        let (places, aliases): (Vec<_>, Vec<_>) = kept_until.iter().enumerate().filter_map(new_alias).unzip();
        let put = self.put_aliases(&aliases, call().now_ms).await?;
        for (alias, other) in aliases.iter().zip(&put) {
            self.node_cache.aliases.learn(alias.digest, other.unwrap_or(alias.id));
        }
        for (place, other) in places.into_iter().zip(put) {
            if other.is_some_and(|other| other != imports[place].token.record.id) {
                self.withdraw(&imports[place], outcomes[place], &call()).await?;
                outcomes[place] = ImportOutcome::OtherUser;
            } else if outcomes[place] == ImportOutcome::Imported {
                let NewImport { token, digest } = &imports[place];
                let alias = Some((*digest, token.record.ends_at_ms));
                self.remember_imported_token(token, &imported_fields(token, written_ms), alias);
            }
        }
        Ok(outcomes)
    }

    /// Writes the record of a token without an alias. Returns the outcome, and until when the alias must be kept, if it is
    /// to be written.
    async fn import_record(
        &self,
        NewImport { token, .. }: &NewImport,
        is_dry: bool,
        (written_ms, call): (u64, &Call<'_>),
    ) -> Result<(ImportOutcome, Option<u64>), StoreError> {
        let _permit = self.listing_permit().await?;
        let (record, objects) = (&token.record, &token.details.related_objects);
        // A token that is there already must get no entries at objects: it may be revoked.
        if is_dry || !objects.is_empty() {
            let foreseen = self.run_import(token, true, (written_ms, call)).await?;
            if is_dry || foreseen.0 != ImportOutcome::Imported {
                return Ok(foreseen);
            }
        }
        if !self.add_object_entries(objects, (record.id, record.ends_at_ms), call).await? {
            self.remove_token_entries(record.id, objects, call.now_ms).await;
            return Ok((ImportOutcome::ObjectFull, None));
        }
        let written = self.run_import(token, false, (written_ms, call)).await?;
        if matches!(written.0, ImportOutcome::TooManyTokens | ImportOutcome::UserLocked) {
            self.remove_token_entries(record.id, objects, call.now_ms).await;
        }
        Ok(written)
    }

    /// Runs the script that writes a record, or says what it would do.
    async fn run_import(
        &self,
        token: &Token,
        is_dry: bool,
        (written_ms, call): (u64, &Call<'_>),
    ) -> Result<(ImportOutcome, Option<u64>), StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            new: NewTokenArgs<'a>,
            dry: bool,
        }
        let (record, id) = (&token.record, token.record.id);
        let args = Args { user: record.user(), new: self.imported_token_args(token), dry: is_dry };
        let fields = imported_fields(token, written_ms);
        let at = (self.keys.token(id), id.hash_tag());
        let script_call = ScriptCall::new(&self.scripts.import_token, at, call, &args);
        let answer: Vec<Value> = self.run_script(script_call.with_bytes(field_args(&fields))).await?;
        match answer.as_slice() {
            [Value::Int(0)] => Ok((ImportOutcome::TooManyTokens, None)),
            [Value::Int(1)] => Ok((ImportOutcome::Imported, Some(record.ends_at_ms))),
            [Value::Int(2), terms] => Ok((ImportOutcome::Exists, Some(codec::ends_at_ms(id, bytes(terms))?))),
            [Value::Int(3)] => Ok((ImportOutcome::UserLocked, None)),
            _ => Err(unexpected("import_token")),
        }
    }

    /// Revokes the record that this import has just written: meanwhile another import wrote the alias, for another user.
    async fn withdraw(
        &self,
        import: &NewImport,
        outcome: ImportOutcome,
        call: &Call<'_>,
    ) -> Result<(), StoreError> {
        if outcome == ImportOutcome::Imported {
            let change = TokenChange::revoking(RevokeReason::Ended);
            // Only a record that is gone is refused.
            let _ = self.change(import.token.record.id, &change, call).await?;
        }
        Ok(())
    }

    /// Reads the token ids of the aliases of these digests.
    async fn aliases<'a>(
        &self,
        digests: impl Iterator<Item = &'a ForeignDigest>,
    ) -> Result<Vec<Option<TokenId>>, StoreError> {
        let read = |digest| (digest, cmd("GET").arg(self.keys.alias(digest)).to_owned());
        self.run_on_aliases(&digests.map(read).collect::<Vec<_>>()).await
    }

    /// Writes the aliases that do not exist yet. Returns the ids of the existing ones. An alias is kept for the grace after
    /// its token's latest end, as the token is.
    async fn put_aliases(
        &self,
        aliases: &[NewAlias<'_>],
        now_ms: u64,
    ) -> Result<Vec<Option<TokenId>>, StoreError> {
        let put = |alias: &NewAlias<'_>| {
            let ttl_ms = (alias.until_ms + self.limits.stale_grace_ms).saturating_sub(now_ms);
            let mut set = cmd("SET");
            set.arg(self.keys.alias(alias.digest)).arg(alias.id.text().as_str()).arg("NX").arg("GET");
            // Redis refuses a TTL of zero.
            set.arg("PX").arg(ttl_ms.max(1)).to_owned()
        };
        let commands: Vec<_> = aliases.iter().map(|alias| (alias.digest, put(alias))).collect();
        self.run_on_aliases(&commands).await
    }

    /// Runs commands that each answer with the token id of an alias, as pipelines: on a Cluster, one for each slot.
    async fn run_on_aliases(
        &self,
        commands: &[AliasCommand<'_>],
    ) -> Result<Vec<Option<TokenId>>, StoreError> {
        let is_by_slot = self.topology.map().is_by_slot();
        let mut by_slot: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (place, (digest, _)) in commands.iter().enumerate() {
            let slot = if is_by_slot { slot_of_tag(digest.alias_hash_tag()) } else { 0 };
            by_slot.entry(slot).or_default().push(place);
        }
        let mut pipelines = Vec::new();
        by_slot.values().for_each(|places| pipelines.extend(places.chunks(READS_PER_PIPELINE)));
        let mut answers = vec![None; commands.len()];
        for some in pipelines.chunks(RECORDS_AT_ONCE) {
            let runs = some.iter().map(async |places| self.run_pipeline(commands, places).await);
            for (places, ids) in some.iter().zip(try_join_all(runs).await?) {
                for (place, id) in places.iter().zip(ids) {
                    answers[*place] = id.map(|id| alias::decode(&id)).transpose()?;
                }
            }
        }
        Ok(answers)
    }

    /// Runs the commands at these places, whose keys are in one slot, as one pipeline.
    async fn run_pipeline(
        &self,
        commands: &[AliasCommand<'_>],
        places: &[usize],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let _permit = self.listing_permit().await?;
        let mut pipeline = pipe();
        for place in places {
            pipeline.add_command(commands[*place].1.clone());
        }
        self.with_connection(async |c| pipeline.query_async(c).await).await
    }
}

/// Returns the fields of an imported token. It was created elsewhere, so its version is not its time of creation.
fn imported_fields(token: &Token, written_ms: u64) -> Vec<(&'static str, Vec<u8>)> {
    let mut fields = codec::fields_of(token);
    fields.push(("m", decimal(written_ms)));
    fields
}
