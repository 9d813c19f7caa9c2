//! The calls of a merge: one for each thing that is remembered.

use redis::{FromRedisValue, Value, cmd, from_redis_value};
use serde::Serialize;

use super::entries::{
    Change, ChangeKey, Ending, EndingKey, RememberedRevocation, RememberedTakeover, RememberedToken,
};
use super::merge::{MergeTimes, Merged};
use super::merge_run::{MergeCall, MergeCommand};
use super::packed_fields::PackedFields;
use crate::foreign::UuidDigest;
use crate::model::device_import::MAX_USERS_PER_UUID;
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::{MAX_TAKEOVERS_PER_TOKEN, MAX_TAKEOVERS_PER_USER};
use crate::model::token::Token;
use crate::model::token::rotation::MAX_REMEMBERED_SECRETS;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::operations::stale_entries::{PackedStaleEntries, StaleEntry};
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::device as device_codec;
use crate::store::redis::schema::codec::primitives::pack_named;
use crate::store::redis::schema::codec::takeover as takeover_codec;
use crate::store::redis::schema::codec::token::record as token_codec;
use crate::store::redis::schema::keys::{Keys, ObjectName};
use crate::store::redis::schema::script::Script;
use crate::token_string::{HashTag, TokenId};

/// Revocations in one call: few enough to hold the server for well under a millisecond.
const REVOCATIONS_PER_CALL: usize = 128;
/// The status of a script that found that the thing has ended.
const ENDED: i64 = 3;

/// A call, and the hash tag of its keys.
pub(super) type TaggedCall<'a> = (HashTag, MergeCall<'a>);

impl RedisStore {
    fn merge_call<'a>(
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
        let is_by_slot = self.topology.map().is_by_slot();
        let slot = |id: &TokenId| if is_by_slot { slot_of_tag(id.hash_tag()) } else { 0 };
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
        self.merge_call(&self.scripts.merge_device_end, at, &args, times, note_ended)
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
        self.merge_call(&self.scripts.merge_lock, at, &args, times, note_ended)
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
        self.merge_call(&self.scripts.merge_cutoff, at, &args, times, note_ended)
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

    /// Returns the call that merges a change.
    pub(super) fn change_call<'a>(
        &'a self,
        key: &ChangeKey,
        change: &Change,
        times: MergeTimes,
    ) -> Option<MergeCall<'a>> {
        let key = *key;
        match (key, change) {
            (ChangeKey::Token(id), Change::Token(token)) => Some(self.token_call(id, token, times)),
            (ChangeKey::Device(id), Change::Device(fields)) => {
                let device = decoded_device(id, fields)?;
                Some(self.device_call(&device, fields, times))
            }
            (ChangeKey::Takeover(_), Change::Takeover(takeover)) => Some(self.takeover_call(takeover, times)),
            _ => None,
        }
    }

    fn token_call<'a>(&'a self, id: TokenId, token: &RememberedToken, times: MergeTimes) -> MergeCall<'a> {
        #[derive(Serialize)]
        struct Args {
            locator: String,
            accessed_at_ms: u64,
            max_remembered: usize,
            trace_ms: u64,
        }
        let args = Args {
            locator: id.locator(),
            accessed_at_ms: token.last_access_ms,
            max_remembered: MAX_REMEMBERED_SECRETS,
            trace_ms: times.trace_ms,
        };
        let at = (self.keys.token(id), id.hash_tag());
        let note = move |merged: &mut Merged, answer| merged.note_change(ChangeKey::Token(id), answer);
        self.merge_call(&self.scripts.merge_token, at, &args, times, note).with_fields(&token.fields)
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
        let note = move |merged: &mut Merged, answer| merged.note_change(ChangeKey::Device(id), answer);
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
            merged.note_change(ChangeKey::Takeover(id), Value::Int(status));
            if ended_at_ms > 0 {
                merged.takeover_ends.insert(id, ended_at_ms);
            }
        };
        self.merge_call(&self.scripts.merge_takeover, at, &args, times, note).with_bytes(record)
    }

    /// Adds the calls that write the entries of a change, which may be in other slots.
    pub(super) fn entry_calls<'a>(
        &'a self,
        (key, change): (&ChangeKey, &Change),
        takeover_ended_at_ms: Option<u64>,
        times: MergeTimes,
        calls: &mut Vec<TaggedCall<'a>>,
    ) {
        match (key, change) {
            (ChangeKey::Token(id), Change::Token(remembered)) => {
                if let Some((digest, until_ms)) = remembered.alias.as_deref() {
                    let ttl_ms = (until_ms + self.limits.stale_grace_ms).saturating_sub(times.now_ms);
                    if ttl_ms == 0 {
                        return;
                    }
                    let mut set = cmd("SET");
                    set.arg(self.keys.alias(digest)).arg(id.text().as_str());
                    set.arg("NX").arg("PX").arg(ttl_ms);
                    let call = MergeCall { command: MergeCommand::Plain(set), note: Box::new(|_, _| {}) };
                    calls.push((digest.alias_hash_tag(), call));
                }
                let Some(token) = decoded_token(*id, &remembered.fields) else { return };
                if token.record.ends_at_ms + self.limits.stale_grace_ms <= times.now_ms {
                    return;
                }
                for object in &token.details.related_objects {
                    calls.push(self.object_entry_call(&token, ObjectName::of(object), times));
                }
            }
            (ChangeKey::Device(id), Change::Device(fields)) => {
                let is_indexed =
                    |device: &DeviceKey| device.secret.is_foreign() && device.expires_at_ms > times.now_ms;
                let device = decoded_device(*id, fields).filter(is_indexed);
                calls.extend(device.map(|device| self.device_entry_call(&device, times)));
            }
            (ChangeKey::Takeover(_), Change::Takeover(takeover)) => {
                let end_ms = takeover_ended_at_ms.unwrap_or(takeover.new.ends_at_ms);
                let kept_until_ms = end_ms + self.limits.takeover_retention_ms;
                if kept_until_ms > times.now_ms {
                    calls.push(self.takeover_entry_call(takeover, kept_until_ms, times));
                }
            }
            _ => {}
        }
    }

    fn object_entry_call<'a>(
        &'a self,
        token: &Token,
        ObjectName { hash_tag, name }: ObjectName,
        times: MergeTimes,
    ) -> TaggedCall<'a> {
        #[derive(Serialize)]
        struct Args<'a> {
            object: &'a str,
            token: String,
            max: usize,
            kept_until_ms: u64,
            merges: bool,
        }
        let args = Args {
            merges: true,
            object: &name,
            token: token.record.id.to_string(),
            // What was acknowledged had room.
            max: usize::MAX >> 12,
            kept_until_ms: token.record.ends_at_ms + self.limits.stale_grace_ms,
        };
        let at = (self.keys.key('r', hash_tag, &name), hash_tag);
        (hash_tag, self.merge_call(&self.scripts.add_object_entry, at, &args, times, |_, _| {}))
    }

    fn device_entry_call<'a>(&'a self, device: &DeviceKey, times: MergeTimes) -> TaggedCall<'a> {
        #[derive(Serialize)]
        struct Args<'a> {
            uuid: &'a str,
            device: String,
            max: usize,
            kept_until_ms: u64,
        }
        let digest = UuidDigest::of(&device.uuid);
        let (uuid, kept_until_ms) = (digest.name(), device.expires_at_ms);
        let args =
            Args { uuid: &uuid, device: device.id.to_string(), max: MAX_USERS_PER_UUID, kept_until_ms };
        let at = (self.keys.imported_devices(&digest), digest.hash_tag());
        let call = self.merge_call(&self.scripts.add_device_entry, at, &args, times, |_, _| {});
        (digest.hash_tag(), call)
    }

    fn takeover_entry_call<'a>(
        &'a self,
        RememberedTakeover { new, .. }: &RememberedTakeover,
        kept_until_ms: u64,
        times: MergeTimes,
    ) -> TaggedCall<'a> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            member: String,
            kept_until_ms: u64,
            max: usize,
        }
        let args = Args {
            user: &new.user,
            member: takeover_codec::reverse_index_member(new.token, new.id),
            kept_until_ms,
            max: MAX_TAKEOVERS_PER_USER,
        };
        let tag = HashTag::of_user(&new.user);
        let at = (self.keys.taken_over(&new.user), tag);
        (tag, self.merge_call(&self.scripts.add_takeover_entry, at, &args, times, |_, _| {}))
    }
}

impl Merged {
    /// Notes the status that a script about a change has answered.
    fn note_change(&mut self, key: ChangeKey, answer: Value) {
        match answer {
            Value::Int(1) => self.counts.recreated += 1,
            Value::Int(2) => self.counts.changed += 1,
            Value::Int(ENDED) => drop(self.has_ended.insert(key)),
            _ => {}
        }
    }
}

fn note_ended(merged: &mut Merged, answer: Value) {
    merged.counts.ended += usize::from(matches!(answer, Value::Int(1)));
}

/// Reads an answer of a script of this version.
fn read<T: FromRedisValue>(answer: Value) -> Option<T> {
    from_redis_value(answer).ok()
}

/// Returns packed fields as an answer to `HGETALL`.
fn as_answer(fields: &PackedFields) -> Value {
    Value::Array(fields.parts().map(|part| Value::BulkString(part.to_vec())).collect())
}

fn decoded_token(id: TokenId, fields: &PackedFields) -> Option<Token> {
    token_codec::token(id, &as_answer(fields), &Value::Nil).ok().flatten()
}

fn decoded_device(id: DeviceId, fields: &PackedFields) -> Option<DeviceKey> {
    device_codec::device(id, &as_answer(fields)).ok().flatten()
}
