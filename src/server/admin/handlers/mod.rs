//! The handlers of the calls that need an API key, one file per resource.

pub mod cutoffs;
pub mod devices;
pub mod events;
pub mod import_records;
pub mod import_results;
pub mod imports;
pub mod nodes;
pub mod openapi;
pub mod related;
pub mod stats;
pub mod status;
pub mod takeovers;
pub mod tokens;
pub mod users;
pub mod validate;
