//! `doorward user`.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::arguments::{positive, token_id, user};
use super::confirm::confirm;
use crate::cli::admin::client::all_pages;
use crate::cli::admin::{AdminClient, Failure, segment};
use crate::cli::show::{Column, Output, pairs, rows, text};
use crate::token_string::TokenId;

/// The commands about all that a user has.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List the user's tokens, newest first
    Tokens {
        #[command(flatten)]
        #[allow(missing_docs)] // a doc comment would become a help text
        listing: Listing,
        /// List revoked tokens, too
        #[arg(long)]
        include_revoked: bool,
    },
    /// List the user's device keys, newest first
    Devices(Listing),
    /// List who took the user over, newest first
    Takeovers(Listing),
    /// List what happened to the user's tokens, takeovers and device keys, newest first
    Events(Listing),
    /// Revoke the user's tokens
    Revoke {
        /// User whose tokens are revoked
        #[arg(value_parser = user)]
        user: String,
        /// Keep this token
        #[arg(long, value_name = "ID", value_parser = token_id, allow_hyphen_values = true)]
        except: Option<TokenId>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Lock the user: every token is refused until the user is unlocked, and none is lost
    Lock {
        /// User to lock
        #[arg(value_parser = user)]
        user: String,
    },
    /// Unlock the user
    Unlock {
        /// User to unlock
        #[arg(value_parser = user)]
        user: String,
    },
    /// Erase all that is kept of the user: tokens, takeovers, device keys, events
    Erase {
        /// User to erase
        #[arg(value_parser = user)]
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// A listing of what a user has.
#[derive(Debug, Args)]
pub struct Listing {
    /// User whose entries are listed
    #[arg(value_parser = user)]
    user: String,
    /// Maximum number of entries; without it, all
    #[arg(long, value_name = "N", value_parser = positive::<u32>)]
    limit: Option<u32>,
}

impl Listing {
    fn limit(&self) -> Option<usize> {
        self.limit.and_then(|limit| limit.try_into().ok())
    }

    async fn entries(&self, client: &AdminClient, name: &str, query: &str) -> Result<Vec<Value>, Failure> {
        let path = format!("/v1/users/{}/{name}{query}", segment(&self.user));
        all_pages(client, &path, name, self.limit()).await
    }
}

/// Runs a command about a user.
pub(crate) async fn run(client: &AdminClient, output: Output, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Tokens { listing, include_revoked } => {
            let query = if *include_revoked { "?include=revoked" } else { "" };
            print(output, TOKENS, listing.entries(client, "tokens", query).await?)
        }
        UserCommand::Devices(listing) => {
            print(output, DEVICES, listing.entries(client, "devices", "").await?)
        }
        UserCommand::Takeovers(listing) => {
            print(output, TAKEOVERS, listing.entries(client, "takeovers", "").await?)
        }
        UserCommand::Events(listing) => {
            // There are no pages: the store keeps few events.
            let answer = client.get(&format!("/v1/users/{}/events", segment(&listing.user))).await?;
            let mut events = answer["events"].as_array().cloned().unwrap_or_default();
            events.truncate(listing.limit().unwrap_or(usize::MAX));
            print(output, EVENTS, events)
        }
        UserCommand::Revoke { user, except, yes } => {
            let kept = except.map_or(String::new(), |id| format!(" except {id}"));
            confirm(&format!("Revoke every token of {user:?}{kept}?"), *yes)?;
            let query = except.map_or(String::new(), |id| format!("?except={id}"));
            let answer = client.delete(&format!("/v1/users/{}/tokens{query}", segment(user))).await?;
            output.print(&answer, |answer| format!("revoked tokens: {}", text(&answer["revoked"])))
        }
        UserCommand::Lock { user } => set_lock(client, output, Method::PUT, user).await,
        UserCommand::Unlock { user } => set_lock(client, output, Method::DELETE, user).await,
        UserCommand::Erase { user, yes } => {
            let question = format!("Erase every token, takeover, device key and event of {user:?} for good?");
            confirm(&question, *yes)?;
            client.delete(&format!("/v1/users/{}", segment(user))).await?;
            output.print(&json!({"user": user, "erased": true}), |_| "erased".to_owned())
        }
    }
}

async fn set_lock(client: &AdminClient, output: Output, method: Method, user: &str) -> Result<(), Failure> {
    let is_locked = method == Method::PUT;
    client.call(method, &format!("/v1/users/{}/lock", segment(user)), None).await?;
    let done = if is_locked { "locked" } else { "unlocked" };
    output.print(&json!({"user": user, "locked": is_locked}), |_| done.to_owned())
}

fn print(output: Output, columns: &[Column], entries: Vec<Value>) -> Result<(), Failure> {
    output
        .print(&Value::Array(entries), |entries| rows(columns, entries.as_array().map_or(&[], Vec::as_slice)))
}

const TOKENS: &[Column] = &[
    ("ID", |token| text(&token["id"])),
    ("STATE", |token| match (&token["is_active"], &token["revoked_reason"]) {
        (Value::Bool(true), _) if token["locked"] == Value::Bool(true) => "locked".to_owned(),
        (Value::Bool(true), _) => "active".to_owned(),
        (_, Value::String(reason)) => format!("revoked:{reason}"),
        _ => "revoked".to_owned(),
    }),
    ("CREATED", |token| text(&token["created_at"])),
    ("LAST ACCESS", |token| text(&token["last_access"])),
    ("EXPIRES", |token| text(&token["expires_at"])),
    ("IP", |token| text(&token["ip"])),
    ("SLUG", |token| text(&token["auth_slug"])),
    ("DEVICE", |token| text(&token["device"])),
    ("USER AGENT", |token| text(&token["user_agent"])),
];

const DEVICES: &[Column] = &[
    ("UUID", |device| text(&device["uuid"])),
    ("STATE", |device| state(&device["is_active"], "inactive")),
    ("NAME", |device| text(&device["name"])),
    ("CREATED", |device| text(&device["created_at"])),
    ("LAST LOGIN", |device| text(&device["last_login"])),
    ("USER AGENT", |device| text(&device["user_agent"])),
];

const TAKEOVERS: &[Column] = &[
    ("ID", |takeover| text(&takeover["id"])),
    ("STATE", |takeover| state(&takeover["is_active"], "ended")),
    ("ACTOR", |takeover| text(&takeover["actor"])),
    ("TOKEN", |takeover| text(&takeover["token"])),
    ("STARTED", |takeover| text(&takeover["created_at"])),
    ("ENDED", |takeover| text(&takeover["ended_at"])),
    ("REASON", |takeover| text(&takeover["reason"])),
];

const EVENTS: &[Column] = &[
    ("AT", |event| text(&event["at"])),
    ("TYPE", |event| text(&event["type"])),
    ("ACTOR", |event| text(&event["actor"])),
    ("TOKEN", |event| text(&event["token"])),
    ("DETAILS", |event| {
        event
            .as_object()
            .map_or(String::new(), |event| pairs(event, &["at", "type", "actor", "token", "user"]))
    }),
];

fn state(is_active: &Value, otherwise: &str) -> String {
    if is_active == &Value::Bool(true) { "active".to_owned() } else { otherwise.to_owned() }
}
