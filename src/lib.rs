//! Doorward: a session token server. See ARCHITECTURE.md for the map.

pub mod clock;
pub mod config;
pub mod entropy;
pub mod secret;
