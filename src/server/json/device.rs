//! The device object as the contract shows it.

use serde::Serialize;

use super::timestamp::timestamp;
use crate::model::device_key::DeviceKey;
use crate::service::MadeDevice;

/// See the contract; borrowed from the record.
#[derive(Serialize)]
pub struct DeviceJson<'a> {
    uuid: &'a str,
    user: &'a str,
    name: Option<&'a str>,
    created_at: String,
    last_login: Option<String>,
    is_active: bool,
    user_agent: &'a str,
}

impl<'a> DeviceJson<'a> {
    /// The object.
    pub fn of(device: &'a DeviceKey) -> Self {
        Self {
            uuid: &device.uuid,
            user: &device.user,
            name: device.name.as_deref(),
            created_at: timestamp(device.created_at_ms),
            last_login: device.last_login_ms.map(timestamp),
            is_active: device.is_active,
            user_agent: &device.user_agent,
        }
    }
}

/// What get-or-create answers: the object, whether it is new, and then its login token.
#[derive(Serialize)]
pub struct MadeDeviceJson<'a> {
    created: bool,
    login_token: Option<&'a str>,
    #[serde(flatten)]
    device: DeviceJson<'a>,
}

impl<'a> MadeDeviceJson<'a> {
    /// The object with the string that only the device gets.
    pub fn of(made: &'a MadeDevice) -> Self {
        let login_token = made.login_token.as_deref();
        Self { created: login_token.is_some(), login_token, device: DeviceJson::of(&made.device) }
    }
}
