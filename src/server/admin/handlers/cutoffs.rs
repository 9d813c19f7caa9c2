//! `/v1/cutoffs` and `/v1/cutoffs/{cutoff}`.

use hyper::StatusCode;

use crate::logging::audit::AuditEntry;
use crate::model::cutoff::Cutoff;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::input::parsed;
use crate::server::admin::paging::Page;
use crate::server::json::cutoff::CutoffJson;
use crate::server::transport::response::{empty, json};
use crate::values::timestamp::parse_date_time;

/// Sets a cut-off, or moves it to a later time: 201 or 200, the cut-off.
pub async fn set(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let (service, actor) = (call.service(), call.actor);
    let mut fields = call.input.json().await?;
    let name = call.params.cutoff(&mut fields)?;
    let time = |text: &str| {
        let time = parse_date_time(text);
        time.ok_or_else(|| "must be an RFC 3339 date-time from 1970 on, such as 2027-01-31T08:00:00Z".into())
    };
    let before_ms = fields.required("before", parsed(time));
    let (name, before_ms) = fields.finish_with(name.zip(before_ms))?;
    entry.before_ms = Some(before_ms);
    let set = service.set_cutoff(&name, before_ms, actor).await?;
    entry.before_ms = Some(set.cutoff.before_ms);
    let status = if set.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &CutoffJson::of(&set.cutoff)))
}

/// Removes a cut-off: 204, or 404 without one.
pub async fn remove(call: AdminCall<'_>, _: &mut AuditEntry) -> Answer {
    let mut query = call.input.query();
    let name = call.params.cutoff(&mut query)?;
    let name = query.finish_with(name)?;
    call.service().remove_cutoff(&name, call.actor).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Lists the cut-offs, newest first, in pages.
pub async fn list(call: AdminCall<'_>) -> Answer {
    let mut query = call.input.query();
    let page = Page::of(&mut query, &["cutoffs"]);
    query.finish()?;
    let cutoffs = call.service().list_cutoffs().await?;
    Ok(page.response("cutoffs", &cutoffs, Cutoff::listing_key, CutoffJson::of))
}
