//! `doorward cutoff`.

use chrono::SecondsFormat;
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::confirm::confirm;
use crate::cli::admin::client::all_pages;
use crate::cli::admin::{AdminClient, Failure, segment};
use crate::cli::show::{Column, Output, describe, rows, text};
use crate::clock::Clock;
use crate::model::cutoff::CutoffName;
use crate::values::timestamp::parse_date_time;

const FIRST: &[&str] = &["name", "before", "created_at", "scanned", "revoked", "finished_at"];

/// The commands about cut-offs.
#[derive(Debug, Subcommand)]
pub enum CutoffCommand {
    /// Refuse every token issued before a time, and revoke these tokens for good
    Set {
        /// Which tokens: all, backend:NAME or slug:NAME
        #[arg(value_parser = name)]
        name: String,
        /// Tokens issued before this time are refused: RFC 3339, or `now`
        #[arg(long, value_name = "TIME", value_parser = before)]
        before: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Remove a cut-off; tokens that were not revoked yet are good again
    Remove {
        /// Name of the cut-off: all, backend:NAME or slug:NAME
        #[arg(value_parser = name)]
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List the cut-offs with their progress, newest first
    List,
}

/// Parses the name of a cut-off.
fn name(text: &str) -> Result<String, String> {
    CutoffName::parse(text).map(|name| name.to_string())
}

/// Parses a time, or `now` by this machine's clock.
fn before(text: &str) -> Result<String, String> {
    if text == "now" {
        let now_ms = i64::try_from(Clock::system().now_ms()).unwrap_or_default();
        let now = chrono::DateTime::from_timestamp_millis(now_ms).unwrap_or_default();
        return Ok(now.to_rfc3339_opts(SecondsFormat::Millis, true));
    }
    let is_time = parse_date_time(text).is_some();
    is_time.then(|| text.to_owned()).ok_or_else(|| "must be an RFC 3339 date-time or now".to_owned())
}

/// Runs a command about cut-offs.
pub(crate) async fn run(
    client: &AdminClient,
    output: Output,
    command: &CutoffCommand,
) -> Result<(), Failure> {
    match command {
        CutoffCommand::Set { name, before, yes } => {
            confirm(&format!("Refuse every token of {name:?} issued before {before}, for good?"), *yes)?;
            let path = format!("/v1/cutoffs/{}", segment(name));
            let cutoff = client.call(Method::PUT, &path, Some(&json!({"before": before}))).await?;
            output.print(&cutoff, |cutoff| describe(cutoff, FIRST))
        }
        CutoffCommand::Remove { name, yes } => {
            let question =
                format!("Remove the cut-off {name:?}? Its tokens that are not revoked yet are good again.");
            confirm(&question, *yes)?;
            client.delete(&format!("/v1/cutoffs/{}", segment(name))).await?;
            output.print(&json!({"name": name, "removed": true}), |_| format!("removed {name}"))
        }
        CutoffCommand::List => {
            let cutoffs = all_pages(client, "/v1/cutoffs", "cutoffs", None).await?;
            output.print(&Value::Array(cutoffs), |cutoffs| {
                rows(CUTOFFS, cutoffs.as_array().map_or(&[], Vec::as_slice))
            })
        }
    }
}

const CUTOFFS: &[Column] = &[
    ("NAME", |cutoff| text(&cutoff["name"])),
    ("BEFORE", |cutoff| text(&cutoff["before"])),
    ("SET", |cutoff| text(&cutoff["created_at"])),
    ("SCANNED", |cutoff| text(&cutoff["scanned"])),
    ("REVOKED", |cutoff| text(&cutoff["revoked"])),
    ("FINISHED", |cutoff| text(&cutoff["finished_at"])),
];
