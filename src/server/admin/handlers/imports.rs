//! `/v1/import`: sessions and device keys of another system.

use hyper::StatusCode;
use serde::Serialize;

use super::import_records::{device_record, import_record};
use super::import_results::{DeviceResultJson, ImportedAs, ResultJson, merged, split};
use crate::logging::audit::{AuditEntry, ImportCounts};
use crate::model::import::MAX_IMPORTS;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::idempotency;
use crate::server::admin::input::body::BodyLimit;
use crate::server::admin::input::{Fields, boolean};
use crate::server::transport::response::{json_text, of_json_text};

const JSON: &str = "application/json";

#[derive(Serialize)]
struct Answered {
    results: Vec<ResultJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_results: Option<Vec<DeviceResultJson>>,
}

/// Imports sessions and device keys: 200, what became of each, in order.
pub async fn import(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let service = call.service();
    let once = idempotency::request_name(&call)?;
    let body = call.input.json_bytes_within(BodyLimit::IMPORT).await?;
    let mut fields = Fields::of_json(&body)?;
    let devices = fields.each_object_if_any("devices", MAX_IMPORTS, device_record);
    let tokens = match &devices {
        Some(_) => fields.each_object_if_any("tokens", MAX_IMPORTS, import_record).unwrap_or_default(),
        None => fields.each_object("tokens", MAX_IMPORTS, import_record),
    };
    let is_dry = fields.optional("dry_run", boolean).unwrap_or(false);
    fields.finish()?;
    entry.count = Some(tokens.len() + devices.as_ref().map_or(0, Vec::len));
    let request = match idempotency::claim(service, once, &body).await? {
        Some((_, Some(answer))) => return Ok(of_json_text(StatusCode::OK, answer, JSON)),
        claimed => claimed.map(|(request, _)| request),
    };
    entry.fields = if is_dry { vec!["dry_run"] } else { Vec::new() };
    let (valid, invalid) = split(tokens);
    let results = service.import(valid, is_dry, call.actor).await?;
    let results = merged(results, invalid, ResultJson::of, ResultJson::rejected);
    let device_results = match devices {
        Some(devices) => {
            let (valid, invalid) = split(devices);
            let results = service.import_devices(valid, is_dry, call.actor).await?;
            Some(merged(results, invalid, DeviceResultJson::of, DeviceResultJson::rejected))
        }
        None => None,
    };
    let of_devices = device_results.iter().flatten().map(|result| result.status);
    let all: Vec<_> = results.iter().map(|result| result.status).chain(of_devices).collect();
    let count = |status| all.iter().filter(|other| **other == status).count();
    entry.import = Some(ImportCounts {
        imported: count(ImportedAs::Imported),
        exists: count(ImportedAs::Exists),
        rejected: count(ImportedAs::Rejected),
    });
    let answer = json_text(&Answered { results, device_results });
    let answer = match request {
        Some(request) => service.keep_answer(&request, answer).await?,
        None => answer,
    };
    Ok(of_json_text(StatusCode::OK, answer, JSON))
}
