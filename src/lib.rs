//! Doorward: a session token server. See ARCHITECTURE.md for the map.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod http;
pub mod last_access;
pub mod metrics;
pub mod readiness;
pub mod rules;
pub mod secret;
pub mod service;
pub mod store;
mod sync;
pub mod token;
pub mod validator;
