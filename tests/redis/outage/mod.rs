//! What the callers see while Redis is away, and when it comes back.

mod active_users;
mod connections;
mod lost_keys;
mod redis_away;
mod support;
