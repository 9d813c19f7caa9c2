//! A token record that was read.

use std::sync::Arc;

use crate::model::token::TokenRecord;

/// A token record that was read.
pub struct RecordRead {
    /// `None` if there is no such token.
    pub record: Option<Arc<TokenRecord>>,
    /// Whether the record was read after the call began. False for a cached copy, and for a copy read for another caller.
    pub is_fresh: bool,
}
