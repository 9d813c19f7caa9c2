//! The answer of get-or-create of a device key.

use serde::Serialize;

use super::device::DeviceJson;
use crate::service::MadeDevice;

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
