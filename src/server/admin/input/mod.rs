//! The query and the body of a call, read strictly. All mistakes are reported at once.

pub mod body;
pub mod field_types;
pub mod fields;
pub mod json_pointer;
pub mod query_and_body;
pub mod strict_json;

pub use self::field_types::{boolean, integer, parsed, text, user_agent};
pub use self::fields::Fields;
pub use self::query_and_body::Input;
