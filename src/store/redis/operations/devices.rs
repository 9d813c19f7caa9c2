//! Device keys, and logins with them.

use redis::{Value, cmd};
use serde::Serialize;

use super::requests::OnceArgs;
use super::revocations::RevocationStep;
use super::script_call::ScriptCall;
use super::tokens::{NewTokenArgs, locators};
use crate::foreign::Pbkdf2Hash;
use crate::model::device_key::{DeviceChange, DeviceId, DeviceKey, DeviceLogin};
use crate::model::event::{EventKind, REFUSALS_FOLDED_MS, REFUSALS_FOLDED_OVER};
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::Token;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::{answer_text, unexpected};
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::device as codec;
use crate::store::redis::schema::codec::primitives::{decimal, field_args};
use crate::store::redis::schema::codec::token::record::fields_of as token_fields_of;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::{HashTag, SecretHash, TokenId};

/// How often the removal of a key starts again because the key was activated meanwhile.
const REMOVAL_ROUNDS: usize = 8;

/// The arguments of lua/make_device.lua.
#[derive(Serialize)]
struct MakeDeviceArgs<'a> {
    user: &'a str,
    uuid: &'a str,
    locator: String,
    expires_at_ms: u64,
    max: usize,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    once: Option<OnceArgs>,
}

/// The arguments of lua/change_device.lua.
#[derive(Serialize)]
struct ChangeDeviceArgs<'a> {
    user: &'a str,
    uuid: &'a str,
    active: Option<bool>,
    name: String,
}

/// The arguments of lua/log_in_device.lua.
#[derive(Serialize)]
struct LoginArgs<'a> {
    locator: String,
    uuid: &'a str,
    expires_at_ms: u64,
    verified: Option<&'a str>,
    fold_ms: u64,
    fold_over: usize,
    new: NewTokenArgs<'a>,
}

impl RedisStore {
    pub(crate) async fn make_device(
        &self,
        new: &DeviceKey,
        call: &Call<'_>,
    ) -> Result<Outcome<Option<DeviceKey>>, StoreError> {
        let hash_tag = new.id.hash_tag();
        let args = MakeDeviceArgs {
            user: &new.user,
            uuid: &new.uuid,
            locator: new.id.locator(),
            expires_at_ms: new.expires_at_ms,
            max: self.limits.max_devices_per_user,
            event: EventKind::of_new_device(new).name(),
            once: self.once_args(call, hash_tag, None)?,
        };
        let mut fields = codec::fields_of(new);
        if new.secret.is_foreign() {
            // It was created elsewhere, so its version is not its time of creation.
            fields.push(("m", decimal(call.now_ms)));
        }
        let at = (self.keys.devices(&new.user), hash_tag);
        let script = match call.once {
            Some(_) => &self.scripts.make_device_once,
            None => &self.scripts.make_device,
        };
        let script_call = ScriptCall::new(script, at, call, &args);
        let answer: Vec<Value> = self.run_script(script_call.with_bytes(field_args(&fields))).await?;
        match answer.as_slice() {
            [Value::Int(0)] => Ok(Err(Rejection::TooManyDevices)),
            [Value::Int(9)] => Ok(Err(self.done_before(hash_tag, call.once).await?)),
            [Value::Int(1)] => {
                self.remember_new_device(new.id, &fields);
                self.remember_done_request(call, hash_tag, None);
                Ok(Ok(None))
            }
            [Value::Int(2), locator, fields] => Ok(Ok(Some(device_in_answer(hash_tag, locator, fields)?))),
            _ => Err(unexpected("make_device")),
        }
    }

    pub(crate) async fn user_devices(&self, user: &str, now_ms: u64) -> Result<Vec<DeviceKey>, StoreError> {
        let _permit = self.listing_permit().await?;
        let hash_tag = HashTag::of_user(user);
        let all = cmd("HVALS").arg(self.keys.devices(user)).to_owned();
        let entries: Vec<Vec<u8>> = self.with_connection(async |c| all.query_async(c).await).await?;
        let id =
            |entry: &Vec<u8>| codec::id_of_entry(hash_tag, entry).ok_or_else(|| unexpected("device map"));
        let ids = entries.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        let answers = self.read_hashes(ids.iter().map(|id| self.keys.device(*id)).collect()).await?;
        let mut devices = Vec::with_capacity(ids.len());
        for (id, all) in ids.iter().zip(&answers) {
            devices.extend(codec::device(*id, all)?.filter(|device| device.is_kept(now_ms)));
        }
        devices.sort_by_cached_key(DeviceKey::listing_key);
        Ok(devices)
    }

    pub(crate) async fn change_device(
        &self,
        user: &str,
        uuid: &str,
        change: &DeviceChange,
        call: &Call<'_>,
    ) -> Result<Option<DeviceKey>, StoreError> {
        let hash_tag = HashTag::of_user(user);
        let args = ChangeDeviceArgs { user, uuid, active: change.is_active, name: codec::name_arg(change) };
        let at = (self.keys.devices(user), hash_tag);
        let priority = if change.is_active == Some(false) { Priority::Urgent } else { Priority::Normal };
        let script_call = ScriptCall::new(&self.scripts.change_device, at, call, &args);
        let answer: Vec<Value> = self.run_script(script_call.with_priority(priority)).await?;
        match answer.as_slice() {
            [] => Ok(None),
            [locator, fields, first] => {
                let device = device_in_answer(hash_tag, locator, fields)?;
                self.remember_device(device.id, fields);
                let first = RevocationStep::from_answer(first)?;
                self.revoke_logged_in((user, uuid), first, call).await?;
                Ok(Some(device))
            }
            _ => Err(unexpected("change_device")),
        }
    }

    pub(crate) async fn rotate_device(
        &self,
        (user, uuid): (&str, &str),
        (id, hash): (DeviceId, &SecretHash),
        call: &Call<'_>,
    ) -> Result<Outcome<DeviceKey>, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            uuid: &'a str,
            locator: String,
        }
        let (hash_tag, args) = (id.hash_tag(), Args { user, uuid, locator: id.locator() });
        let at = (self.keys.devices(user), hash_tag);
        let script_call = ScriptCall::new(&self.scripts.rotate_device, at, call, &args);
        let script_call = script_call.with_bytes([hash.as_bytes().as_slice()]);
        let answer: Vec<Value> = self.run_script(script_call).await?;
        match answer.as_slice() {
            [] => Ok(Err(Rejection::NotFound)),
            [Value::Int(0)] => Ok(Err(Rejection::DeviceInactive)),
            [Value::Int(1), locator, fields] => {
                self.remember_device(id, fields);
                device_in_answer(hash_tag, locator, fields).map(Ok)
            }
            _ => Err(unexpected("rotate_device")),
        }
    }

    pub(crate) async fn remove_device(
        &self,
        user: &str,
        uuid: &str,
        call: &Call<'_>,
    ) -> Result<bool, StoreError> {
        #[derive(Serialize)]
        struct Args<'a> {
            user: &'a str,
            uuid: &'a str,
            swept: bool,
            trace_ms: u64,
        }
        let (hash_tag, call) = (HashTag::of_user(user), self.advancing_call(call));
        let mut args = Args { user, uuid, swept: false, trace_ms: self.trace_ms() };
        for _ in 0..REMOVAL_ROUNDS {
            let at = (self.keys.devices(user), hash_tag);
            let now = call();
            let script_call = ScriptCall::new(&self.scripts.remove_device, at, &now, &args);
            let answer: Vec<Value> = self.run_script(script_call.urgent()).await?;
            let (removed, first) = match answer.as_slice() {
                // Another caller removed it while its tokens were being revoked.
                [] => return Ok(args.swept),
                [Value::Int(0), first] => (None, RevocationStep::from_answer(first)?),
                [Value::Int(1), first, Value::BulkString(locator)] => {
                    (codec::id_of_entry(hash_tag, locator), RevocationStep::from_answer(first)?)
                }
                _ => return Err(unexpected("remove_device")),
            };
            self.revoke_logged_in((user, uuid), first, &now).await?;
            if let Some(id) = removed {
                self.remember_removed_device(id);
                return Ok(true);
            }
            args.swept = true;
        }
        Err(StoreError::Unavailable("the device key is activated again and again".into()))
    }

    pub(crate) async fn device_login(
        &self,
        login: &DeviceLogin,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<Outcome<(Token, Vec<TokenId>)>, StoreError> {
        let hash_tag = login.id.hash_tag();
        // Before the login is checked, so that the commands of a refused login are the same.
        let (id, objects) = (token.record.id, &token.details.related_objects);
        if !self.add_object_entries(objects, (id, token.record.ends_at_ms), call).await? {
            self.remove_token_entries(id, objects, call.now_ms).await;
            return Ok(Err(Rejection::ObjectFull));
        }
        let args = LoginArgs {
            locator: login.id.locator(),
            uuid: &login.uuid,
            expires_at_ms: login.expires_at_ms,
            verified: login.verified().map(Pbkdf2Hash::as_str),
            fold_ms: REFUSALS_FOLDED_MS.min(self.limits.event_retention_ms),
            fold_over: REFUSALS_FOLDED_OVER,
            new: self.new_token_args(token),
        };
        // The script knows whose token it is.
        let mut fields = token_fields_of(token);
        fields.retain(|(name, _)| *name != "u");
        let bytes = [login.secret_hash.as_bytes().as_slice()].into_iter().chain(field_args(&fields));
        let at = (self.keys.device(login.id), hash_tag);
        let script_call = ScriptCall::new(&self.scripts.log_in_device, at, call, &args);
        let answer: Vec<Value> = self.run_script(script_call.with_bytes(bytes)).await?;
        if matches!(answer.as_slice(), [Value::Int(0 | 2 | 3)]) {
            self.remove_token_entries(id, objects, call.now_ms).await;
        }
        match answer.as_slice() {
            [Value::Int(0)] => Ok(Err(Rejection::LoginRefused)),
            [Value::Int(1), Value::BulkString(user), made_room] => {
                let token = token.clone().with_user(&answer_text(user.clone(), "log_in_device")?);
                self.remember_new_token(&token, &token_fields_of(&token));
                let made_room = locators(made_room)?;
                let evicted = self.void_revoked(hash_tag, made_room, RevokeReason::Limit, call.now_ms)?;
                Ok(Ok((token, evicted)))
            }
            [Value::Int(2)] => Ok(Err(Rejection::TooManyTokens)),
            [Value::Int(3)] => Ok(Err(Rejection::UserLocked)),
            _ => Err(unexpected("log_in_device")),
        }
    }
}

/// Decodes the device key in the answer of a script.
fn device_in_answer(hash_tag: HashTag, locator: &Value, fields: &Value) -> Result<DeviceKey, StoreError> {
    let id = match locator {
        Value::BulkString(locator) => codec::id_of_entry(hash_tag, locator),
        _ => None,
    };
    let id: DeviceId = id.ok_or_else(|| unexpected("device locator"))?;
    codec::device(id, fields)?.ok_or_else(|| unexpected("device"))
}
