//! The validation plane: auth subrequests, sessions, probes.

pub mod access_log;
mod cors;
pub mod decision;
pub mod fast_path;
pub mod holder;
pub mod identity_headers;
pub mod logout;
pub mod plane;
pub mod refusal;
pub mod routes;
pub mod upgrade;
