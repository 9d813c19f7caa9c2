//! Start-up: the settings become the server's parts. No other part of the server sees `Config`.

pub mod descriptors;
pub mod error;
pub mod listeners;
pub mod serve_admin;
pub mod start;

pub use self::descriptors::{DescriptorBudget, descriptor_budget};
pub use self::error::ServerStartError;
pub use self::listeners::{check_tls_files, tls_files};
