//! Related objects: `/v1/tokens/{id}/related`, `…/related/{content_type}/{object_id}` and `/v1/related/{content_type}/{object_id}/tokens`.

use hyper::{Response, StatusCode};
use serde_json::json;

use super::fields::{Fields, text};
use super::paging::Page;
use super::problem::Problem;
use crate::model::event::Actor;
use crate::model::field_rules as rules;
use crate::model::token::{RelatedObject, Token};
use crate::server::json::token::TokenJson;
use crate::server::transport::body::Body;
use crate::server::transport::response::{empty, json};
use crate::service::Service;
use crate::token_string::TokenId;

/// Reads an object from the fields that name it.
pub fn related_object(fields: &mut Fields) -> Option<RelatedObject> {
    let content_type = fields.required("content_type", text(rules::content_type));
    let object_id = fields.required("object_id", text(rules::object_id));
    Some(RelatedObject { content_type: content_type?, object_id: object_id? })
}

/// POST: relates the token to an object; 204, also when it was.
pub async fn relate(
    service: &Service,
    id: TokenId,
    fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    service.relate(id, &only_object(fields)?, actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// DELETE: takes an object from the token; 204, also when it was not related.
pub async fn unrelate(
    service: &Service,
    id: TokenId,
    fields: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    service.unrelate(id, &only_object(fields)?, actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// DELETE: the same for the object in the path.
pub async fn unrelate_from(
    service: &Service,
    id: TokenId,
    object: RelatedObject,
    mut query: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    check_object(&object, &mut query);
    query.finish()?;
    service.unrelate(id, &object, actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn only_object(mut fields: Fields) -> Result<RelatedObject, Problem> {
    let object = related_object(&mut fields);
    fields.finish()?;
    // Without errors both fields were there.
    object.ok_or_else(Problem::not_found)
}

/// GET: the object's live tokens, newest first, in pages.
pub async fn list_tokens(
    service: &Service,
    object: RelatedObject,
    mut query: Fields,
) -> Result<Response<Body>, Problem> {
    check_object(&object, &mut query);
    let page = Page::of(&mut query, &["object tokens", &object.content_type, &object.object_id]);
    query.finish()?;
    let tokens = service.object_tokens(&object).await?;
    let now_ms = service.clock().now_ms();
    Ok(page.response("tokens", &tokens, Token::listing_key, |token| TokenJson::of(token, now_ms)))
}

/// DELETE: ends the object's live tokens.
pub async fn end_tokens(
    service: &Service,
    object: RelatedObject,
    mut query: Fields,
    actor: Actor<'_>,
) -> Result<Response<Body>, Problem> {
    check_object(&object, &mut query);
    query.finish()?;
    let revoked = service.revoke_object_tokens(&object, actor).await?;
    Ok(json(StatusCode::OK, &json!({"revoked": revoked})))
}

/// Notes what is wrong with the object in a path.
fn check_object(object: &RelatedObject, fields: &mut Fields) {
    for (name, checked) in [
        ("content_type", rules::content_type(&object.content_type)),
        ("object_id", rules::object_id(&object.object_id)),
    ] {
        if let Err(detail) = checked {
            fields.fail(name, detail);
        }
    }
}
