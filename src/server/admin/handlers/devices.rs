//! `/v1/users/{user}/devices`, `/v1/users/{user}/devices/{uuid}`, its `/rotate`, and `/v1/devices/login`.

use hyper::StatusCode;

use super::tokens;
use crate::logging::audit::AuditEntry;
use crate::model::device_key::{DeviceChange, DeviceKey};
use crate::model::field_rules as rules;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::idempotency;
use crate::server::admin::input::{Fields, boolean, parsed, text, user_agent};
use crate::server::admin::paging::Page;
use crate::server::json::device::{DeviceJson, MadeDeviceJson, RotatedDeviceJson};
use crate::server::transport::response::{empty, json};
use crate::service::NewDevice;

/// Gets or creates the user's device key of this uuid: 201 with its login token, which is shown only here, or 200.
pub async fn get_or_create(mut call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let service = call.service();
    let once = idempotency::request_name(&call)?;
    let body = call.input.json_bytes().await?;
    let mut fields = Fields::of_json(&body)?;
    let user = call.params.user(&mut fields)?;
    let uuid = fields.required("uuid", parsed(rules::device_uuid));
    let name = fields.optional("name", text(rules::device_name)).filter(|name| !name.is_empty());
    let user_agent = fields.optional("user_agent", user_agent).unwrap_or_default();
    let uuid = fields.finish_with(uuid)?;
    entry.device = Some(uuid.clone());
    idempotency::claim(service, once, &body).await?;
    let new = NewDevice { user, uuid, name, user_agent };
    let made = service.make_device_once(new, once, call.actor).await?;
    if made.login_token.is_none() {
        entry.count = Some(0);
    }
    let status = if made.login_token.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &MadeDeviceJson::of(&made)))
}

/// Lists the user's device keys, newest first, in pages.
pub async fn list(mut call: AdminCall<'_>) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    let page = Page::of(&mut query, &["user devices", &user]);
    query.finish()?;
    let devices = call.service().user_devices(&user).await?;
    Ok(page.response("devices", &devices, DeviceKey::listing_key, DeviceJson::of))
}

/// Shows a device key.
pub async fn show(mut call: AdminCall<'_>) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    let uuid = call.params.uuid(&mut query)?;
    query.finish()?;
    let device = call.service().user_device(&user, &uuid).await?;
    Ok(json(StatusCode::OK, &DeviceJson::of(&device)))
}

/// Changes a device key: 200, the device key. Deactivation revokes the tokens that it logged in.
pub async fn change(mut call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let service = call.service();
    let mut fields = call.input.json().await?;
    let user = call.params.user(&mut fields)?;
    let uuid = call.params.uuid(&mut fields)?;
    let is_active = fields.optional("is_active", boolean);
    let name = fields.clearable("name", text(rules::device_name));
    fields.finish()?;
    let change = DeviceChange { is_active, name: name.map(|name| name.filter(|name| !name.is_empty())) };
    let given = [("name", change.name.is_some()), ("is_active", is_active.is_some())];
    entry.fields = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect();
    let device = service.change_device(&user, &uuid, &change, call.actor).await?;
    Ok(json(StatusCode::OK, &DeviceJson::of(&device)))
}

/// Gives a device key a new login token: 200, the device key with its login token, which is shown only here.
pub async fn rotate(mut call: AdminCall<'_>, _: &mut AuditEntry) -> Answer {
    let service = call.service();
    let mut fields = call.input.optional_json().await?;
    let user = call.params.user(&mut fields)?;
    let uuid = call.params.uuid(&mut fields)?;
    fields.finish()?;
    let rotated = service.rotate_device(&user, &uuid, call.actor).await?;
    Ok(json(StatusCode::OK, &RotatedDeviceJson::of(&rotated)))
}

/// Removes a device key and revokes the tokens that it logged in: 204.
pub async fn remove(mut call: AdminCall<'_>, _: &mut AuditEntry) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    let uuid = call.params.uuid(&mut query)?;
    query.finish()?;
    call.service().remove_device(&user, &uuid, call.actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Issues a token to the owner of the device key: 201 with the token string, which is shown only here. All refusals are the
/// same 401, so a caller cannot probe for device keys.
pub async fn log_in(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let (service, cookie) = (call.service(), &call.admin.settings.cookie);
    let mut fields = call.input.json().await?;
    let uuid = fields.required("uuid", parsed(rules::device_uuid));
    let login_token = fields.required("login_token", text(|_| Ok(())));
    // The service fills in the user of the device key.
    let (new, is_for_cookie) = tokens::new_token(&mut fields, Some(String::new()));
    let ((uuid, login_token), new) = fields.finish_with(uuid.zip(login_token).zip(new))?;
    tokens::tell_login(entry, &new);
    entry.device = Some(uuid.clone());
    let issued = service.device_login(uuid, &login_token, new, call.actor).await?;
    tokens::tell_issued(entry, &issued);
    Ok(tokens::issued_response(service, cookie, &issued, is_for_cookie))
}
