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
//! A [`RequestCheck`](check::RequestCheck) decides on whole requests, as the server's `/auth`, `/auth-optional` and
//! `/check/NAME` do: it finds the token in the header or in a cookie, refuses unsafe requests that another site made the
//! browser send, and applies the route checks of the settings. This is a site on axum:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::extract::FromRequestParts;
//! use axum::http::StatusCode;
//! use axum::http::request::Parts;
//! use axum::routing::get;
//! use doorward::check::{Admission, IncomingRequest, RequestCheck, RequestDecision};
//! use doorward::{Identity, Node, Validator, load_node};
//!
//! struct Site {
//!     validator: Validator,
//!     check: RequestCheck,
//! }
//!
//! /// The user of a request. A request without a valid token does not reach the handler.
//! struct User(Identity);
//!
//! impl FromRequestParts<Arc<Site>> for User {
//!     type Rejection = StatusCode;
//!
//!     async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, StatusCode> {
//!         let request = IncomingRequest::of_parts(parts, None);
//!         match site.check.decide(&site.validator, Admission::REQUIRED, &request).await {
//!             RequestDecision::Allowed(identity, _) => Ok(Self(identity)),
//!             other => Err(other.status()),
//!         }
//!     }
//! }
//!
//! async fn home(User(identity): User) -> String {
//!     format!("Hello, {}", identity.user())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let config = load_node(std::env::vars_os())?;
//!     let node = Node::start(&config).await?;
//!     let site = Site { validator: node.validator().await, check: RequestCheck::new(&config) };
//!     let router = Router::new().route("/", get(home)).with_state(Arc::new(site));
//!     axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, router).await?;
//!     node.stop().await;
//!     Ok(())
//! }
//! ```
//!
//! The settings are the server's: [`load_node`] reads them from environment variables, and [`Config::default`] has
//! the defaults. `examples/in_process.rs` is a whole program, `examples/axum_in_process.rs` a whole site on axum.
//! `ARCHITECTURE.md` has a map of the code.
//!
//! # Depend on it
//!
//! The crate is not published: depend on its repository or on a checkout, with the features that the application needs.
//!
//! ```toml
//! [dependencies]
//! doorward = { path = "../doorward", default-features = false, features = ["tls"] }
//! ```
//!
//! For a repository, name the tag or the commit: `doorward = { git = "…", rev = "…", default-features = false }`.
//!
//! | feature | adds | contains |
//! |---|---|---|
//! | none | the embedded store, validation, [`check`], the lifecycle of tokens | |
//! | `redis` | the Redis store, and with it tokens that several processes share | |
//! | `tls` | `rediss://` | `redis` |
//! | `server` | the server and its command line | `tls` |
//! | `grpc` | Envoy's `ext_authz` on a listener of the server | `server` |
//!
//! The default is all of them. A setting that needs a feature which the build does not have is a mistake: [`load_node`]
//! reports it, and [`Node::start`] fails with [`StartError::MissingFeature`]. A node ignores the settings of listeners.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(missing_docs))]
// Much of what the parts offer is used by the server alone. A build with all features shows what nothing uses.
#![cfg_attr(not(feature = "server"), allow(dead_code))]

#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "server")]
mod cli;
mod clock;
mod config;
mod counter;
mod entropy;
mod files;
#[allow(missing_docs)] // in the facade only with `Scheme` and `SourceDigest`
mod foreign;
#[cfg(feature = "server")]
#[allow(missing_docs)] // not in the facade
mod http_client;
mod last_access;
mod logging;
mod model;
mod named_enum;
mod node;
mod printable;
mod request;
#[allow(missing_docs)] // in the facade only with what decides
mod request_check;
#[cfg(feature = "server")]
#[allow(missing_docs)] // not in the facade
mod server;
mod service;
#[cfg(feature = "server")]
#[allow(missing_docs)] // not in the facade
mod service_manager;
#[allow(missing_docs)] // in the facade only with `StoreError`
mod store;
mod sync;
#[cfg(feature = "server")]
mod telemetry;
#[allow(missing_docs)] // in the facade only with `TokenId`
mod token_string;
mod validation;
mod values;

pub use crate::config::{Config, LoadError, load_node};
pub use crate::model::event::Actor;
pub use crate::model::revoke_reason::RevokeReason;
pub use crate::model::token::{Token, TokenChange, Transport};
pub use crate::node::{Node, StartError, WorkerDied};
pub use crate::service::{Issued, NewToken, Service, ServiceError};
pub use crate::store::{Rejection, StoreError};
pub use crate::token_string::TokenId;
pub use crate::validation::{Access, Identity, Validator};

/// Decisions on whole requests: may this request pass, and why not?
pub mod check {
    pub use crate::request_check::{
        Admission, ForbiddenReason, IncomingRequest, Refusal, RequestCheck, RequestDecision,
    };
}

/// The parts of a [`Token`], and its takeovers.
pub mod token {
    pub use crate::model::takeover::{ActiveTakeover, EndedTakeover, Takeover};
    pub use crate::model::token::{RelatedObject, Revocation, TokenDetails, TokenRecord};
}

/// Device keys: [`Service::make_device`] and its like.
pub mod device {
    pub use crate::model::device_key::{DeviceChange, DeviceKey};
    pub use crate::service::{MadeDevice, NewDevice, RotatedDevice};
}

/// Cut-offs, which refuse all tokens that were created before a time: [`Service::set_cutoff`].
pub mod cutoff {
    pub use crate::model::cutoff::{Cutoff, CutoffName, CutoffProgress, SetCutoff};
}

/// The history of a user: [`Service::user_events`].
pub mod event {
    pub use crate::model::event::{CutoffEvent, Event, EventFacts, EventKind};
}

/// Imports of tokens that another system issued: [`Service::import`].
pub mod import {
    pub use crate::foreign::{Scheme, SourceDigest};
    pub use crate::service::{ExportedString, ImportRecord, ImportResult};
}

/// The clock and the randomness of a node, which a test can replace: [`Node::start_with`].
pub mod system {
    pub use crate::clock::Clock;
    pub use crate::entropy::Entropy;
}

/// The types of the fields of [`Config`].
pub mod settings {
    pub use crate::model::route_check::RouteCheck;
    pub use crate::values::{
        AccessLogRule, ApiKey, Endpoint, HostPort, ListenAddr, LogFormat, LogLevel, Origin, OtlpHeader,
        OverLimit, RedisDeployment, RedisUrl, RenewalStep, SameSite, Scope, Scopes, SecretString, StoreUrl,
        TrustedProxies, Url,
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
        clock config entropy files foreign last_access logging model node request request_check service store sync token_string validation values
    }

    #[cfg(feature = "server")]
    expose! { cli http_client server telemetry }
}
