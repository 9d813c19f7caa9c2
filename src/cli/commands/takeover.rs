//! `doorward takeover`.

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::arguments::{positive, reason, token_id, user};
use super::token::set;
use crate::cli::admin::{AdminClient, Failure};
use crate::cli::show::{Output, describe};
use crate::token_string::TokenId;

const FIRST: &[&str] = &["id", "actor", "user", "token", "is_active", "created_at", "ends_at"];

/// The commands about takeovers.
#[derive(Debug, Subcommand)]
pub enum TakeoverCommand {
    /// Let a token act as another user; an active takeover of the token ends
    Start {
        /// Id of the token that acts
        #[arg(value_parser = token_id, allow_hyphen_values = true)]
        id: TokenId,
        /// User to take over
        #[arg(long, value_parser = user)]
        user: String,
        /// Why, for the history
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: Option<String>,
        /// Maximum duration; without it, max-takeover-age
        #[arg(long, value_name = "N", value_parser = positive::<u64>)]
        seconds: Option<u64>,
    },
    /// End the active takeover of a token
    End {
        /// Id of the token that acts
        #[arg(value_parser = token_id, allow_hyphen_values = true)]
        id: TokenId,
    },
}

/// Runs a command about takeovers.
pub(crate) async fn run(
    client: &AdminClient,
    output: Output,
    command: &TakeoverCommand,
) -> Result<(), Failure> {
    match command {
        TakeoverCommand::Start { id, user, reason, seconds } => {
            let mut body = json!({"user": user});
            set(&mut body, "reason", reason.clone().map(Value::from));
            set(&mut body, "seconds", seconds.map(Value::from));
            let takeover =
                client.call(Method::POST, &format!("/v1/tokens/{id}/takeover"), Some(&body)).await?;
            output.print(&takeover, |takeover| describe(takeover, FIRST))
        }
        TakeoverCommand::End { id } => {
            client.delete(&format!("/v1/tokens/{id}/takeover")).await?;
            output.print(&json!({"token": id.to_string(), "ended": true}), |_| {
                format!("ended the takeover of {id}")
            })
        }
    }
}
