//! `doorward import`: sends the sessions of an export to the admin plane.
//!
//! A thread reads the lines ([`lines`]) and makes batches of records ([`record`]). `run` sends several batches at once,
//! and [`summary`] adds up what became of the lines.

pub mod args;
pub mod lines;
pub mod progress;
pub mod record;
pub mod run;
pub mod summary;

pub use self::args::ImportSessions;
pub(crate) use self::run::run;
