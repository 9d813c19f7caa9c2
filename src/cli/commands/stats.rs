//! `doorward stats`: one node at a glance.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

use super::arguments::seconds;
use crate::cli::admin::{AdminClient, AdminFlags, Failure};
use crate::cli::output::note;
use crate::cli::show::{Column, Output, describe, rows, text};

/// The order of the most important figures; all others follow.
const FIRST: &[&str] = &["ready", "version", "uptime_seconds", "store", "tokens", "validations", "cache"];
/// Clears a terminal: moves the cursor to the corner and erases all after it (ECMA-48, CUP and ED).
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";
const DEFAULT_INTERVAL_SECONDS: u64 = 2;

/// How to show the figures.
#[derive(Debug, Args)]
pub struct ShowStats {
    /// Refresh until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Time between two refreshes [default: 2s]
    #[arg(long, value_name = "DURATION", requires = "watch", value_parser = seconds)]
    interval: Option<u64>,
    #[command(flatten)]
    pub(crate) admin: AdminFlags,
}

/// Shows the figures, once or until Ctrl-C.
pub(crate) async fn run(client: &AdminClient, output: Output, show: &ShowStats) -> Result<(), Failure> {
    let heading = if show.watch && io::stdout().is_terminal() { CLEAR } else { "" };
    output.print(&figures(client).await?, |figures| screen(heading, figures))?;
    if !show.watch {
        return Ok(());
    }
    let interval = Duration::from_secs(show.interval.unwrap_or(DEFAULT_INTERVAL_SECONDS));
    let refreshes = async {
        loop {
            sleep(interval).await;
            match figures(client).await {
                Ok(figures) => output.print(&figures, |figures| screen(heading, figures))?,
                Err(failure) if failure.may_pass() => note(&failure.to_string()),
                Err(failure) => return Err(failure),
            }
        }
    };
    tokio::select! {
        failed = refreshes => failed,
        stopped = ctrl_c() => stopped.map_err(|error| Failure::local(format!("signals not caught: {error}"))),
    }
}

async fn figures(client: &AdminClient) -> Result<Value, Failure> {
    let mut figures = client.get("/v1/stats").await?;
    let status = client.get("/v1/status").await?;
    figures["faults"] = status["faults"].clone();
    figures["masters"] = with_all_fields(&figures["masters"], &status["masters"]);
    Ok(figures)
}

/// Adds to each master what the status knows of it.
fn with_all_fields(figures: &Value, status: &Value) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let known = list(figures);
    let merged = list(status).into_iter().map(|mut master| {
        let same = known.iter().find(|known| known["address"] == master["address"]);
        for (name, value) in same.and_then(Value::as_object).into_iter().flatten() {
            master[name] = value.clone();
        }
        master
    });
    merged.collect()
}

fn screen(heading: &str, figures: &Value) -> String {
    let mut single = figures.clone();
    if let Value::Object(fields) = &mut single {
        fields.retain(|name, _| !["masters", "faults"].contains(&name.as_str()));
    }
    // Most reasons never occur.
    if let Some(Value::Object(revoked)) = single.pointer_mut("/tokens/revoked") {
        revoked.retain(|_, count| *count != 0);
    }
    let mut screen = format!("{heading}{}\n", describe(&single, FIRST));
    let objects = |name: &str| figures[name].as_array().filter(|objects| !objects.is_empty());
    if let Some(masters) = objects("masters") {
        screen += &format!("\n{}\n", rows(MASTERS, masters));
    }
    for fault in objects("faults").into_iter().flatten() {
        let [kind, server, cause, fix] = ["kind", "server", "cause", "fix"].map(|name| text(&fault[name]));
        screen += &format!("\nFAULT {kind} {server}\n  cause  {cause}\n  fix    {fix}\n");
    }
    screen
}

const MASTERS: &[Column] = &[
    ("MASTER", |master| text(&master["address"])),
    ("VERSION", |master| text(&master["version"])),
    ("TRACKING", |master| text(&master["tracking"])),
    ("LEASE AGE", |master| match &master["lease_age_seconds"] {
        Value::Null => "-".to_owned(),
        age => format!("{age}s"),
    }),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_screen_shows_every_figure_and_the_faults() {
        let figures = json!({
            "ready": false, "later": {"a": 1}, "cache": null,
            "tokens": {"issued": 3, "revoked": {"logout": 2, "reuse": 0}},
            "masters": with_all_fields(
                &json!([{"address": "a:1", "lease_age_seconds": 0.2}]),
                &json!([{"address": "a:1", "version": "8.0.1", "tracking": true}, {"address": "b:1"}]),
            ),
            "faults": [{"kind": "unreachable", "server": "b:1", "cause": "refused", "fix": "start it"}],
        });
        let screen = screen("", &figures);
        let lines: Vec<_> = screen.lines().collect();
        assert_eq!(lines[0], "ready   false");
        for line in [
            "later   a=1",
            "tokens  issued=3 revoked.logout=2",
            "MASTER  VERSION  TRACKING  LEASE AGE",
            "a:1     8.0.1    true      0.2s",
            "b:1     -        -         -",
            "FAULT unreachable b:1",
            "  cause  refused",
            "  fix    start it",
        ] {
            assert!(lines.contains(&line), "{line}\n{screen}");
        }
    }
}
