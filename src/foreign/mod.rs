//! Foreign tokens: tokens that another system issued, imported with their holders' strings.
//!
//! The holder of an imported token goes on presenting the string of the former system. What that system stores of the
//! string, its source digest, decides everything here: the id of the imported token, the hash of its secret, and the alias
//! under which the store finds the id. So an import needs no string, and a second import of a token finds the first.
//!
//! An alias is an immutable fact: this digest has this token id, for as long as the token can live. Whether the token is
//! valid is for its record to say, as for every other token.

pub mod cookie_signature;
pub mod device;
pub mod digest;
pub mod exported;
pub mod form;
pub mod form_set;
pub mod forms;
pub mod pbkdf2;
pub mod scheme;
pub mod shape;

pub use self::device::UuidDigest;
pub use self::digest::{AliasName, ForeignDigest};
pub use self::form::ForeignForm;
pub use self::form_set::{FormList, FormSet};
pub use self::forms::ForeignForms;
pub use self::pbkdf2::Pbkdf2Hash;
pub use self::scheme::{Scheme, SourceDigest};
