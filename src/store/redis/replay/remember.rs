//! What the operations remember, once a script has done the change and before it is acknowledged.

use redis::Value;

use super::entries::{
    Change, ChangeKey, CutoffSetting, Ending, EndingKey, HeardEnding, RememberedRequest,
    RememberedRevocation, RememberedTakeover, RememberedToken,
};
use super::packed_fields::PackedFields;
use crate::foreign::ForeignDigest;
use crate::model::cutoff::Cutoff;
use crate::model::device_key::DeviceId;
use crate::model::idempotency::{IdempotentRequest, REMEMBERED_MS};
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::{NewTakeover, TakeoverId};
use crate::model::token::Token;
use crate::store::call::Call;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::primitives::{bytes, field_args};
use crate::store::redis::schema::codec::token::record as codec;
use crate::token_string::{HashTag, TokenId};

/// The fields of a hash, as they are given to a script.
type FieldList = [(&'static str, Vec<u8>)];

impl RedisStore {
    /// Remembers a new token with these fields.
    pub(crate) fn remember_new_token(&self, token: &Token, fields: &FieldList) {
        self.remember_imported_token(token, fields, None);
    }

    /// Remembers an imported token, its alias, and until when the alias is kept.
    pub(crate) fn remember_imported_token(
        &self,
        token: &Token,
        fields: &FieldList,
        alias: Option<(ForeignDigest, u64)>,
    ) {
        if self.replay.is_on() {
            let fields = PackedFields::of(field_args(fields));
            let token = (token.record.id, token.last_access_ms);
            self.keep_token(token, fields, alias);
        }
    }

    /// Remembers a token as a script has answered it: all fields, and the score of the last access.
    pub(crate) fn remember_token(&self, id: TokenId, all: &Value, last_access: &Value) {
        if self.replay.is_on()
            && let Some(fields) = packed(all)
        {
            // Without it, the time of creation counts, as in a record.
            let last_access_ms = codec::last_access_ms(last_access).unwrap_or_default();
            self.keep_token((id, last_access_ms), fields, None);
        }
    }

    fn keep_token(
        &self,
        (id, last_access_ms): (TokenId, u64),
        fields: PackedFields,
        alias: Option<(ForeignDigest, u64)>,
    ) {
        let token = RememberedToken { fields, last_access_ms, alias: alias.map(Box::new) };
        self.replay.keep(ChangeKey::Token(id), Change::Token(token));
    }

    /// Remembers a new device key with these fields.
    pub(crate) fn remember_new_device(&self, id: DeviceId, fields: &FieldList) {
        if self.replay.is_on() {
            self.replay.keep(ChangeKey::Device(id), Change::Device(PackedFields::of(field_args(fields))));
        }
    }

    /// Remembers a device key as a script has answered it.
    pub(crate) fn remember_device(&self, id: DeviceId, all: &Value) {
        if self.replay.is_on()
            && let Some(fields) = packed(all)
        {
            self.replay.keep(ChangeKey::Device(id), Change::Device(fields));
        }
    }

    /// Remembers a takeover that has begun; `expires_at_ms` is when its token expires.
    pub(crate) fn remember_takeover(
        &self,
        new: &NewTakeover,
        actor: &str,
        created_at_ms: u64,
        expires_at_ms: u64,
    ) {
        let takeover =
            RememberedTakeover { new: new.clone(), actor: actor.into(), created_at_ms, expires_at_ms };
        self.replay.keep(ChangeKey::Takeover(new.id), Change::Takeover(Box::new(takeover)));
    }

    /// Remembers a request, and its answer if that is kept. Any later value counts.
    pub(crate) fn remember_request(&self, request: &IdempotentRequest, answer: &[u8], now_ms: u64) {
        let value = [request.body.as_bytes(), answer].concat();
        self.keep_request(ChangeKey::Request(request.name), value, now_ms);
    }

    /// Remembers what a request with a name has made, if the call is one.
    pub(crate) fn remember_done_request(&self, call: &Call<'_>, hash_tag: HashTag, made: Option<TokenId>) {
        if let Some(name) = call.once {
            let made = made.map(|id| id.to_string()).unwrap_or_default();
            self.keep_request(ChangeKey::DoneRequest(hash_tag, name), made.into_bytes(), call.now_ms);
        }
    }

    fn keep_request(&self, key: ChangeKey, value: Vec<u8>, now_ms: u64) {
        let request = RememberedRequest { value: value.into(), until_ms: now_ms + REMEMBERED_MS };
        self.replay.keep(key, Change::Request(request));
    }

    /// Remembers that these tokens were revoked.
    pub(crate) fn remember_revoked<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a TokenId>,
        reason: RevokeReason,
        at_ms: u64,
    ) {
        let revocation = RememberedRevocation { at_ms, reason: Some(reason) };
        ids.into_iter().for_each(|id| self.replay.hear(HeardEnding::Token(*id, revocation)));
    }

    /// Remembers that a takeover was ended early.
    pub(crate) fn remember_takeover_end(&self, takeover: TakeoverId, token: TokenId, at_ms: u64) {
        self.remember_ending(EndingKey::Takeover(takeover), Ending::Takeover { token, at_ms });
    }

    /// Remembers that a device key was removed.
    pub(crate) fn remember_removed_device(&self, id: DeviceId) {
        self.remember_ending(EndingKey::Device(id), Ending::DeviceRemoved);
    }

    /// Remembers that a user was locked or unlocked.
    pub(crate) fn remember_lock(&self, user: &str, is_locked: bool, at_ms: u64) {
        self.remember_ending(EndingKey::Lock(user.into()), Ending::Lock { is_locked, at_ms });
    }

    /// Remembers that a user was erased.
    pub(crate) fn remember_erasure(&self, user: &str, at_ms: u64) {
        self.remember_ending(EndingKey::Erasure(user.into()), Ending::Erasure { at_ms });
    }

    /// Remembers that a cut-off was set.
    pub(crate) fn remember_cutoff(&self, cutoff: &Cutoff) {
        let set = Some(CutoffSetting { before_ms: cutoff.before_ms, at_ms: cutoff.created_at_ms });
        let key = EndingKey::Cutoff(cutoff.name.to_string().into());
        self.remember_ending(key, Ending::Cutoff { set, removed_at_ms: None });
    }

    /// Remembers that a cut-off was removed.
    pub(crate) fn remember_removed_cutoff(&self, name: String, at_ms: u64) {
        let ending = Ending::Cutoff { set: None, removed_at_ms: Some(at_ms) };
        self.remember_ending(EndingKey::Cutoff(name.into()), ending);
    }

    fn remember_ending(&self, key: EndingKey, ending: Ending) {
        self.replay.hear(HeardEnding::Other(key, ending));
    }
}

/// Packs an answer to `HGETALL`.
fn packed(all: &Value) -> Option<PackedFields> {
    let Value::Array(flat) = all else { return None };
    let parts = flat.iter().map(bytes).collect::<Option<Vec<_>>>()?;
    Some(PackedFields::of(parts.into_iter()))
}
