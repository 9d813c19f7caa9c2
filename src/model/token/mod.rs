//! Tokens: the record, what lies beside a copy of it, and its rotation.

pub mod asides;
pub mod inline_text;
pub mod record;
pub mod rotation;
#[cfg(test)]
pub mod tests;
