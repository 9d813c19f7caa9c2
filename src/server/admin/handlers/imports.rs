//! `/v1/import`: sessions of another system.

use std::net::{IpAddr, Ipv4Addr};

use hyper::StatusCode;
use serde::Serialize;

use super::tokens::optional_fields;
use crate::foreign::{Scheme, SourceDigest};
use crate::logging::audit::{AuditEntry, ImportCounts};
use crate::model::field_rules as rules;
use crate::model::import::MAX_IMPORTS;
use crate::server::admin::call::{AdminCall, Answer};
use crate::server::admin::input::body::BodyLimit;
use crate::server::admin::input::{Fields, boolean, parsed, text};
use crate::server::admin::problem::FieldError;
use crate::server::transport::response::json;
use crate::service::{ExportedString, ImportRecord, ImportResult, NewToken};
use crate::token_string::TokenId;
use crate::values::SecretString;
use crate::values::timestamp::parse_time;

/// The address of a session whose export has none.
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// A record of the request, or what is wrong with it.
type ReadRecord = Result<ImportRecord, Vec<FieldError>>;

/// What became of a record.
#[derive(Serialize)]
struct ResultJson {
    status: &'static str,
    id: Option<String>,
    errors: Vec<FieldError>,
}

#[derive(Serialize)]
struct Answered {
    results: Vec<ResultJson>,
}

/// Imports sessions: 200, what became of each, in order.
pub async fn import(call: AdminCall<'_>, entry: &mut AuditEntry) -> Answer {
    let service = call.service();
    let mut fields = call.input.large_json(BodyLimit::IMPORT).await?;
    let records = fields.each_object("tokens", MAX_IMPORTS, import_record);
    let is_dry = fields.optional("dry_run", boolean).unwrap_or(false);
    fields.finish()?;
    entry.count = Some(records.len());
    entry.fields = if is_dry { vec!["dry_run"] } else { Vec::new() };
    let (valid, invalid) = split(records);
    let results = service.import(valid, is_dry, call.actor).await?;
    let results = merged(results, invalid);
    let count = |status| results.iter().filter(|result| result.status == status).count();
    entry.import = Some(ImportCounts {
        imported: count("imported"),
        exists: count("exists"),
        rejected: count("rejected"),
    });
    Ok(json(StatusCode::OK, &Answered { results }))
}

/// Divides the records into those to import, and for each place the errors of the others.
fn split(records: Vec<ReadRecord>) -> (Vec<ImportRecord>, Vec<Option<Vec<FieldError>>>) {
    let mut valid = Vec::with_capacity(records.len());
    let errors = records.into_iter().map(|record| record.map(|record| valid.push(record)).err());
    let errors = errors.collect();
    (valid, errors)
}

/// Puts the results of the valid records to their places.
fn merged(results: Vec<ImportResult>, invalid: Vec<Option<Vec<FieldError>>>) -> Vec<ResultJson> {
    let mut results = results.into_iter();
    let at_place = |(at, errors): (usize, Option<Vec<FieldError>>)| match errors {
        Some(errors) => Some(ResultJson { status: "rejected", id: None, errors }),
        None => results.next().map(|result| result_json(at, result)),
    };
    invalid.into_iter().enumerate().filter_map(at_place).collect()
}

fn result_json(at: usize, result: ImportResult) -> ResultJson {
    let done = |status, id: TokenId| ResultJson { status, id: Some(id.to_string()), errors: Vec::new() };
    match result {
        ImportResult::Imported(id) => done("imported", id),
        ImportResult::Exists(id) => done("exists", id),
        ImportResult::Rejected { field, detail } => {
            let errors = vec![FieldError::new(&format!("tokens/{at}/{field}"), detail)];
            ResultJson { status: "rejected", id: None, errors }
        }
    }
}

/// Reads one record.
fn import_record(fields: &mut Fields) -> Option<ImportRecord> {
    let scheme = fields.required("scheme", parsed(scheme));
    let string = exported_string(fields, scheme);
    let user = fields.required("user", text(rules::user));
    let ip = fields.optional("ip", parsed(rules::ip)).unwrap_or(NO_ADDRESS);
    let expiration = fields.optional("expiration", boolean);
    let new = optional_fields(fields);
    let mut time = |name| fields.optional(name, parsed(point_in_time));
    let (created_at_ms, last_access_ms) = (time("created_at"), time("last_access"));
    let expires_at_ms = time("expires_at");
    Some(ImportRecord {
        scheme: scheme?,
        string: string?,
        new: NewToken { user: user?, ip, ..new },
        expiration,
        created_at_ms,
        last_access_ms,
        expires_at_ms,
    })
}

/// Reads the field `digest` or the field `token`, of which a record has one.
fn exported_string(fields: &mut Fields, scheme: Option<Scheme>) -> Option<ExportedString> {
    match (fields.has("digest"), fields.has("token")) {
        (false, false) => fields.fail("digest", "is missing, and so is token"),
        (true, true) => fields.fail("token", "must not be given beside digest"),
        _ => {}
    }
    let digest = fields.optional("digest", parsed(|hex| source_digest(scheme, hex)));
    let plain = fields.optional("token", text(|_| Ok(())));
    let plain = plain.map(|plain| ExportedString::Plain(SecretString::new(plain)));
    digest.flatten().map(ExportedString::Digest).or(plain)
}

/// Parses a digest. `None` if the scheme, whose error is reported, is not known.
fn source_digest(scheme: Option<Scheme>, hex: &str) -> Result<Option<SourceDigest>, String> {
    let Some(scheme) = scheme else { return Ok(None) };
    let digest = SourceDigest::parse_hex(scheme, hex);
    digest.map(Some).ok_or_else(|| format!("must be {} hex digits", 2 * scheme.digest_bytes()))
}

fn scheme(name: &str) -> Result<Scheme, String> {
    Scheme::named(name).ok_or_else(|| {
        let names: Vec<_> = Scheme::ALL.into_iter().map(Scheme::name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn point_in_time(text: &str) -> Result<u64, String> {
    parse_time(text).ok_or_else(|| "must be a time from 1970 on, such as 2027-01-31T00:00:00Z".into())
}
