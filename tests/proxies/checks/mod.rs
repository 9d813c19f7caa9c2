//! The checks that every proxy must pass.

mod denial;
mod identity;
mod list;
mod traffic;
