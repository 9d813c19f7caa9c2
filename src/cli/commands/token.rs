//! `doorward token`.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::arguments::{Related, auth_slug, backend, ip, related, scope, seconds, token_id, user};
use super::with_secret::print_secret;
use crate::cli::admin::{AdminClient, Failure};
use crate::cli::show::{Output, describe};
use crate::model::field_rules::MAX_RELATED_OBJECTS;
use crate::token_string::TokenId;

/// The order of the most important fields of a token.
const FIRST: &[&str] = &[
    "id",
    "user",
    "is_active",
    "locked",
    "revoked_at",
    "revoked_reason",
    "created_at",
    "last_access",
    "expires_at",
    "ends_at",
    "ip",
    "user_agent",
];

/// The commands about one token.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a token and print its token string, which is shown only once
    Issue(IssueToken),
    /// Show a token
    Show {
        /// Id of the token
        #[arg(value_parser = token_id, allow_hyphen_values = true)]
        id: TokenId,
    },
    /// Change the idle time or the lifetime of a token
    Change {
        /// Id of the token
        #[arg(value_parser = token_id, allow_hyphen_values = true)]
        id: TokenId,
        #[command(flatten)]
        #[allow(missing_docs)] // a doc comment would become a help text
        times: NewTimes,
    },
    /// Revoke a token
    Revoke {
        /// Id of the token
        #[arg(value_parser = token_id, allow_hyphen_values = true)]
        id: TokenId,
    },
    /// Give a token a new secret and print its new token string, which is shown only once
    Rotate {
        /// Id of the token
        #[arg(value_parser = token_id, allow_hyphen_values = true)]
        id: TokenId,
    },
}

/// The times of a token to change.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct NewTimes {
    /// Idle time, after which the token expires; counts from now
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    idle: Option<u64>,
    /// Maximum lifetime; counts from the time of issue
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    lifetime: Option<u64>,
}

/// The fields of a new token.
#[derive(Debug, Args)]
pub struct IssueToken {
    /// User who holds the token
    #[arg(long, value_parser = user)]
    user: String,
    /// IP address of the client
    #[arg(long, value_name = "IP", value_parser = ip)]
    ip: String,
    /// User agent of the client
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,
    /// Slug of the login page or application
    #[arg(long, value_name = "SLUG", value_parser = auth_slug)]
    auth_slug: Option<String>,
    /// Name of the authentication backend
    #[arg(long, value_name = "NAME", value_parser = backend)]
    backend: Option<String>,
    /// Scope, a word that the application knows; may be repeated
    #[arg(long = "scope", value_name = "WORD", value_parser = scope)]
    scopes: Vec<String>,
    /// Let the token live max-token-age without access, not default-token-age
    #[arg(long)]
    preserved: bool,
    /// Idle time, after which the token expires; beats --preserved
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    idle: Option<u64>,
    /// Maximum lifetime, however much the token is used
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    lifetime: Option<u64>,
    /// Refuse the token in the cookie
    #[arg(long)]
    no_cookie: bool,
    /// Refuse the token in the header Authorization
    #[arg(long)]
    no_header: bool,
    /// Related object; may be repeated
    #[arg(long, value_name = "TYPE/ID", value_parser = related)]
    related: Vec<Related>,
}

impl IssueToken {
    fn body(&self) -> Value {
        let mut body = json!({"user": self.user, "ip": self.ip, "expiration": !self.preserved});
        let optional = [
            ("user_agent", self.user_agent.as_deref()),
            ("auth_slug", self.auth_slug.as_deref()),
            ("backend", self.backend.as_deref()),
        ];
        for (name, value) in optional {
            set(&mut body, name, value.map(Value::from));
        }
        set(&mut body, "idle_seconds", self.idle.map(Value::from));
        set(&mut body, "lifetime_seconds", self.lifetime.map(Value::from));
        set(&mut body, "allowed_cookie", self.no_cookie.then_some(Value::Bool(false)));
        set(&mut body, "allowed_header", self.no_header.then_some(Value::Bool(false)));
        set(&mut body, "scopes", (!self.scopes.is_empty()).then_some(self.scopes.clone().into()));
        let object =
            |object: &Related| json!({"content_type": object.content_type, "object_id": object.object_id});
        let related: Vec<_> = self.related.iter().map(object).collect();
        set(&mut body, "related_objects", (!related.is_empty()).then_some(related.into()));
        body
    }
}

/// Sets a field that has a value.
pub(super) fn set(body: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        body[name] = value;
    }
}

/// Runs a command about one token.
pub(crate) async fn run(client: &AdminClient, output: Output, command: &TokenCommand) -> Result<(), Failure> {
    let path = |id: &TokenId| format!("/v1/tokens/{id}");
    match command {
        TokenCommand::Issue(new) => {
            if new.related.len() > MAX_RELATED_OBJECTS {
                let problem = format!("is given more than {MAX_RELATED_OBJECTS} times");
                return Err(Failure::usage("--related", &problem));
            }
            let token = client.call(Method::POST, "/v1/tokens", Some(&new.body())).await?;
            print_secret(output, &token, "token", FIRST)
        }
        TokenCommand::Rotate { id } => {
            let token = client.call(Method::POST, &format!("{}/rotate", path(id)), None).await?;
            print_secret(output, &token, "token", FIRST)
        }
        TokenCommand::Show { id } => {
            let token = client.get(&path(id)).await?;
            output.print(&token, |token| describe(token, FIRST))
        }
        TokenCommand::Change { id, times } => {
            let mut body = json!({});
            set(&mut body, "idle_seconds", times.idle.map(Value::from));
            set(&mut body, "lifetime_seconds", times.lifetime.map(Value::from));
            let token = client.call(Method::PATCH, &path(id), Some(&body)).await?;
            output.print(&token, |token| describe(token, FIRST))
        }
        TokenCommand::Revoke { id } => {
            client.delete(&path(id)).await?;
            output.print(&json!({"id": id.to_string(), "revoked": true}), |_| format!("revoked {id}"))
        }
    }
}
