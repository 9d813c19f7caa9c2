//! A token record as it was read.

use crate::model::token::TokenRecord;
use std::sync::Arc;

/// A record that was read.
pub struct RecordRead {
    /// `None` when there is no such token.
    pub record: Option<Arc<TokenRecord>>,
    /// Whether the store had it so after the call began. False for a copy that was known here or read for another.
    pub is_fresh: bool,
}
