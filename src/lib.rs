//! Doorward: a session token server. This crate is also the same validation in process, without HTTP, for applications in
//! Rust.
//!
//! A [`Node`] is a server without its listeners. It validates tokens in this process, from a near cache, with the
//! guarantees of the server. Nodes and servers may share a Redis.
//!
//! ```no_run
//! use doorward::{Access, Config, Node, Transport};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::start(&Config::default()).await?;
//! let validator = node.validator().await;
//! match validator.validate(token.as_bytes(), Transport::Cookie, Access::Recorded).await? {
//!     Some(identity) => println!("{} may pass, logged in as {}", identity.user(), identity.actor()),
//!     None => println!("no valid token"),
//! }
//! node.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! A route check of the settings applies in process, too: `check.is_met_by(identity.record())`.
//!
//! The settings are those of the server: [`load_node`] reads them from environment variables, and [`Config::default`] has
//! the defaults. `examples/in_process.rs` is a whole program. `ARCHITECTURE.md` has a map of the code.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(missing_docs))]

mod certificates;
mod cli;
mod clock;
mod config;
mod entropy;
mod files;
#[allow(missing_docs)] // not in the facade
mod foreign;
#[allow(missing_docs)] // not in the facade
mod http_client;
mod last_access;
mod logging;
mod model;
mod node;
mod printable;
#[allow(missing_docs)] // not in the facade
mod server;
mod service;
#[allow(missing_docs)] // in the facade only with `StoreError`
mod store;
mod sync;
mod telemetry;
#[allow(missing_docs)] // in the facade only with `TokenId`
mod token_string;
mod validation;
mod values;

pub use crate::clock::Clock;
pub use crate::config::{Config, LoadError, load_node};
pub use crate::entropy::Entropy;
pub use crate::foreign::{Scheme, SourceDigest};
pub use crate::model::cutoff::{Cutoff, CutoffName, CutoffProgress, SetCutoff};
pub use crate::model::event::Actor;
pub use crate::model::revoke_reason::RevokeReason;
pub use crate::model::route_check::RouteCheck;
pub use crate::model::token::{Token, TokenChange, TokenDetails, TokenRecord, Transport};
pub use crate::node::{Node, StartError, WorkerDied};
pub use crate::service::{
    ExportedString, ImportRecord, ImportResult, Issued, NewToken, Service, ServiceError,
};
pub use crate::store::{Rejection, StoreError};
pub use crate::token_string::TokenId;
pub use crate::validation::{Access, Identity, Validator};

/// The types of the fields of [`Config`].
pub mod settings {
    pub use crate::http_client::{Endpoint, Url};
    pub use crate::values::{
        AccessLogRule, ApiKey, HostPort, ListenAddr, LogFormat, LogLevel, Origin, OtlpHeader, OverLimit,
        RedisDeployment, RedisUrl, RenewalStep, SameSite, Scope, Scopes, SecretString, StoreUrl,
        TrustedProxies,
    };
}

/// The whole crate, for its own tests and benchmarks. Not part of the public interface.
#[doc(hidden)]
pub mod internals {
    macro_rules! expose {
        ($($module:ident)*) => {
            $(pub mod $module { pub use crate::$module::*; })*
        };
    }

    expose! {
        cli clock config entropy files foreign http_client last_access logging model node server service store sync telemetry
        token_string validation values
    }
}
