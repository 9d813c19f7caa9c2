//! The calls of a merge: one for each thing that is remembered.

use redis::{FromRedisValue, Value, from_redis_value};
use serde::Serialize;

use super::entries::{
    Change, ChangeKey, Ending, EndingKey, RememberedRevocation, RememberedTakeover, RememberedToken,
};
use super::merge_run::{MergeCall, MergeCommand};
use super::merged::{MergeTimes, Merged};
use super::packed_fields::PackedFields;
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::MAX_TAKEOVERS_PER_TOKEN;
use crate::model::token::rotation::MAX_REMEMBERED_SECRETS;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::operations::stale_entries::{PackedStaleEntries, StaleEntry};
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::device as device_codec;
use crate::store::redis::schema::codec::primitives::pack_named;
use crate::store::redis::schema::codec::takeover as takeover_codec;
use crate::store::redis::schema::keys::Keys;
use crate::store::redis::schema::script::Script;
use crate::token_string::{HashTag, TokenId};

/// Revocations in one call: few enough to hold the server for well under a millisecond.
const REVOCATIONS_PER_CALL: usize = 128;
/// Tokens in one call, likewise.
const TOKENS_PER_CALL: usize = 16;

/// A token of a call as lua/merge_tokens.lua takes it: hash tag, locator, last access, number of its further arguments.
type MergedToken = (String, String, u64, usize);

impl RedisStore {
    /// Makes the call of a script; `note` reads its answer.
    pub(super) fn merge_call<'a>(
        &self,
        script: &'a Script,
        (key, tag): (String, HashTag),
        args: &impl Serialize,
        times: MergeTimes,
        note: impl FnOnce(&mut Merged, Value) + Send + 'a,
    ) -> MergeCall<'a> {
        // The time is this node's, which was the time of the store before. The new master's clock may differ.
        let context = self.tolerant_context(tag, &times.now_ms.into(), None);
        let command = MergeCommand::Script { script, key, args: vec![context, pack_named(args)] };
        MergeCall { command, note: Box::new(note) }
    }

    /// Returns the calls that revoke tokens: on a Cluster, each is for one slot.
    pub(super) fn revocation_calls<'a>(
        &'a self,
        revocations: &mut [(TokenId, RememberedRevocation)],
        times: MergeTimes,
    ) -> Vec<MergeCall<'a>> {
        #[derive(Serialize)]
        struct Args {
            tokens: Vec<(String, String, u64, &'static str)>,
            trace_ms: u64,
            least_ms: u64,
        }
        let slot = |id: &TokenId| self.merge_slot(*id);
        revocations.sort_by_cached_key(|(id, _)| slot(id));
        let chunks = revocations
            .chunk_by(|(one, _), (other, _)| slot(one) == slot(other))
            .flat_map(|of_slot| of_slot.chunks(REVOCATIONS_PER_CALL));
        let call = |some: &[(TokenId, RememberedRevocation)]| {
            let (first, _) = some.first()?;
            let packed = |(id, revocation): &(TokenId, RememberedRevocation)| {
                let reason = revocation.reason.unwrap_or(RevokeReason::Ended).name();
                (id.hash_tag().to_string(), id.locator(), revocation.at_ms, reason)
            };
            let tokens = some.iter().map(packed).collect();
            let args = Args { tokens, trace_ms: times.trace_ms, least_ms: times.least_ms };
            let at = (self.keys.token(*first), first.hash_tag());
            let note = move |merged: &mut Merged, answer| self.note_revocations(merged, answer, times);
            Some(self.merge_call(&self.scripts.merge_revocations, at, &args, times, note))
        };
        chunks.filter_map(call).collect()
    }

    /// Returns the slot of a token; one for all, if all slots have the same master.
    fn merge_slot(&self, id: TokenId) -> u16 {
        if self.topology.map().is_by_slot() { slot_of_tag(id.hash_tag()) } else { 0 }
    }

    fn note_revocations(&self, merged: &mut Merged, answer: Value, times: MergeTimes) {
        let Some((revoked, corrupt, stale)) = read::<(usize, usize, Vec<(String, Vec<u8>)>)>(answer) else {
            return;
        };
        merged.counts.revoked += revoked;
        merged.counts.failed += corrupt;
        for (tag, packed) in stale {
            merged.stale.extend(
                HashTag::parse(&tag)
                    .and_then(|tag| self.stale_entries(tag, &packed, times))
                    .unwrap_or_default(),
            );
        }
    }

    fn stale_entries(&self, tag: HashTag, packed: &[u8], times: MergeTimes) -> Option<Vec<StaleEntry>> {
        let packed: PackedStaleEntries = rmp_serde::from_slice(packed).ok()?;
        StaleEntry::unpack(tag, packed, times.now_ms + self.limits.takeover_retention_ms)
    }

    /// Returns the call that merges an ending besides the revocation of a token. An erasure takes several calls.
    pub(super) fn ending_call<'a>(
        &'a self,
        key: &EndingKey,
        ending: &Ending,
        times: MergeTimes,
    ) -> Option<MergeCall<'a>> {
        match (key, ending) {
            (EndingKey::Takeover(takeover), Ending::Takeover { token, at_ms }) => {
                Some(self.takeover_end_call((*takeover, *token), *at_ms, times))
            }
            (EndingKey::Device(id), Ending::DeviceDeactivated { version_ms }) => {
                Some(self.device_end_call(*id, Some(*version_ms), times))
            }
            (EndingKey::Device(id), Ending::DeviceRemoved) => Some(self.device_end_call(*id, None, times)),
            (EndingKey::Lock(user), Ending::Lock { is_locked, at_ms }) => {
                Some(self.lock_call(user, (*is_locked, *at_ms), times))
            }
            (EndingKey::Cutoff(name), Ending::Cutoff { .. }) => Some(self.cutoff_call(name, ending, times)),
            _ => None,
        }
    }

    fn takeover_end_call<'a>(
        &'a self,
        (takeover, token): (TokenId, TokenId),
        at_ms: u64,
        times: MergeTimes,
    ) -> MergeCall<'a> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
            takeover: String,
            at_ms: u64,
            trace_ms: u64,
        }
        let args =
            Args { locator: token.locator(), takeover: takeover.locator(), at_ms, trace_ms: times.trace_ms };
        let at = (self.keys.token(token), token.hash_tag());
        let kept_until_ms = at_ms + self.limits.takeover_retention_ms;
        self.merge_call(&self.scripts.merge_takeover_end, at, &args, times, move |merged, answer| {
            if let Some(user) = read::<Option<String>>(answer).flatten() {
                merged.counts.ended += 1;
                merged.stale.push(StaleEntry::Takeover { user, token, takeover, kept_until_ms });
            }
        })
    }

    fn device_end_call<'a>(
        &'a self,
        id: DeviceId,
        version_ms: Option<u64>,
        times: MergeTimes,
    ) -> MergeCall<'a> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
            version_ms: Option<u64>,
            trace_ms: u64,
        }
        let args = Args { locator: id.locator(), version_ms, trace_ms: times.trace_ms };
        let at = (self.keys.device(id), id.hash_tag());
        self.merge_call(&self.scripts.merge_device_end, at, &args, times, |merged, answer| {
            merged.note_ended(answer)
        })
    }

    fn lock_call<'a>(&'a self, user: &str, (locked, at_ms): (bool, u64), times: MergeTimes) -> MergeCall<'a> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            locked: bool,
            at_ms: u64,
            trace_ms: u64,
        }
        let args = Args { user, locked, at_ms, trace_ms: times.trace_ms };
        let at = (self.keys.index(user), HashTag::of_user(user));
        self.merge_call(&self.scripts.merge_lock, at, &args, times, |merged, answer| {
            merged.note_ended(answer)
        })
    }

    fn cutoff_call<'a>(&'a self, name: &str, ending: &Ending, times: MergeTimes) -> MergeCall<'a> {
        #[derive(Serialize)]
        struct Args<'a> {
            name: &'a str,
            before_ms: Option<u64>,
            set_at_ms: Option<u64>,
            removed_at_ms: u64,
            trace_ms: u64,
        }
        let (set, removed_at_ms) = match ending {
            Ending::Cutoff { set, removed_at_ms } => (*set, *removed_at_ms),
            _ => (None, None),
        };
        let args = Args {
            name,
            before_ms: set.map(|set| set.before_ms),
            set_at_ms: set.map(|set| set.at_ms),
            removed_at_ms: removed_at_ms.unwrap_or_default(),
            trace_ms: times.trace_ms,
        };
        let at = (self.keys.cutoffs(), Keys::cutoff_tag());
        self.merge_call(&self.scripts.merge_cutoff, at, &args, times, |merged, answer| {
            merged.note_ended(answer)
        })
    }

    /// Returns the call that erases some of what a user had at `at_ms`.
    pub(super) fn erasure_call<'a>(&'a self, user: &str, at_ms: u64, times: MergeTimes) -> MergeCall<'a> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            at_ms: u64,
            trace_ms: u64,
        }
        let tag = HashTag::of_user(user);
        let args = Args { user, at_ms, trace_ms: times.trace_ms };
        self.merge_call(
            &self.scripts.merge_erasure,
            (self.keys.index(user), tag),
            &args,
            times,
            move |merged, answer| {
                let Some((erased, is_done, stale)) = read::<(usize, bool, Vec<u8>)>(answer) else { return };
                merged.counts.ended += usize::from(erased > 0);
                merged.is_erased = is_done;
                merged.stale.extend(self.stale_entries(tag, &stale, times).unwrap_or_default());
            },
        )
    }

    /// Returns the call that merges a change of a device key or takeover.
    pub(super) fn change_call<'a>(
        &'a self,
        key: ChangeKey,
        change: &Change,
        times: MergeTimes,
    ) -> Option<MergeCall<'a>> {
        match (key, change) {
            (ChangeKey::Device(id), Change::Device(fields)) => {
                let device = decoded_device(id, fields)?;
                Some(self.device_call(&device, fields, times))
            }
            (ChangeKey::Takeover(_), Change::Takeover(takeover)) => Some(self.takeover_call(takeover, times)),
            _ => None,
        }
    }

    /// Returns the calls that merge tokens: on a Cluster, each is for one slot.
    pub(super) fn token_calls<'a>(
        &'a self,
        mut tokens: Vec<(TokenId, RememberedToken)>,
        times: MergeTimes,
    ) -> Vec<MergeCall<'a>> {
        let slot = |id: &TokenId| self.merge_slot(*id);
        tokens.sort_by_cached_key(|(id, _)| slot(id));
        let chunks = tokens
            .chunk_by(|(one, _), (other, _)| slot(one) == slot(other))
            .flat_map(|of_slot| of_slot.chunks(TOKENS_PER_CALL));
        chunks.filter_map(|some| self.token_call(some, times)).collect()
    }

    fn token_call<'a>(
        &'a self,
        tokens: &[(TokenId, RememberedToken)],
        times: MergeTimes,
    ) -> Option<MergeCall<'a>> {
        #[derive(Serialize)]
        struct Args {
            tokens: Vec<MergedToken>,
            max_remembered: usize,
            trace_ms: u64,
        }
        let (first, _) = tokens.first()?;
        let packed = |(id, token): &(TokenId, RememberedToken)| {
            let parts = token.fields.parts().count();
            (id.hash_tag().to_string(), id.locator(), token.last_access_ms, parts)
        };
        let args = Args {
            tokens: tokens.iter().map(packed).collect(),
            max_remembered: MAX_REMEMBERED_SECRETS,
            trace_ms: times.trace_ms,
        };
        let at = (self.keys.token(*first), first.hash_tag());
        let ids: Vec<_> = tokens.iter().map(|(id, _)| *id).collect();
        let note = move |merged: &mut Merged, answer| {
            let statuses = read::<Vec<i64>>(answer).unwrap_or_default();
            for (id, status) in ids.into_iter().zip(statuses) {
                merged.note_change(ChangeKey::Token(id), status);
            }
        };
        let call = self.merge_call(&self.scripts.merge_tokens, at, &args, times, note);
        Some(tokens.iter().fold(call, |call, (_, token)| call.with_fields(&token.fields)))
    }

    fn device_call<'a>(
        &'a self,
        device: &DeviceKey,
        fields: &PackedFields,
        times: MergeTimes,
    ) -> MergeCall<'a> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            uuid: &'a str,
            locator: String,
            trace_ms: u64,
        }
        let (id, trace_ms) = (device.id, times.trace_ms);
        let args = Args { user: &device.user, uuid: &device.uuid, locator: id.locator(), trace_ms };
        let at = (self.keys.devices(&device.user), id.hash_tag());
        let note = move |merged: &mut Merged, answer| {
            merged.note_change(ChangeKey::Device(id), read(answer).unwrap_or_default());
        };
        self.merge_call(&self.scripts.merge_device, at, &args, times, note).with_fields(fields)
    }

    fn takeover_call<'a>(&'a self, takeover: &RememberedTakeover, times: MergeTimes) -> MergeCall<'a> {
        #[derive(Serialize)]
        struct Args<'a> {
            locator: String,
            takeover: String,
            actor: &'a str,
            created_at_ms: u64,
            ends_at_ms: u64,
            expires_at_ms: u64,
            retention_ms: u64,
            max: usize,
            trace_ms: u64,
        }
        let RememberedTakeover { new, actor, created_at_ms, expires_at_ms } = takeover;
        let args = Args {
            locator: new.token.locator(),
            takeover: new.id.locator(),
            actor,
            created_at_ms: *created_at_ms,
            ends_at_ms: new.ends_at_ms,
            expires_at_ms: *expires_at_ms,
            retention_ms: self.limits.takeover_retention_ms,
            max: MAX_TAKEOVERS_PER_TOKEN,
            trace_ms: times.trace_ms,
        };
        let at = (self.keys.token(new.token), new.token.hash_tag());
        let record = takeover_codec::record_of(new, *created_at_ms);
        let id = new.id;
        let note = move |merged: &mut Merged, answer| {
            let Some((status, ended_at_ms)) = read::<(i64, u64)>(answer) else { return };
            merged.note_change(ChangeKey::Takeover(id), status);
            if ended_at_ms > 0 {
                merged.takeover_ends.insert(id, ended_at_ms);
            }
        };
        self.merge_call(&self.scripts.merge_takeover, at, &args, times, note).with_bytes(record)
    }
}

/// Reads an answer of a script of this version.
fn read<T: FromRedisValue>(answer: Value) -> Option<T> {
    from_redis_value(answer).ok()
}

/// Returns packed fields as an answer to `HGETALL`.
pub(super) fn as_answer(fields: &PackedFields) -> Value {
    Value::Array(fields.parts().map(|part| Value::BulkString(part.to_vec())).collect())
}

/// Decodes a remembered device key; `None` if it is corrupt.
pub(super) fn decoded_device(id: DeviceId, fields: &PackedFields) -> Option<DeviceKey> {
    device_codec::device(id, &as_answer(fields)).ok().flatten()
}
