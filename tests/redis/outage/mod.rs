//! The answers that clients get while Redis is unreachable, and after it is back.

mod active_users;
mod connections;
mod lost_keys;
mod redis_away;
mod support;
