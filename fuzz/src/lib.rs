//! Fuzz targets: functions that take any bytes and panic where the code under test gives a wrong answer.
//!
//! The tests run them on the seeds and on a fixed series of mutations. `scripts/fuzz NAME` runs one with libFuzzer until it
//! is stopped.

pub mod credentials;
pub mod fast_path;
pub mod foreign;
pub mod redis_url;
pub mod resp;
pub mod settings;
pub mod token_string;
