//! May this request pass? Decided from its headers, its method and its client, whatever received it.
//!
//! `decision` is the hot path, which the server's validation plane and gRPC use, too. `checker` is its interface for an
//! application in process.

pub mod admission;
pub mod checker;
pub mod cross_site;
pub mod decision;
pub mod refusal;
pub mod settings;

pub use self::admission::Admission;
pub use self::checker::IncomingRequest;
pub use self::checker::RequestCheck;
pub use self::checker::RequestDecision;
pub use self::refusal::{ForbiddenReason, Refusal};
