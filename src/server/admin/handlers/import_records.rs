//! The records of an import.

use std::net::{IpAddr, Ipv4Addr};

use super::tokens::optional_fields;
use crate::foreign::{Pbkdf2Hash, Scheme, SourceDigest};
use crate::model::field_rules as rules;
use crate::server::admin::input::{Fields, boolean, parsed, text, user_agent};
use crate::service::{DeviceImportRecord, ExportedString, ImportRecord, NewToken};
use crate::values::SecretString;
use crate::values::timestamp::parse_time;

/// The address of a session whose export has none.
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Reads the record of a token.
pub fn import_record(fields: &mut Fields) -> Option<ImportRecord> {
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

/// Reads the record of a device key.
pub fn device_record(fields: &mut Fields) -> Option<DeviceImportRecord> {
    let user = fields.required("user", text(rules::user));
    let uuid = fields.required("uuid", parsed(rules::device_uuid));
    let hash = fields.required("hash", parsed(Pbkdf2Hash::parse));
    let name = fields.optional("name", text(rules::device_name)).filter(|name| !name.is_empty());
    let user_agent = fields.optional("user_agent", user_agent).unwrap_or_default();
    let is_active = fields.optional("is_active", boolean).unwrap_or(true);
    let mut time = |name| fields.optional(name, parsed(point_in_time));
    let (created_at_ms, last_login_ms) = (time("created_at"), time("last_login"));
    Some(DeviceImportRecord {
        user: user?,
        uuid: uuid?,
        hash: hash?,
        name,
        user_agent,
        created_at_ms,
        last_login_ms,
        is_active,
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
