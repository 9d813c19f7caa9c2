//! Imports of the device keys of django-auth-token.

use std::collections::HashMap;

use futures_util::future::try_join_all;

use super::core::Service;
use super::error::ServiceError;
use super::fields::{valid, valid_if_some};
use super::import_record::past_times;
use crate::foreign::{Pbkdf2Hash, UuidDigest};
use crate::model::device_key::{DeviceKey, LoginSecret};
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::model::import::{DeviceImportOutcome, MAX_USERS_PER_UUID, NewDeviceImport};
use crate::store::{Rejection, StoreError};

/// Device keys that an import writes at once.
const DEVICES_AT_ONCE: usize = 4;

/// A device key of another system, as its export has it.
#[derive(Clone, Debug)]
pub struct DeviceImportRecord {
    /// The user that it logs in.
    pub user: String,
    /// A UUID in any of its forms, or another text of 1 to 32 characters.
    pub uuid: String,
    /// The hash that the former system stores of its login token.
    pub hash: Pbkdf2Hash,
    /// Its name for people.
    pub name: Option<String>,
    /// Cleaned and cut at 256 characters.
    pub user_agent: String,
    /// When it was made; `None` for the last login, or now.
    pub created_at_ms: Option<u64>,
    /// When it last logged in.
    pub last_login_ms: Option<u64>,
    /// An inactive key cannot log in.
    pub is_active: bool,
}

/// The outcome of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceImportResult {
    /// The device key was imported.
    Imported {
        /// Its uuid, normalized.
        uuid: String,
    },
    /// The user has a device key of this uuid, or it was imported before. Nothing was changed.
    Exists {
        /// The uuid, normalized.
        uuid: String,
    },
    /// It breaks a rule. Nothing was changed.
    Rejected {
        /// The field.
        field: &'static str,
        /// The mistake, without the value.
        detail: String,
    },
}

impl Service {
    /// Imports device keys of another system, and returns what became of each, in order. The devices go on logging in with
    /// their login tokens of that system. With `is_dry`, nothing is changed, and the result says what would happen to each
    /// record alone.
    ///
    /// # Errors
    /// `Unavailable`: a part may be imported; calling again imports the rest. `Corrupt`, `Unusable`.
    pub async fn import_devices(
        &self,
        records: Vec<DeviceImportRecord>,
        is_dry: bool,
        actor: Actor<'_>,
    ) -> Result<Vec<DeviceImportResult>, StoreError> {
        let now_ms = self.clock.now_ms();
        let (mut imports, mut first_with) = (Vec::with_capacity(records.len()), HashMap::new());
        // The place of each valid record among the records to import. A second record of a key has the place of the first.
        let mut place_of = |import: NewDeviceImport| {
            let place = *first_with.entry(import.device.id).or_insert(imports.len());
            if place == imports.len() {
                imports.push(import);
            }
            place
        };
        let judged: Vec<_> =
            records.into_iter().map(|record| self.device_of(record, now_ms).map(&mut place_of)).collect();
        let mut outcomes = Vec::with_capacity(imports.len());
        for some in imports.chunks(DEVICES_AT_ONCE) {
            let call = self.call(actor);
            let written = some.iter().map(|import| self.store.import_device(import, is_dry, call));
            outcomes.extend(try_join_all(written).await?);
        }
        let mut is_told = vec![false; imports.len()];
        let result = |judged: Result<usize, ServiceError>| match judged {
            Ok(place) => {
                let is_first = !std::mem::replace(&mut is_told[place], true);
                result(outcomes[place], &imports[place].device.uuid, is_first)
            }
            Err(ServiceError::Invalid { field, detail }) => DeviceImportResult::Rejected { field, detail },
            // Not reached: a record is judged without the store.
            Err(other) => DeviceImportResult::Rejected { field: "", detail: other.to_string() },
        };
        Ok(judged.into_iter().map(result).collect())
    }

    /// Makes the device key of a record. The import counts as a login for its expiry.
    fn device_of(&self, record: DeviceImportRecord, now_ms: u64) -> Result<NewDeviceImport, ServiceError> {
        valid("user", rules::user(&record.user))?;
        let uuid = valid("uuid", rules::device_uuid(&record.uuid))?;
        valid_if_some("name", record.name.as_deref(), rules::device_name)?;
        let times = [("created_at", record.created_at_ms), ("last_login", record.last_login_ms)];
        let (created_at_ms, last_ms) = past_times(times, now_ms)?;
        let digest = UuidDigest::of(&uuid);
        let device = DeviceKey {
            id: digest.device_id(&record.user),
            secret: LoginSecret::Imported(record.hash),
            user: record.user,
            uuid,
            name: record.name,
            user_agent: rules::user_agent(&record.user_agent),
            created_at_ms,
            last_login_ms: record.last_login_ms.map(|_| last_ms),
            is_active: record.is_active,
            expires_at_ms: self.device_expiry(now_ms),
        };
        Ok(NewDeviceImport { device, digest })
    }
}

fn result(outcome: DeviceImportOutcome, uuid: &str, is_first: bool) -> DeviceImportResult {
    let uuid = uuid.to_owned();
    match outcome {
        DeviceImportOutcome::Imported if is_first => DeviceImportResult::Imported { uuid },
        DeviceImportOutcome::Imported | DeviceImportOutcome::Exists => DeviceImportResult::Exists { uuid },
        DeviceImportOutcome::TooManyDevices => {
            DeviceImportResult::Rejected { field: "user", detail: Rejection::TooManyDevices.to_string() }
        }
        DeviceImportOutcome::TooManyUsers => {
            let detail = format!("belongs to imported device keys of {MAX_USERS_PER_UUID} other users");
            DeviceImportResult::Rejected { field: "uuid", detail }
        }
    }
}
