//! Device keys, and the logins by them.

use redis::{Value, cmd};
use serde::Serialize;

use super::tokens::{NewRecord, Step, locators};
use crate::model::device_key::{DeviceChange, DeviceId, DeviceKey, DeviceLogin};
use crate::model::event::{REFUSALS_FOLDED_MS, REFUSALS_FOLDED_OVER};
use crate::model::token::Token;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::{text, unexpected};
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::device as codec;
use crate::store::redis::schema::codec::token::record::fields_of as token_fields_of;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::HashTag;

/// How often the removal of a key begins again because the key was activated meanwhile.
const REMOVAL_ROUNDS: usize = 8;

#[derive(Serialize)]
struct MakeArgs<'a> {
    user: &'a str,
    uuid: &'a str,
    locator: String,
    expires_at: u64,
    max: usize,
}

#[derive(Serialize)]
struct ChangeArgs<'a> {
    user: &'a str,
    uuid: &'a str,
    active: Option<bool>,
    name: String,
}

#[derive(Serialize)]
struct LoginArgs<'a> {
    locator: String,
    uuid: &'a str,
    expires_at: u64,
    fold_ms: u64,
    fold_over: usize,
    new: NewRecord<'a>,
}

impl RedisStore {
    pub(crate) async fn make_device(
        &self,
        new: &DeviceKey,
        call: &Call<'_>,
    ) -> Result<Outcome<Option<DeviceKey>>, StoreError> {
        let shard = new.id.hash_tag();
        let args = MakeArgs {
            user: &new.user,
            uuid: &new.uuid,
            locator: new.id.locator(),
            expires_at: new.expires_at_ms,
            max: self.limits.max_devices_per_user,
        };
        let fields = codec::fields_of(new);
        let fields = fields.iter().flat_map(|(name, value)| [name.as_bytes(), value]).collect::<Vec<_>>();
        let at = (self.keys.devices(&new.user), shard);
        let answer: Vec<Value> = self.run(&self.scripts.device_make, at, call, &args, &fields).await?;
        match answer.as_slice() {
            [Value::Int(0)] => Ok(Err(Rejection::TooManyDevices)),
            [Value::Int(1)] => Ok(Ok(None)),
            [Value::Int(2), locator, all] => Ok(Ok(Some(shown(shard, locator, all)?))),
            _ => Err(unexpected("device_make")),
        }
    }

    pub(crate) async fn user_devices(&self, user: &str, now_ms: u64) -> Result<Vec<DeviceKey>, StoreError> {
        let _turn = self.listing().await?;
        let shard = HashTag::of_user(user);
        let all = cmd("HVALS").arg(self.keys.devices(user)).to_owned();
        let entries: Vec<Vec<u8>> = self.with_connection(async |c| all.query_async(c).await).await?;
        let id = |entry: &Vec<u8>| codec::id_of_entry(shard, entry).ok_or_else(|| unexpected("device map"));
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
        let shard = HashTag::of_user(user);
        let args = ChangeArgs { user, uuid, active: change.is_active, name: codec::name_arg(change) };
        let at = (self.keys.devices(user), shard);
        let priority = if change.is_active == Some(false) { Priority::Urgent } else { Priority::Normal };
        let answer: Vec<Value> =
            self.run_for(priority, &self.scripts.device_change, at, call, &args, &[]).await?;
        match answer.as_slice() {
            [] => Ok(None),
            [locator, all, first] => {
                self.end_logged_in((user, uuid), step(first)?, call).await?;
                shown(shard, locator, all).map(Some)
            }
            _ => Err(unexpected("device_change")),
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
        }
        let (shard, call) = (HashTag::of_user(user), self.call_by_now(call));
        let mut swept = false;
        for _ in 0..REMOVAL_ROUNDS {
            let (at, args) = ((self.keys.devices(user), shard), Args { user, uuid, swept });
            let answer: Vec<Value> =
                self.revoke(&self.scripts.device_remove, at, &call(), &args, &[]).await?;
            let (is_removed, first) = match answer.as_slice() {
                // Another caller removed it while its tokens were being revoked.
                [] => return Ok(swept),
                [Value::Int(is_removed), first] => (*is_removed == 1, step(first)?),
                _ => return Err(unexpected("device_remove")),
            };
            self.end_logged_in((user, uuid), first, &call()).await?;
            if is_removed {
                return Ok(true);
            }
            swept = true;
        }
        Err(StoreError::Unavailable("the device key is activated again and again".into()))
    }

    pub(crate) async fn device_login(
        &self,
        login: &DeviceLogin,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<Outcome<Token>, StoreError> {
        let shard = login.id.hash_tag();
        // Whether or not it is refused then: so the commands tell nothing.
        let (id, objects) = (token.record.id, &token.details.related_objects);
        if !self.hint(objects, (id, token.record.ends_at_ms), call).await? {
            self.unhint_token(id, objects, call.now_ms).await;
            return Ok(Err(Rejection::ObjectFull));
        }
        let args = LoginArgs {
            locator: login.id.locator(),
            uuid: &login.uuid,
            expires_at: login.expires_at_ms,
            fold_ms: REFUSALS_FOLDED_MS.min(self.limits.event_retention_ms),
            fold_over: REFUSALS_FOLDED_OVER,
            new: self.new_record(token),
        };
        // The script knows whose token it is.
        let fields = token_fields_of(token);
        let fields = fields.iter().filter(|(name, _)| *name != "u");
        let mut bytes: Vec<&[u8]> = vec![login.secret_hash.as_bytes()];
        bytes.extend(fields.flat_map(|(name, value)| [name.as_bytes(), value]));
        let at = (self.keys.device(login.id), shard);
        let answer: Vec<Value> = self.run(&self.scripts.device_login, at, call, &args, &bytes).await?;
        if matches!(answer.as_slice(), [Value::Int(0 | 2)]) {
            self.unhint_token(id, objects, call.now_ms).await;
        }
        match answer.as_slice() {
            [Value::Int(0)] => Ok(Err(Rejection::LoginRefused)),
            [Value::Int(1), Value::BulkString(user), made_room] => {
                self.own_endings(shard, locators(made_room)?)?;
                Ok(Ok(token.clone().with_user(&text(user.clone(), "device_login")?)))
            }
            [Value::Int(2)] => Ok(Err(Rejection::TooManyTokens)),
            _ => Err(unexpected("device_login")),
        }
    }
}

fn step(value: &Value) -> Result<Step, StoreError> {
    redis::from_redis_value_ref(value).map_err(|_| unexpected("revoked tokens"))
}

/// A key as a script shows it.
fn shown(shard: HashTag, locator: &Value, all: &Value) -> Result<DeviceKey, StoreError> {
    let id = match locator {
        Value::BulkString(locator) => codec::id_of_entry(shard, locator),
        _ => None,
    };
    let id: DeviceId = id.ok_or_else(|| unexpected("device locator"))?;
    codec::device(id, all)?.ok_or_else(|| unexpected("device"))
}
