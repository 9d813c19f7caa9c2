//! Doorward: a session token server, and the same without HTTP for frontends in Rust. See ARCHITECTURE.md for the
//! map.
//!
//! A [`Node`] is a server without its listeners: it validates tokens in this process, from a near cache, under the
//! promise that the server gives. Nodes and servers may share a Redis.
//!
//! ```no_run
//! use doorward::{Access, Clock, Config, Entropy, Node, Transport};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::start(&Config::default(), Clock::system(), Entropy::system()).await?;
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
//! `examples/in_process.rs` is a whole program. The settings are those of the server, made by [`config::load_node`]
//! or by hand from [`Config::default`].

#![forbid(unsafe_code)]

pub mod app;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod device_key;
pub mod entropy;
pub mod event;
pub mod feed;
pub mod grpc;
mod healthcheck;
pub mod http;
pub mod last_access;
pub mod logging;
pub mod metrics;
pub mod node;
pub mod origin;
pub mod readiness;
pub mod rules;
pub mod secret;
pub mod service;
pub mod store;
mod sync;
pub mod takeover;
pub mod tls;
pub mod token;
pub mod token_keys;
pub mod validator;

pub use clock::Clock;
pub use config::Config;
pub use entropy::Entropy;
pub use node::{Node, StartError};
pub use service::{NewToken, Service, ServiceError};
pub use store::StoreError;
pub use token::{Credential, Token, TokenChange, TokenView, Transport};
pub use validator::{Access, Identity, Validator};
