//! What must hold behind every proxy.

mod denial;
mod identity;
mod list;
mod traffic;
