//! The use cases, one method of [`Service`] each. Knows no HTTP and no Redis.

pub mod core;
pub mod cutoffs;
pub mod device_login;
pub mod devices;
pub mod error;
pub mod fields;
pub mod idempotency;
pub mod import_devices;
pub mod import_record;
pub mod imports;
pub mod live_cutoffs;
pub mod live_tokens;
pub mod login_token_verifier;
pub mod new_token;
pub mod related;
pub mod takeovers;
pub mod token_keys;
pub mod tokens;
pub mod users;
pub mod walker;

pub use self::core::Service;
pub use self::core::TokenPolicy;
pub use self::devices::{MadeDevice, NewDevice, RotatedDevice};
pub use self::error::ServiceError;
pub use self::import_devices::{DeviceImportRecord, DeviceImportResult};
pub use self::import_record::{ExportedString, ImportRecord};
pub use self::imports::ImportResult;
pub use self::new_token::NewToken;
pub use self::tokens::Issued;
