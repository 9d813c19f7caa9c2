//! Doorward: a session token server. See ARCHITECTURE.md for the map.

pub mod clock;
pub mod entropy;
pub mod secret;
pub mod store;
mod sync;
