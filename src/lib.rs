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

mod cli;
mod clock;
mod config;
mod entropy;
mod files;
mod last_access;
mod logging;
mod model;
mod node;
mod server;
mod service;
mod store;
mod sync;
mod token_string;
mod validation;
mod values;

pub use crate::clock::Clock;
pub use crate::config::definition::Config;
pub use crate::config::load_node;
pub use crate::entropy::Entropy;
pub use crate::model::token::{Token, TokenChange, TokenDetails, TokenRecord, Transport};
pub use crate::node::Node;
pub use crate::node::start_up::StartError;
pub use crate::service::{NewToken, Service, ServiceError};
pub use crate::store::{Rejection, StoreError};
pub use crate::validation::{Access, Identity, Validator};

/// The whole crate, for its own tests and benches. No part of it is public interface.
#[doc(hidden)]
pub mod internals {
    pub mod cli {
        pub use crate::cli::*;
    }
    pub mod clock {
        pub use crate::clock::*;
    }
    pub mod config {
        pub use crate::config::*;
    }
    pub mod entropy {
        pub use crate::entropy::*;
    }
    pub mod files {
        pub use crate::files::*;
    }
    pub mod last_access {
        pub use crate::last_access::*;
    }
    pub mod logging {
        pub use crate::logging::*;
    }
    pub mod model {
        pub use crate::model::*;
    }
    pub mod node {
        pub use crate::node::*;
    }
    pub mod server {
        pub use crate::server::*;
    }
    pub mod service {
        pub use crate::service::*;
    }
    pub mod store {
        pub use crate::store::*;
    }
    pub mod sync {
        pub use crate::sync::*;
    }
    pub mod token_string {
        pub use crate::token_string::*;
    }
    pub mod validation {
        pub use crate::validation::*;
    }
    pub mod values {
        pub use crate::values::*;
    }
}
