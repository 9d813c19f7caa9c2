//! The store operations as scripts and commands.

pub mod bus_probes;
pub mod clock;
pub mod devices;
pub mod events;
pub mod related;
pub mod reverse_index;
pub mod takeovers;
pub mod tokens;
pub mod touches;
