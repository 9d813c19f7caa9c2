//! `/v1/users/{user}/devices`, `/v1/users/{user}/devices/{uuid}` and `/v1/devices/login`.

use hyper::{Response, StatusCode};

use super::fields::{Fields, boolean, parsed, text, user_agent};
use super::paging::Page;
use super::problem::Problem;
use super::tokens;
use super::users::check_user;
use crate::model::device_key::{DeviceChange, DeviceKey};
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::server::json::device::{DeviceJson, MadeDeviceJson};
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, json};
use crate::service::{NewDevice, Service};
use crate::values::Cookie;

/// POST: the user's device key of this uuid; 201 with its login token, this once, or 200 when it was there.
pub async fn make(
    service: &Service,
    user: String,
    mut fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    check_user(&user, &mut fields);
    let uuid = fields.required("uuid", parsed(rules::device_uuid));
    let name = fields.optional("name", text(rules::device_name)).filter(|name| !name.is_empty());
    let user_agent = fields.optional("user_agent", user_agent).unwrap_or_default();
    fields.finish()?;
    // Without errors the required field was there.
    let uuid = uuid.ok_or_else(Problem::not_found)?;
    let made = service.make_device(NewDevice { user, uuid, name, user_agent }, actor).await?;
    let status = if made.login_token.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &MadeDeviceJson::of(&made)))
}

/// GET: the user's device keys, newest first, in pages.
pub async fn list(service: &Service, user: &str, mut query: Fields) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    let page = Page::of(&mut query, &["user devices", user]);
    query.finish()?;
    let devices = service.user_devices(user).await?;
    Ok(page.response("devices", &devices, DeviceKey::listing_key, DeviceJson::of))
}

/// GET: one device key.
pub async fn show(
    service: &Service,
    user: &str,
    uuid: &str,
    mut query: Fields,
) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    check_uuid(uuid, &mut query);
    query.finish()?;
    let device = service.user_device(user, uuid).await?;
    Ok(json(StatusCode::OK, &DeviceJson::of(&device)))
}

/// PATCH: changes it; 200, the device.
pub async fn change(
    service: &Service,
    user: &str,
    uuid: &str,
    mut fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    check_user(user, &mut fields);
    check_uuid(uuid, &mut fields);
    let change = DeviceChange {
        is_active: fields.optional("is_active", boolean),
        name: fields
            .clearable("name", text(rules::device_name))
            .map(|name| name.filter(|name| !name.is_empty())),
    };
    fields.finish()?;
    let device = service.change_device(user, uuid, &change, actor).await?;
    Ok(json(StatusCode::OK, &DeviceJson::of(&device)))
}

/// DELETE: removes it; 204.
pub async fn remove(
    service: &Service,
    user: &str,
    uuid: &str,
    mut query: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    check_user(user, &mut query);
    check_uuid(uuid, &mut query);
    query.finish()?;
    service.remove_device(user, uuid, actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Notes what is wrong with the uuid in a path.
fn check_uuid(uuid: &str, fields: &mut Fields) {
    if let Err(detail) = rules::device_uuid(uuid) {
        fields.fail("uuid", detail);
    }
}

/// POST: a token for the owner of the device key; 201 with its secret, this once. 401 for whatever does not fit.
pub async fn log_in(
    service: &Service,
    cookie: &Cookie,
    mut fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    let uuid = fields.required("uuid", parsed(rules::device_uuid));
    let login_token = fields.required("login_token", text(|_| Ok(())));
    // The key knows whose token it is.
    let (new, is_for_cookie) = tokens::new_token(&mut fields, Some(String::new()));
    fields.finish()?;
    // Without errors every required field was there.
    let (uuid, login_token) = uuid.zip(login_token).ok_or_else(Problem::not_found)?;
    let new = new.ok_or_else(Problem::not_found)?;
    let issued = service.device_login(uuid, &login_token, new, actor).await?;
    Ok(tokens::issued_response(service, cookie, &issued, is_for_cookie))
}
