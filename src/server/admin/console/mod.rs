//! The console at `/console/`: files that a browser runs as a client of the admin plane.
//!
//! The files are in `assets/` and are compiled into the binary. They need no API key: the person who uses the console
//! enters one, and the browser sends it with each call.

pub mod files;
pub mod serve;
