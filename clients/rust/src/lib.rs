#![doc = include_str!("../README.md")]

mod admin;
mod batcher;
mod clock;
mod credentials;
mod endpoint;
mod entropy;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod fields;
mod identity;
mod layer;
mod models;
mod path;
mod request;
mod secret;
mod timestamp;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod validator;
mod verdict;

pub use self::admin::Admin;
pub use self::batcher::Batcher;
pub use self::endpoint::InvalidSetting;
pub use self::error::{CallError, FieldError, Problem, Unavailable};
pub use self::fields::{DeviceChanges, DeviceFields, Paging, TakeoverFields, TokenChanges, TokenFields};
pub use self::identity::{Identity, Via};
pub use self::layer::{AuthLayer, AuthService};
pub use self::models::{Device, Page, RelatedObject, Takeover, Token};
pub use self::request::ClientRequest;
pub use self::secret::Secret;
pub use self::validator::{Checker, Ended, Logout, Validator};
pub use self::verdict::{Anonymous, Refusal, Verdict};
