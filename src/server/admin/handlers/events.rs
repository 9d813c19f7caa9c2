//! `/v1/users/{user}/events` and `/v1/events`.

use hyper::StatusCode;
use serde_json::json;

use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::key_grant::KeyGrant;
use crate::server::json::event::EventJson;
use crate::server::transport::response;
use crate::values::Scope;

/// Lists the user's events, newest first. There are no pages: the store keeps at most `events-per-user`.
pub async fn list_of_user(mut call: AdminCall<'_>) -> Answer {
    let mut query = call.input.query();
    let user = call.params.user(&mut query)?;
    query.finish()?;
    let events = call.service().user_events(&user).await?;
    let events: Vec<_> = events.iter().map(|event| EventJson::of(&user, event)).collect();
    Ok(response::json(StatusCode::OK, &json!({"events": events})))
}

/// Follows the live feed of all users' events.
pub async fn follow(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    let grant =
        KeyGrant { api_keys: call.admin.api_keys.clone(), key: call.key.clone(), scope: Scope::Events };
    call.admin.feed.response(call.admin.service.clone(), grant, call.input.headers())
}
