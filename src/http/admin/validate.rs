//! `/v1/validate`.

use hyper::{Response, StatusCode};
use serde::{Serialize, Serializer};

use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::http::token_json::TokenJson;
use crate::http::{Body, json};
use crate::service::ServiceError;
use crate::token::TokenView;
use crate::validator::{Access, Validator};

/// The most tokens in one request.
const MAX_TOKENS: usize = 1000;

/// POST: the tokens of these strings in their order, or that they are none.
///
/// The caller is a trusted back end, so `allowed_cookie` and `allowed_header` are shown and not asked.
pub async fn validate(
    validator: &Validator,
    access: Access,
    mut fields: Fields,
) -> Result<Response<Body>, Problem> {
    let wires = fields.strings("tokens", MAX_TOKENS);
    fields.finish()?;
    let results = validator.validate_batch(&wires, access).await.map_err(ServiceError::from)?;
    let now_ms = validator.service().clock().now_ms();
    Ok(json(StatusCode::OK, &Results { results: Each { views: &results, now_ms } }))
}

#[derive(Serialize)]
struct Results<'a> {
    results: Each<'a>,
}

struct Each<'a> {
    views: &'a [Option<TokenView>],
    now_ms: u64,
}

/// One after the other: a thousand objects are never in memory beside their text.
impl Serialize for Each<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.views.iter().map(|view| Shown(view.as_ref(), self.now_ms)))
    }
}

struct Shown<'a>(Option<&'a TokenView>, u64);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct NoToken {
            is_active: bool,
        }
        match self.0 {
            Some(view) => TokenJson::of_view(view, self.1).serialize(serializer),
            None => NoToken { is_active: false }.serialize(serializer),
        }
    }
}
