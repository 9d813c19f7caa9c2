//! Parsers: from the text of a setting to its value.
//!
//! A parser returns the value, or the problem as the rest of a sentence that starts with the value: "is not a duration
//! such as …". No parser repeats the text, because it may be a secret.

pub mod access_log;
pub mod api_keys;
pub mod cookie;
pub mod credentials;
pub mod duration;
pub mod foreign;
pub mod list;
pub mod listener;
pub mod origins;
pub mod otlp;
pub mod route_checks;
pub mod scalar;
pub mod store;
pub mod tables;
