//! The calls of a merge that write entries in other slots than the thing that they name.

use redis::{Value, cmd};

use super::entries::{Change, ChangeKey, RememberedRequest, RememberedTakeover};
use super::merge_calls::{as_answer, decoded_device};
use super::merge_run::{MergeCall, MergeCommand};
use super::merged::MergeTimes;
use super::packed_fields::PackedFields;
use crate::foreign::UuidDigest;
use crate::model::device_key::DeviceKey;
use crate::model::idempotency::BodyDigest;
use crate::model::token::{RelatedObject, Token};
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::token::record as token_codec;
use crate::token_string::{HashTag, TokenId};

/// A call, and the hash tag of its keys.
pub(super) type TaggedCall<'a> = (HashTag, MergeCall<'a>);

impl RedisStore {
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
                    calls.push(self.object_entry_call(&token, object, times));
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
            (ChangeKey::Request(name), Change::Request(request)) => {
                // A value with the answer takes the place of one without.
                let replaces = request.value.len() > BodyDigest::BYTES;
                calls.extend(self.request_call((self.keys.request(*name), key), request, replaces, times));
            }
            (ChangeKey::DoneRequest(tag, name), Change::Request(request)) => {
                let at = (self.keys.done_request(*tag, *name), key);
                calls.extend(self.request_call(at, request, false, times));
            }
            _ => {}
        }
    }

    /// Returns the call that writes what is kept of a request, unless its time is over.
    fn request_call<'a>(
        &self,
        (key, of): (String, &ChangeKey),
        request: &RememberedRequest,
        replaces: bool,
        times: MergeTimes,
    ) -> Option<TaggedCall<'a>> {
        let ttl_ms = request.until_ms.checked_sub(times.now_ms).filter(|ttl_ms| *ttl_ms > 0)?;
        let mut set = cmd("SET");
        set.arg(key).arg(&*request.value).arg("PX").arg(ttl_ms);
        if !replaces {
            set.arg("NX");
        }
        let call = MergeCall { command: MergeCommand::Plain(set), note: Box::new(|_, _| {}) };
        Some((of.hash_tag(), call))
    }

    fn object_entry_call<'a>(
        &'a self,
        token: &Token,
        object: &RelatedObject,
        times: MergeTimes,
    ) -> TaggedCall<'a> {
        let (at, args) = self.object_entry(object, (token.record.id, token.record.ends_at_ms), None);
        (at.1, self.merge_call(&self.scripts.add_object_entry, at, &args, times, |_, _| {}))
    }

    fn device_entry_call<'a>(&'a self, device: &DeviceKey, times: MergeTimes) -> TaggedCall<'a> {
        let (at, args) = self.device_entry(&UuidDigest::of(&device.uuid), (device.id, device.expires_at_ms));
        (at.1, self.merge_call(&self.scripts.add_device_entry, at, &args, times, |_, _| {}))
    }

    fn takeover_entry_call<'a>(
        &'a self,
        RememberedTakeover { new, created_at_ms, .. }: &RememberedTakeover,
        kept_until_ms: u64,
        times: MergeTimes,
    ) -> TaggedCall<'a> {
        let (at, args) = self.takeover_entry(new, kept_until_ms, Some(*created_at_ms));
        (at.1, self.merge_call(&self.scripts.add_takeover_entry, at, &args, times, |_, _| {}))
    }
}

fn decoded_token(id: TokenId, fields: &PackedFields) -> Option<Token> {
    token_codec::token(id, &as_answer(fields), &Value::Nil).ok().flatten()
}
