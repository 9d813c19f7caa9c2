//! Tokens: the record that validation reads, what is shown besides, what is cached beside a copy of a record, and rotation.

pub mod access_mark;
pub mod cached;
pub mod change;
pub mod details;
pub mod held;
pub mod inline_text;
pub mod record;
pub mod refused_marks;
pub mod rotation;
pub mod secrets;
#[cfg(test)]
pub mod tests;
pub mod touch;
pub mod whole;

pub use self::access_mark::AccessMark;
pub use self::cached::{Cached, GappedText};
pub use self::change::TokenChange;
pub use self::details::{RelatedObject, TokenDetails};
pub use self::held::{HeldRecord, KeptRecord, KnownRecord};
pub use self::inline_text::Texts;
pub use self::record::Bars;
pub use self::record::{RecordVerdict, TokenRecord, Transport};
pub use self::refused_marks::RefusedMarks;
pub use self::rotation::{PreviousSecret, PreviousSecrets, Rotation};
pub use self::touch::{Renewal, Touch};
pub use self::whole::{Revocation, Token, TokenRef};
