//! The answers that show a login token: of get-or-create of a device key, and of its rotation.

use serde::Serialize;

use super::device::DeviceJson;
use crate::service::{MadeDevice, RotatedDevice};

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
