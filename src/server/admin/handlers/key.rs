//! `GET /v1/key`: the API key of the call itself, so that a client knows what it may do.

use hyper::StatusCode;

use crate::server::admin::call::{AdminCall, Answer};
use crate::server::json::api_key::api_key;
use crate::server::transport::response;

/// Shows the API key of the call. Any key may ask.
pub async fn show(call: AdminCall<'_>) -> Answer {
    call.input.no_query()?;
    Ok(response::json(StatusCode::OK, &api_key(&call.key.key, call.key.last_used_ms())))
}
