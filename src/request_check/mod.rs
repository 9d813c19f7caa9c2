//! May this request pass? Decided from its headers, its method and its client, whatever received it.
//!
//! `decision` is the hot path, which the server's validation plane and gRPC use, too. `checker` is its interface for an
//! application in process.

pub mod admission;
pub mod checker;
pub mod cross_site;
pub mod decision;
pub mod incoming;
pub mod refusal;
pub mod request_decision;
pub mod route_checks;
pub mod settings;

pub use self::admission::Admission;
pub use self::checker::RequestCheck;
pub use self::incoming::IncomingRequest;
pub use self::refusal::{ForbiddenReason, Refusal};
pub use self::request_decision::RequestDecision;
