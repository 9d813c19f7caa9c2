//! The JSON object of a device key.

use serde::Serialize;

use super::timestamp::timestamp;
use crate::foreign::Scheme;
use crate::model::device_key::DeviceKey;
use crate::service::{MadeDevice, RotatedDevice};

/// A device key. Its fields are described in docs/device-keys.md.
#[derive(Serialize)]
pub struct DeviceJson<'a> {
    uuid: &'a str,
    user: &'a str,
    name: Option<&'a str>,
    created_at: String,
    last_login: Option<String>,
    is_active: bool,
    user_agent: &'a str,
    origin: Option<&'static str>,
}

impl<'a> DeviceJson<'a> {
    /// Borrows the device key.
    pub fn of(device: &'a DeviceKey) -> Self {
        Self {
            uuid: &device.uuid,
            user: &device.user,
            name: device.name.as_deref(),
            created_at: timestamp(device.created_at_ms),
            last_login: device.last_login_ms.map(timestamp),
            is_active: device.is_active,
            user_agent: &device.user_agent,
            origin: device.origin().map(Scheme::name),
        }
    }
}

/// The device key, whether it was created, and then its login token, which is shown only here.
#[derive(Serialize)]
pub struct MadeDeviceJson<'a> {
    created: bool,
    login_token: Option<&'a str>,
    #[serde(flatten)]
    device: DeviceJson<'a>,
}

impl<'a> MadeDeviceJson<'a> {
    /// Borrows the device key.
    pub fn of(made: &'a MadeDevice) -> Self {
        let login_token = made.login_token.as_deref();
        Self { created: login_token.is_some(), login_token, device: DeviceJson::of(&made.device) }
    }
}

/// The device key and its new login token, which is shown only here.
#[derive(Serialize)]
pub struct RotatedDeviceJson<'a> {
    login_token: &'a str,
    #[serde(flatten)]
    device: DeviceJson<'a>,
}

impl<'a> RotatedDeviceJson<'a> {
    /// Borrows the device key.
    pub fn of(rotated: &'a RotatedDevice) -> Self {
        Self { login_token: &rotated.login_token, device: DeviceJson::of(&rotated.device) }
    }
}
