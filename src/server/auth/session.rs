//! `GET /session`: the holder's own token object.

use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};

use super::access_log::holder_of;
use super::holder::authenticate;
use crate::request::origin::RequestOrigin;
use crate::request_check::settings::ValidationSettings;
use crate::server::json::token::TokenJson;
use crate::server::transport::body::Body;
use crate::server::transport::response::json;
use crate::token_string::TokenId;
use crate::validation::Validator;

/// Answers with the token object. Tells `holder` the valid token and its user.
pub async fn show_session(
    validator: &Validator,
    settings: &ValidationSettings,
    origin: RequestOrigin<'_, HeaderMap>,
    holder: &mut Option<(TokenId, String)>,
) -> Response<Body> {
    let (access, request) = (settings.access(origin.headers), origin.audited(&settings.trusted_proxies));
    match authenticate(validator, settings, origin.headers, access, &request).await {
        Ok(found) => {
            *holder = Some(holder_of(&found.token.record));
            json(StatusCode::OK, &TokenJson::of(&found.token, validator.service().clock().now_ms()))
        }
        Err(response) => response,
    }
}
