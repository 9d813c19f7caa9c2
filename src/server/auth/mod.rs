//! The validation plane: auth subrequests, sessions, probes.

pub mod access_log;
pub mod admission;
mod cors;
pub mod cross_site;
pub mod decision;
pub mod fast_path;
pub mod holder;
pub mod holder_audit;
pub mod identity_headers;
pub mod logged_request;
pub mod logout;
pub mod plane;
pub mod refusal;
pub mod route_checks;
pub mod routes;
pub mod session;
pub mod settings;
pub mod upgrade;
