//! `GET /session`: the holder's own token object.

use hyper::StatusCode;
use hyper::header::HeaderMap;

use super::holder::{HolderAnswer, authenticate};
use crate::request::origin::RequestOrigin;
use crate::request_check::settings::ValidationSettings;
use crate::server::json::token::TokenJson;
use crate::server::transport::response::json;
use crate::token_string::TokenId;
use crate::validation::Validator;

/// Answers with the token object. Tells `known` the valid token and its user.
pub async fn show_session(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, HeaderMap>,
    known: &mut Option<(TokenId, String)>,
) -> HolderAnswer {
    let holder = authenticate(validator, settings, &origin, settings.access(origin.headers), known).await?;
    Ok(json(StatusCode::OK, &TokenJson::of(&holder.token, validator.service().clock().now_ms())))
}
