//! The open connections of one listener: how many there may be, when each has to end, and which one makes room if there
//! are too many.
//!
//! A connection ends when
//! 1. its first request is not complete after 10 s, or after `idle-timeout` if that is shorter,
//! 2. no further request was complete for `idle-timeout`, and none is in progress,
//! 3. a part of an answer was not sent for `idle-timeout`, whatever the client requests meanwhile,
//! 4. the listener is full and this connection has been idle for longest; or all have a request in progress, and the server
//!    has waited for this client for longest, or
//! 5. the server stops.
//!
//! A periodic sweep looks at all connections, so a request costs one store to memory and no timer.

mod open_connection;
mod registry;
mod slot;
mod state;
#[cfg(test)]
mod tests;

pub use self::open_connection::{BusyGuard, OpenConnection, UnsentGuard};
pub use self::registry::{ConnectionStats, ListenerConnections};
