//! A token's life as callers see it: takeovers, rotation, the second factor, the limit per user, and the MAC keys.

mod rotation;
mod support;
mod takeovers;
mod token_keys;
