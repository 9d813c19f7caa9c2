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
//! A [`RequestCheck`] decides on whole requests, as the server's `/auth`, `/auth-optional` and `/check/NAME` do: it finds the
//! token in the header or in a cookie, refuses unsafe requests that another site made the browser send, and applies the
//! route checks of the settings.
//!
//! ```no_run
//! use doorward::{Admission, IncomingRequest, RequestCheck, RequestDecision, Validator};
//!
//! # async fn example(validator: &Validator, check: &RequestCheck, parts: &http::request::Parts) {
//! let request = IncomingRequest::of_parts(parts, None);
//! match check.decide(validator, Admission::REQUIRED, &request).await {
//!     RequestDecision::Allowed(identity, _) => println!("{} may pass", identity.user()),
//!     other => println!("answer {}", other.status()),
//! }
//! # }
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
//! | none | the embedded store, validation, [`RequestCheck`], the lifecycle of tokens | |
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

pub use crate::clock::Clock;
pub use crate::config::{Config, LoadError, load_node};
pub use crate::entropy::Entropy;
pub use crate::foreign::{Scheme, SourceDigest};
pub use crate::model::cutoff::{Cutoff, CutoffName, CutoffProgress, SetCutoff};
pub use crate::model::device_key::{DeviceChange, DeviceKey};
pub use crate::model::event::{Actor, CutoffEvent, Event, EventFacts, EventKind};
pub use crate::model::revoke_reason::RevokeReason;
pub use crate::model::route_check::RouteCheck;
pub use crate::model::takeover::{ActiveTakeover, EndedTakeover, Takeover};
pub use crate::model::token::{
    RelatedObject, Revocation, Token, TokenChange, TokenDetails, TokenRecord, Transport,
};
pub use crate::node::{Node, StartError, WorkerDied};
pub use crate::request_check::{
    Admission, ForbiddenReason, IncomingRequest, Refusal, RequestCheck, RequestDecision,
};
pub use crate::service::{
    ExportedString, ImportRecord, ImportResult, Issued, MadeDevice, NewDevice, NewToken, RotatedDevice,
    Service, ServiceError,
};
pub use crate::store::{Rejection, StoreError};
pub use crate::token_string::TokenId;
pub use crate::validation::{Access, Identity, Validator};

/// The types of the fields of [`Config`].
pub mod settings {
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
