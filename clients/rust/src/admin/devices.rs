//! Device keys, by which devices log their users in.

use std::net::IpAddr;

use http::Method;
use serde::Serialize;

use super::call::Admin;
use crate::error::CallError;
use crate::fields::{DeviceChanges, DeviceFields, Paging, TokenFields};
use crate::models::{Device, Page, Token};
use crate::path::path;
use crate::transport::Repeat;

#[derive(Serialize)]
struct NewDevice<'a> {
    uuid: &'a str,
    #[serde(flatten)]
    fields: &'a DeviceFields,
}

#[derive(Serialize)]
struct DeviceLogin<'a> {
    uuid: &'a str,
    login_token: &'a str,
    ip: IpAddr,
    #[serde(flatten)]
    fields: &'a TokenFields,
}

impl Admin {
    /// Gets or makes a device key. A new one has [`Device::created`], and its secret, [`Device::login_token`], is shown only
    /// now.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn create_device(
        &self,
        user: &str,
        uuid: &str,
        fields: &DeviceFields,
    ) -> Result<Device, CallError> {
        let body = NewDevice { uuid, fields };
        let made = self.make_secret(&path(&["users", user, "devices"]), &body).await;
        // The answer was lost, and the secret with it.
        if made.as_ref().is_err_and(|error: &CallError| error.replay().is_some()) {
            let rotated = self.rotate_device(user, uuid).await?;
            return Ok(Device { created: Some(true), ..rotated });
        }
        made
    }

    /// Lists a user's device keys.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn devices(&self, user: &str, paging: &Paging) -> Result<Page<Device>, CallError> {
        self.page(&path(&["users", user, "devices"]), "", "devices", paging).await
    }

    /// Returns a device key.
    ///
    /// # Errors
    /// In an outage, or if the device key does not exist.
    pub async fn device(&self, user: &str, uuid: &str) -> Result<Device, CallError> {
        self.ask(Method::GET, &of_device(user, uuid), Repeat::Safe).await
    }

    /// Changes a device key. To deactivate it revokes the tokens that it logged in.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn change_device(
        &self,
        user: &str,
        uuid: &str,
        changes: &DeviceChanges,
    ) -> Result<Device, CallError> {
        self.send(Method::PATCH, &of_device(user, uuid), changes, Repeat::Safe).await
    }

    /// Gives an active device key a new login token; the old one is refused at once.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn rotate_device(&self, user: &str, uuid: &str) -> Result<Device, CallError> {
        let target = path(&["users", user, "devices", uuid, "rotate"]);
        self.ask(Method::POST, &target, Repeat::Unsafe).await
    }

    /// Removes a device key and revokes the tokens that it logged in.
    ///
    /// # Errors
    /// In an outage, or if the device key does not exist.
    pub async fn remove_device(&self, user: &str, uuid: &str) -> Result<(), CallError> {
        // A repeat would be a 404.
        self.tell(Method::DELETE, &of_device(user, uuid), Repeat::Unsafe).await
    }

    /// Issues a token to a device key.
    ///
    /// # Errors
    /// In an outage, or with the kind `login-refused` if no active key has this uuid and login token.
    pub async fn device_login(
        &self,
        uuid: &str,
        login_token: &str,
        ip: IpAddr,
        fields: &TokenFields,
    ) -> Result<Token, CallError> {
        let body = DeviceLogin { uuid, login_token, ip, fields };
        self.send(Method::POST, "/v1/devices/login", &body, Repeat::Unsafe).await
    }
}

fn of_device(user: &str, uuid: &str) -> String {
    path(&["users", user, "devices", uuid])
}
