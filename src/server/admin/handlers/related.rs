//! Related objects: `/v1/tokens/{id}/related`, `/v1/tokens/{id}/related/{content_type}/{object_id}` and
//! `/v1/related/{content_type}/{object_id}/tokens`.

use hyper::StatusCode;
use serde_json::json;

use crate::logging::audit::AuditEntry;
use crate::model::field_rules as rules;
use crate::model::token::{RelatedObject, Token};
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::input::{Fields, text};
use crate::server::admin::paging::Page;
use crate::server::json::token::TokenJson;
use crate::server::transport::response::{self, empty};

/// Reads an object from the two fields that name it.
pub fn related_object(fields: &mut Fields) -> Option<RelatedObject> {
    let content_type = fields.required("content_type", text(rules::content_type));
    let object_id = fields.required("object_id", text(rules::object_id));
    Some(RelatedObject { content_type: content_type?, object_id: object_id? })
}

/// Relates the token to an object: 204, also if it was related before.
pub async fn relate(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let (service, id) = (call.service(), call.params.id()?);
    let mut fields = call.input.json().await?;
    let object = related_object(&mut fields);
    let object = fields.finish_with(object)?;
    entry.object = Some(object.clone());
    entry.user = Some(service.relate(id, &object, call.actor).await?);
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Unrelates the token from an object: 204, also if it was not related.
pub async fn unrelate(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let (service, id) = (call.service(), call.params.id()?);
    let mut fields = call.input.json().await?;
    let object = related_object(&mut fields);
    let object = fields.finish_with(object)?;
    entry.object = Some(object.clone());
    entry.user = Some(service.unrelate(id, &object, call.actor).await?);
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Unrelates the token from the object in the path, for clients that send no body with DELETE: 204.
pub async fn unrelate_by_path(mut call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let mut query = call.input.query();
    let object = call.params.object(&mut query)?;
    query.finish()?;
    entry.user = Some(call.service().unrelate(call.params.id()?, &object, call.actor).await?);
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Lists the object's live tokens, newest first, in pages.
pub async fn list_tokens(mut call: AdminCall<'_>) -> Answer {
    let mut query = call.input.query();
    let object = call.params.object(&mut query)?;
    let page = Page::of(&mut query, &["object tokens", &object.content_type, &object.object_id]);
    query.finish()?;
    let service = call.service();
    let tokens = service.object_tokens(&object).await?;
    let now_ms = service.clock().now_ms();
    Ok(page.response("tokens", &tokens, Token::listing_key, |token| TokenJson::of(token, now_ms)))
}

/// Revokes the object's live tokens: 200, their number.
pub async fn revoke_tokens(mut call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let mut query = call.input.query();
    let object = call.params.object(&mut query)?;
    query.finish()?;
    let revoked = call.service().revoke_object_tokens(&object, call.actor).await?;
    entry.count = Some(revoked);
    Ok(response::json(StatusCode::OK, &json!({"revoked": revoked})))
}
